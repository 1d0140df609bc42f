"""What the doctor finds in the store, and repairs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from victor.cli import store_findings
from victor.messages import user
from victor.protocols import Record, SessionInfo
from victor.storage.checkpoints import SqliteCheckpointStore
from victor.storage.sqlite import SqliteSessionStore

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command


@pytest.fixture
def sessions(home_of_its_own: Path) -> Path:
    """A database with two sessions."""
    path = home_of_its_own / "sessions.db"

    async def record() -> None:
        store = SqliteSessionStore(path)
        for name in ("first", "second"):
            await store.create(SessionInfo(name, name.title(), "/w", "p", "m", 1.0, 1.0))
            for number in range(4):
                words = user(f"{name} {number} " + "x" * 1_500)
                await store.append(name, Record("user", f"{name}-{number}", words))
        await store.aclose()

    asyncio.run(record())
    return path


def found(victor: Command, name: str) -> list[dict[str, Any]]:
    findings = json.loads(victor("doctor", "--json").out)["findings"]
    return [finding for finding in findings if finding["name"].startswith(name)]


def hurt(path: Path) -> None:
    """Damage one record where no index looks."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE records SET body = 'no' WHERE number = 2")


def test_a_whole_store_is_told_with_its_version(victor: Command, sessions: Path) -> None:
    (finding,) = found(victor, "sessions")
    assert finding["state"] == "ok"
    assert "intact, version" in finding["detail"]


@pytest.mark.slow
def test_damage_is_one_sentence_everywhere_and_repaired_by_the_doctor(
    victor: Command, sessions: Path
) -> None:
    hurt(sessions)
    ended = victor("sessions", "show", "first")
    assert ended.code == 1
    assert ended.err.startswith(f"Error: {sessions}: record 2 of session 'first' is damaged")
    assert "victor doctor --repair" in ended.err
    assert "Traceback" not in ended.err
    (finding,) = found(victor, "sessions")
    assert finding["state"] == "broken"
    assert "record 2 of session 'first'" in finding["detail"]

    told = victor("doctor", "--repair").err
    assert "a new file with 2 sessions and 7 records" in told
    assert "1 record could not be read" in told
    assert "first: 3 of 4 (First)" in told
    (copy,) = sessions.parent.glob("sessions.db.damaged-*")
    assert f"The damaged file is kept as {copy}." in told
    assert "first 0" in victor("sessions", "show", "first").out
    assert "second 3" in victor("sessions", "show", "second").out
    whole, kept = found(victor, "sessions")
    assert whole["state"] == "ok"
    assert str(copy) in kept["detail"]


def test_a_repair_of_what_is_whole_does_nothing(victor: Command, sessions: Path) -> None:
    before = sessions.read_bytes()
    assert "nothing to repair" in victor("doctor", "--repair").err
    assert sessions.read_bytes() == before


def test_what_cannot_be_opened_is_not_taken_for_damaged(
    victor: Command, home_of_its_own: Path
) -> None:
    (home_of_its_own / "checkpoints.db").mkdir()
    (finding,) = found(victor, "checkpoints")
    assert "cannot be looked through" in finding["detail"]
    assert "--repair" not in finding["remedy"]
    ended = victor("doctor", "--repair")
    assert (ended.code, "cannot be looked through" in ended.err) == (1, True)
    assert list(home_of_its_own.glob("*.damaged-*")) == []


def test_a_store_of_a_newer_version_is_told_and_left_alone(victor: Command, sessions: Path) -> None:
    with closing(sqlite3.connect(sessions, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 999")
    (finding,) = found(victor, "sessions")
    assert (finding["state"], finding["remedy"]) == ("broken", "Update Victor.")
    assert "nothing to repair" in victor("doctor", "--repair").err
    assert list(sessions.parent.glob("*.damaged-*")) == []


def test_damaged_checkpoints_are_set_aside(victor: Command, home_of_its_own: Path) -> None:
    path = home_of_its_own / "checkpoints.db"
    path.write_text("no database " * 1_000)
    assert found(victor, "checkpoints")[0]["state"] == "broken"
    told = victor("doctor", "--repair").err
    assert "cannot be undone any more" in told
    (copy,) = home_of_its_own.glob("checkpoints.db.damaged-*")
    assert copy.read_text().startswith("no database")

    async def use() -> None:
        store = SqliteCheckpointStore(path)
        assert await store.list("s1") == ()
        await store.aclose()

    asyncio.run(use())


def test_locks_left_behind_and_files_open_to_others_are_told_and_mended(
    victor: Command, sessions: Path
) -> None:
    lock = sessions.with_name("sessions.db.locks") / "0.lock"
    lock.write_text("1")
    sessions.chmod(0o644)
    assert found(victor, "sessions: lock")[0]["state"] == "note"
    assert str(sessions) in found(victor, "permissions")[0]["detail"]
    told = victor("doctor", "--repair").err
    assert "1 lock files" in told
    assert "for you alone" in told
    assert not lock.exists()
    assert sessions.stat().st_mode & 0o777 == 0o600
    assert found(victor, "permissions") == []


@pytest.mark.parametrize(("free", "state"), [(100_000_000, "note"), (1_000, "broken")])
def test_too_little_room_is_told(
    victor: Command, sessions: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    class Usage:
        def __init__(self, _path: Path) -> None:
            self.free = free

    monkeypatch.setattr(store_findings.shutil, "disk_usage", Usage)
    (finding,) = found(victor, "free space")
    assert finding["state"] == state


def test_what_an_old_sqlite_risks_is_told(victor: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    (finding,) = found(victor, "sqlite")
    assert finding["state"] == "note"
    assert "take turns" in finding["detail"]
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert found(victor, "sqlite")[0]["state"] == "ok"
