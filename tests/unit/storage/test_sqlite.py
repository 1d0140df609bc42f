"""What SQLite adds to the contract: files, other processes' locks, and disks that refuse."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from victor.errors import CheckpointError, SessionError
from victor.messages import user
from victor.protocols import ABSENT, Checkpoint, FileState, Record, SessionInfo
from victor.storage import database as database_module
from victor.storage import schema
from victor.storage.checkpoints import SqliteCheckpointStore
from victor.storage.schema import APPLICATION_ID, VERSION
from victor.storage.sqlite import SqliteSessionStore

pytestmark = pytest.mark.anyio

INFO = SessionInfo("s1", "First", "/work", "acme", "m-1", created=1.0, updated=1.0)
WORDS = Record("user", "t1", user("hello"))

Opened = Callable[..., SqliteSessionStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "sessions.db"


@pytest.fixture
async def opened(path: Path) -> AsyncIterator[Opened]:
    stores: list[SqliteSessionStore] = []

    def make(at: Path = path) -> SqliteSessionStore:
        stores.append(SqliteSessionStore(at, patience=0.05))
        return stores[-1]

    yield make
    for store in stores:
        await store.aclose()


def connect(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def pragma(path: Path, name: str) -> object:
    with connect(path) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


async def test_nothing_is_touched_before_the_first_use(opened: Opened, path: Path) -> None:
    opened()
    assert not path.parent.exists()


async def test_everything_written_is_for_its_owner_only(opened: Opened, path: Path) -> None:
    await opened().create(INFO)
    for file in path.parent.rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) == (0o700 if file.is_dir() else 0o600), file


async def test_the_file_is_a_synced_log_of_this_version(opened: Opened, path: Path) -> None:
    store = opened()
    await store.create(INFO)
    assert pragma(path, "journal_mode") == "wal"
    assert pragma(path, "user_version") == VERSION
    assert pragma(path, "application_id") == APPLICATION_ID
    shared = store._database()
    read = "PRAGMA synchronous"
    assert await shared.read(lambda c: c.execute(read).fetchone()[0], SessionError) == 2


async def test_closing_leaves_one_file_and_no_thread(opened: Opened, path: Path) -> None:
    first, second = opened(), opened()
    await first.create(INFO)
    await second.list()
    names = {thread.name for thread in threading.enumerate()}
    assert "victor-sessions.db" in names
    await first.aclose()
    assert len(await second.list()) == 1
    threads = [thread for thread in threading.enumerate() if thread.name == "victor-sessions.db"]
    await second.aclose()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == ["sessions.db"]


async def test_stores_on_one_file_share_a_thread_and_sessions_and_checkpoints_may_too(
    opened: Opened, path: Path
) -> None:
    checkpoints = SqliteCheckpointStore(path)
    await opened().create(INFO)
    await checkpoints.put(Checkpoint("c1", "s1", "t1", {"/a": ABSENT}, 1.0))
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("victor-sessions.db") == 1
    assert len(await checkpoints.list("s1")) == 1
    await checkpoints.aclose()


async def test_a_session_is_held_by_one_store(opened: Opened) -> None:
    first, second = opened(), opened()
    await first.create(INFO)
    for attempt in (second.open, second.delete):
        with pytest.raises(SessionError, match=f"'s1' is open .*process {os.getpid()}"):
            await attempt("s1")
    with pytest.raises(SessionError, match="open for writing elsewhere"):
        await second.append("s1", WORDS)
    assert await second.load("s1") == ()
    await first.aclose()
    await second.append("s1", WORDS)
    assert len(await second.load("s1")) == 1


async def test_a_lock_file_without_a_lock_stops_nobody(opened: Opened, path: Path) -> None:
    store = opened()
    await store.create(INFO)
    (lock,) = path.with_name("sessions.db.locks").glob("*.lock")
    name = lock.name
    await store.aclose()
    assert not lock.exists()
    lock.with_name(name).write_text("999999")
    await opened().append("s1", WORDS)


async def test_a_newer_schema_is_refused_and_left_alone(opened: Opened, path: Path) -> None:
    first = opened()
    await first.create(INFO)
    await first.aclose()
    with connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(SessionError, match=f"newer version .*schema {VERSION + 1}.*Update Victor"):
        await opened().list()
    assert pragma(path, "user_version") == VERSION + 1


async def test_a_database_of_something_else_is_refused_and_left_alone(
    opened: Opened, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    with connect(other) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(SessionError, match="not a database of Victor's"):
        await opened(other).list()
    with connect(other) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


async def test_a_file_that_is_no_database_is_named_with_the_remedy(
    opened: Opened, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("These are my notes. " * 100)
    for _ in range(2):
        with pytest.raises(SessionError, match=r"notes.txt.*not a database.*doctor --repair"):
            await opened(text).list()
    checkpoints = SqliteCheckpointStore(text)
    with pytest.raises(CheckpointError, match=r"notes\.txt"):
        await checkpoints.get("c1")
    await checkpoints.aclose()


async def test_a_damaged_page_is_an_error_and_not_another_history(
    opened: Opened, path: Path
) -> None:
    store = opened()
    await store.create(INFO)
    for i in range(40):
        await store.append("s1", Record("user", f"t{i}", user("hello " * 20)))
    whole = await store.load("s1")
    await store.aclose()
    content = path.read_bytes()
    told = 0
    for start in range(0, len(content), 4096):
        for offset, damage in ((0, b"\xff" * 64), (4000, b"\x00" * 8)):
            damaged = bytearray(content)
            damaged[start + offset : start + offset + len(damage)] = damage
            path.write_bytes(damaged)
            store = opened()
            try:
                assert await store.load("s1") == whole
            except SessionError:
                told += 1
            await store.aclose()
    assert told > 10


async def test_a_locked_database_is_told_and_works_again_after(opened: Opened, path: Path) -> None:
    store = opened()
    await store.create(INFO)
    with connect(path) as other:
        other.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(
            *(store.append("s1", WORDS) for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(result, SessionError) for result in results)
        assert "locked" in str(results[0])
        assert "Another process" in str(results[0])
        assert len(await store.list()) == 1
        other.execute("ROLLBACK")
    await store.append("s1", WORDS)
    assert len(await store.load("s1")) == 1


async def test_a_full_database_acknowledges_nothing_that_it_lost(opened: Opened) -> None:
    store = opened()
    await store.create(INFO)
    shared = store._database()

    def pages(count: int) -> Callable[[sqlite3.Connection], object]:
        return lambda c: c.execute(f"PRAGMA max_page_count = {count}").fetchall()

    await shared.read(pages(40), SessionError)
    acknowledged = 0
    with pytest.raises(SessionError, match=r"full.*Free some space"):  # noqa: PT012 - a loop
        for _ in range(1000):
            await store.append("s1", Record("user", "t", user("x" * 3000)))
            acknowledged += 1
    assert acknowledged > 0
    assert len(await store.load("s1")) == acknowledged
    await shared.read(pages(1_000_000), SessionError)
    await store.append("s1", WORDS)
    assert len(await store.load("s1")) == acknowledged + 1


async def test_a_database_that_may_only_be_read_says_so(opened: Opened) -> None:
    store = opened()
    await store.create(INFO)
    await store._database().read(lambda c: c.execute("PRAGMA query_only = 1"), SessionError)
    with pytest.raises(SessionError, match=r"readonly.*writable"):
        await store.append("s1", WORDS)
    assert await store.load("s1") == ()


async def test_work_that_is_wrong_is_told_to_its_caller_and_the_thread_lives_on(
    opened: Opened,
) -> None:
    store = opened()
    await store.create(INFO)

    def wrong(_: sqlite3.Connection) -> None:
        raise KeyError("wrong")

    with pytest.raises(KeyError, match="wrong"):
        await store._database().write(wrong, SessionError)
    await store.append("s1", WORDS)


async def test_who_stopped_waiting_in_a_loop_that_is_gone_hurts_nobody(
    opened: Opened, path: Path
) -> None:
    store = opened()
    await store.create(INFO)
    gate = threading.Event()

    async def leave() -> None:
        shared = store._database()
        task = asyncio.ensure_future(shared.read(lambda _: gate.wait(5), SessionError))
        await asyncio.sleep(0)
        task.cancel()

    await asyncio.to_thread(lambda: asyncio.run(leave()))
    gate.set()
    await store.append("s1", WORDS)
    assert len(await store.load("s1")) == 1


async def test_at_exit_what_is_queued_is_still_committed(path: Path) -> None:
    store = SqliteSessionStore(path)
    await store.create(INFO)
    shared = store._database()
    waiting = asyncio.ensure_future(store.append("s1", WORDS))
    await asyncio.sleep(0)
    shared.stop(5)
    await waiting
    with connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (1,)
    del database_module._databases[shared.path]


async def test_damaged_contents_of_a_checkpoint_are_not_restored(tmp_path: Path) -> None:
    store = SqliteCheckpointStore(tmp_path / "c.db")
    content = b"x" * 50
    name = sha256(content).hexdigest()
    one = Checkpoint("c1", "s1", "t1", {"/a": FileState(name)}, 1.0)
    await store.put(one, {name: content})
    for damage in (b"", b"nonsense"):
        await store._database().write(
            lambda c, data=damage: c.execute("UPDATE blobs SET data = ?", (data,)), CheckpointError
        )
        with pytest.raises(CheckpointError, match=f"{name[:12]} .* is damaged"):
            await store.content(name)
    await store.aclose()


async def test_contents_are_kept_once_and_dropped_with_their_last_checkpoint(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.db"
    store = SqliteCheckpointStore(path)
    for name in ("c1", "c2"):
        same = FileState(sha256(b"same").hexdigest())
        states = {"/a": same, "/b": same, f"/{name}": ABSENT}
        await store.put(Checkpoint(name, name, "t1", states, 1.0), {same.sha256: b"same"})

    def blobs() -> int:
        with connect(path) as connection:
            count: int = connection.execute("SELECT count(*) FROM blobs").fetchone()[0]
            return count

    assert blobs() == 1
    await store.delete("c1")
    assert blobs() == 1
    await store.delete("c2")
    assert blobs() == 0
    await store.aclose()


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    opened: Opened, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    await store.create(INFO)
    await store.aclose()
    broken = (*schema.MIGRATIONS, ("CREATE TABLE added (a)", "CREATE TABLE sessions (a)"))
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    monkeypatch.setattr(schema, "VERSION", len(broken))
    with pytest.raises(SessionError, match="already exists"):
        await opened().list()
    monkeypatch.undo()
    with connect(path) as connection:
        assert (
            connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'added'").fetchall() == []
        )
    assert len(await opened().list()) == 1


async def test_an_earlier_schema_is_brought_up_with_its_sessions(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    await store.create(INFO)
    await store.aclose()
    later = (*schema.MIGRATIONS, ("ALTER TABLE sessions ADD COLUMN tags TEXT DEFAULT ''",))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    monkeypatch.setattr(schema, "VERSION", len(later))
    store = opened()
    assert len(await store.list()) == 1
    tags = "SELECT tags FROM sessions"
    assert await store._database().read(lambda c: c.execute(tags).fetchall(), SessionError) == [
        ("",)
    ]


def test_a_lock_file_that_is_unlinked_while_it_is_taken_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from victor.storage import holds

    first, second = holds.Holds(tmp_path), holds.Holds(tmp_path)
    first.take("s1")
    status = os.fstat

    def drop_first(descriptor: int) -> os.stat_result:
        """The owner leaves between the second's open and its look at the file."""
        monkeypatch.undo()
        next(tmp_path.iterdir()).unlink()
        return status(descriptor)

    first.drop("s1")
    monkeypatch.setattr(holds.os, "fstat", drop_first)
    second.take("s1")
    with pytest.raises(SessionError):
        first.take("s1")
    second.drop_all()
    second.drop("s1")
    first.take("s1")
    first.drop_all()
