"""Databases of every earlier version, brought up to this one."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from tests.crash import earlier
from tests.crash.child import SESSION

from victor.errors import SessionError
from victor.storage.inspection import problems, version
from victor.storage.schema import VERSION, backup_of
from victor.storage.sqlite import SqliteSessionStore

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("old", range(1, VERSION))
async def test_it_is_brought_up_with_all_that_it_held_and_a_copy_is_kept(
    tmp_path: Path, old: int
) -> None:
    path = tmp_path / "s.db"
    earlier.write(path, old, turns=3)
    store = SqliteSessionStore(path)
    records = await store.load(SESSION)
    (info,) = await store.list()
    await store.aclose()
    assert [record.kind for record in records] == ["user", "reply", "ended"] * 3
    assert (info.title, info.turns, info.input_tokens) == ("Old", 3, 30)
    assert version(path) == VERSION
    assert problems(path) == ()

    copy = backup_of(path, old)
    assert version(copy) == old
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (9,)
    assert list(tmp_path.glob("*.part")) == []


async def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    earlier.write(path)
    backup_of(path, 1).mkdir()
    store = SqliteSessionStore(path)
    with pytest.raises(SessionError, match=r"s\.db"):
        await store.list()
    await store.aclose()
    assert version(path) == 1
    backup_of(path, 1).rmdir()
    assert len(await store.load(SESSION)) == 6
    await store.aclose()


async def test_a_new_database_has_no_earlier_version_to_keep(tmp_path: Path) -> None:
    store = SqliteSessionStore(tmp_path / "s.db")
    await store.list()
    await store.aclose()
    assert [file.name for file in tmp_path.glob("*before*")] == []
