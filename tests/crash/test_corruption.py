"""What damage to the files comes to: none, or an error and a repair that says what it kept."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import SessionError
from victor.messages import user
from victor.protocols import Record, SessionInfo
from victor.storage.connection import lock_file, repair_mark
from victor.storage.inspection import problems
from victor.storage.salvage import SalvageReport, salvage
from victor.storage.sqlite import SqliteSessionStore
from victor.storage.writer_lock import WriterLock

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

SESSIONS, RECORDS, DAMAGES = 3, 30, 200
LONG = 8_000
"""Characters of a record that does not fit into a page."""


@pytest.fixture
async def running(tmp_path: Path) -> Path:
    """The files as they are while a process uses them: some of it in the log, some in the file."""
    store = SqliteSessionStore(tmp_path / "s.db")
    for number in range(SESSIONS):
        name = f"s{number}"
        await store.create(SessionInfo(name, f"T{number}", "/w", "p", "m", 1.0, 1.0))
        if number == SESSIONS - 1:
            await store._database().empty_log(SessionError)
        for turn in range(RECORDS):
            words = f"{name} {turn} " + "x" * (LONG if turn % 7 == 0 else 700)
            await store.append(name, Record("user", f"{name}-{turn}", user(words)))
    left = tmp_path / "running"
    left.mkdir()
    for file in tmp_path.glob("s.db*"):
        if file.is_file():
            shutil.copy2(file, left)
    await store.aclose()
    assert (left / "s.db-wal").stat().st_size > 50_000
    return left


async def read(path: Path) -> dict[str, tuple[Record, ...]]:
    """Return every session, without the times, which no checksum covers. Raises `SessionError`."""
    store = SqliteSessionStore(path, patience=0.1)
    try:
        return {
            info.id: tuple(replace(record, time=0.0) for record in await store.load(info.id))
            for info in await store.list()
        }
    finally:
        await store.aclose()


def damage(folder: Path, chance: random.Random) -> str:
    """Turn a bit of one of the files, or cut its end off; return what was done."""
    names = ["s.db", "s.db", "s.db-wal", "s.db-wal", "s.db-shm"]
    file = folder / chance.choice(names)
    content = bytearray(file.read_bytes())
    at = chance.randrange(len(content))
    if chance.random() < 0.25:
        del content[at:]
        done = "cut"
    else:
        content[at] ^= 1 << chance.randrange(8)
        done = "bit"
    file.write_bytes(content)
    return f"{file.name} {done} {at}"


def unexplained(
    report: SalvageReport,
    whole: Mapping[str, tuple[Record, ...]],
    kept: Mapping[str, tuple[Record, ...]],
) -> list[str]:
    """Return what is another history than before, and is not said to be."""
    known = {record: None for records in whole.values() for record in map(str, records)}
    found = [
        f"{record} is nobody's"
        for records in kept.values()
        for record in records
        if str(record) not in known and "records were lost here" not in str(record.data)
    ]
    missing = sum(map(len, whole.values())) - sum(session.kept for session in report.sessions)
    told = sum(session.lost for session in report.sessions)
    if missing > told and not report.log:
        found.append(f"{missing} are missing, and {told} are said to be")
    return found


async def test_each_of_200_damages_is_harmless_or_told_and_repaired(
    running: Path, tmp_path: Path
) -> None:
    chance = random.Random(4)
    whole = await read(Path(shutil.copytree(running, tmp_path / "whole")) / "s.db")
    assert [len(records) for records in whole.values()] == [RECORDS] * SESSIONS
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    for number in range(DAMAGES):
        folder = shutil.copytree(running, tmp_path / f"{number}")
        done = damage(folder, chance)
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        try:
            outcome = "harmless" if await read(folder / "s.db") == whole else "silent"
        except SessionError:
            outcome = "told"
        tally[f"{done.split()[0]}: {outcome}"] += 1
        if outcome == "silent":
            wrong.append(done)
        if outcome == "told":
            report = await salvage(folder / "s.db")
            tally["kept"] += sum(session.kept for session in report.sessions)
            wrong += [f"{done}: {text}" for text in problems(folder / "s.db")]
            kept = await read(folder / "s.db")
            wrong += [f"{done}: {text}" for text in unexplained(report, whole, kept)]
            # The log of a database that SQLite could open may be in the file by now.
            if report.log and report.damaged.read_bytes() != before["s.db"]:
                wrong.append(f"{done}: what was damaged was not kept as it was")
        shutil.rmtree(folder)
    print(dict(tally))
    assert wrong == []
    told = sum(count for name, count in tally.items() if name.endswith("told"))
    assert told > DAMAGES // 3
    assert tally["kept"] > 0.8 * told * SESSIONS * RECORDS


async def test_a_repair_that_was_broken_off_is_gone_on_with(running: Path) -> None:
    path = running / "s.db"
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    path.write_bytes(content)
    mark = path.with_name("s.db.repairing")
    mark.write_text("20260101-000000-1")
    (running / "s.db-wal").rename(running / "s.db.damaged-20260101-000000-1-wal")
    with pytest.raises(SessionError, match=r"repair was broken off.*doctor --repair"):
        await read(path)
    assert problems(path) == ("its repair was broken off",)

    report = await salvage(path)
    assert report.damaged.name == "s.db.damaged-20260101-000000-1"
    assert not mark.exists()
    assert "s2" in await read(path)
    assert problems(path) == ()


async def test_a_database_in_use_is_not_repaired(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SqliteSessionStore(path)
    await store.create(SessionInfo("s1", "", "/w", "p", "m", 1.0, 1.0))
    with pytest.raises(SessionError, match=r"in use by process \d+.*Close every other Victor"):
        await salvage(path)
    assert [info.id for info in await store.list()] == ["s1"]
    await store.aclose()
    report = await salvage(path)
    assert [(one.info.id, one.kept, one.lost) for one in report.sessions] == [("s1", 0, 0)]


async def test_a_database_that_another_process_has_open_is_not_repaired(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SqliteSessionStore(path)
    await store.create(SessionInfo("s1", "", "/w", "p", "m", 1.0, 1.0))
    await store.aclose()
    await store.list()
    with pytest.raises(SessionError, match="in use by a process that has it open"):
        await salvage(path)
    await store.aclose()

    looking = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1])\n"
    looking += "c.execute('SELECT * FROM sessions').fetchall(); print(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", looking, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(SessionError, match="in use by a process that has it open"):
        await salvage(path)
    process.communicate(b"\n")

    lock = WriterLock(lock_file(path), 0.1)
    with lock.held(), pytest.raises(SessionError, match="in use by another process"):
        await salvage(path)
    lock.close()
    assert [one.info.id for one in (await salvage(path)).sessions] == ["s1"]


async def test_where_it_cannot_be_moved_all_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_text("damaged")
    repair_mark(path).mkdir()
    with pytest.raises(SessionError, match="cannot be set aside"):
        await salvage(path)
    assert path.read_text() == "damaged"


async def test_two_sessions_that_claim_one_id_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SqliteSessionStore(path)
    for name in ("same", "SAME"):
        fork = SessionInfo(name, name, "/w", "p", "m", 1.0, 1.0, parent="older", parent_turn=2)
        await store.create(fork)
        await store.append(name, Record("user", f"{name}-1", user(name)))
    await store.aclose()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"SAMESAME/w", b"sameSAME/w"))

    sessions = (await salvage(path)).sessions
    ids = [session.info.id for session in sessions]
    assert ids[0] == "same"
    assert ids[1].startswith("same-salvaged-")
    assert [session.kept for session in sessions] == [1, 1]
    assert {(one.info.parent, one.info.parent_turn) for one in sessions} == {("older", 2)}
    assert set(await read(path)) == set(ids)


async def test_a_session_whose_row_is_lost_keeps_its_records(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SqliteSessionStore(path)
    await store.create(SessionInfo("old", "Mine", "/w", "p", "m", 1.0, 1.0))
    for turn in range(3):
        await store.append("old", Record("user", f"old-{turn}", user("words")))
    await store.aclose()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("DELETE FROM records WHERE position = 1")
        connection.execute("DELETE FROM sessions")
    assert len(problems(path)) == 2

    (session,) = (await salvage(path)).sessions
    assert (session.info.id, session.info.title) == ("old", "(salvaged)")
    assert (session.kept, session.lost) == (2, 1)
    kept = (await read(path))["old"]
    assert [record.turn_id for record in kept] == ["old-0", "old-0", "old-2"]
    assert kept[1].kind == "failed"
    assert "1 records were lost here" in kept[1].data["error"]
