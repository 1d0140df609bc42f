"""What reading all of a database brings to light."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from victor.errors import SessionError
from victor.messages import user
from victor.protocols import Record, SessionInfo
from victor.storage.database import acquire, release
from victor.storage.holds import drop_stale, held_elsewhere, stale_locks
from victor.storage.inspection import has_reset_race, problems, version
from victor.storage.salvage import salvage
from victor.storage.schema import VERSION
from victor.storage.sqlite import SqliteSessionStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    store = SqliteSessionStore(tmp_path / "s.db")
    await store.create(SessionInfo("s1", "", "/w", "p", "m", 1.0, 1.0))
    await store.create(SessionInfo("empty", "", "/w", "p", "m", 1.0, 1.0))
    for number in range(3):
        await store.append("s1", Record("user", f"t{number}", user("hello")))
    await store.aclose()
    return tmp_path / "s.db"


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


async def test_a_whole_database_has_no_problems(path: Path) -> None:
    assert problems(path) == ()
    assert version(path) == VERSION


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM records WHERE position = 2", "session 's1' has 2 of its 3 records"),
        ("DELETE FROM records WHERE position = 1", "record 2 of session 's1' is damaged or gone"),
        ("UPDATE records SET body = '{}'", "record 1 of session 's1' is damaged or gone"),
        ("UPDATE sessions SET records = 1", "session 's1' has 3 of its 1 records"),
        ("INSERT INTO records VALUES (9, 9, 0, 'user', 't', 1, '{}', 0)", "row of records"),
        (f"PRAGMA user_version = {VERSION + 1}", "newer version"),
    ],
)
async def test_what_is_missing_or_changed_is_told(path: Path, statement: str, told: str) -> None:
    change(path, statement)
    assert told in problems(path)[0]


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    file.write_text("not at all a database " * 100)
    assert problems(file) == ("file is not a database",)
    file.unlink()
    with pytest.raises(SessionError, match="cannot be looked through: unable to open"):
        problems(file)


async def test_a_repair_says_why_it_cannot_have_the_file_for_itself(tmp_path: Path) -> None:
    (tmp_path / "s.db.locks" / "writer").mkdir(parents=True)
    with pytest.raises(SessionError, match="cannot be repaired") as refused:
        await salvage(tmp_path / "s.db")
    assert "writable" in refused.value.hint


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "Free some space"), (errno.EROFS, "writable")]
)
async def test_what_the_system_refuses_comes_with_its_remedy(
    path: Path, number: int, remedy: str
) -> None:
    def refused() -> None:
        raise OSError(number, os.strerror(number), "some.lock")

    database = acquire(path, patience=1.0)
    with pytest.raises(SessionError, match=os.strerror(number)) as told:
        await database.call(refused, SessionError)
    await release(database)
    assert "some.lock" not in str(told.value)
    assert remedy in told.value.hint


async def test_lock_files_are_stale_when_nobody_holds_them(path: Path) -> None:
    store = SqliteSessionStore(path)
    await store.open("s1")
    (path.with_name("s.db.locks") / "abandoned.lock").write_text("1")
    assert [file.name for file in stale_locks(path)] == ["abandoned.lock"]
    assert drop_stale(path) == 1
    assert stale_locks(path) == ()
    assert held_elsewhere(path).isdigit()
    await store.aclose()
    assert held_elsewhere(path) == ""


@pytest.mark.parametrize(
    ("found", "has_it"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_which_versions_of_sqlite_have_the_race(found: tuple[int, ...], has_it: bool) -> None:
    assert has_reset_race(found) is has_it
