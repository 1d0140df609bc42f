"""Whether a log is whole, told without SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from victor.storage.wal_check import damage, frames_of, shm_of, wal_of

HEADER, FRAME, PAGE = 32, 24, 4096


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A database with ten transactions in its log, in use."""
    database = tmp_path / "s.db"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE told (words)")
    for number in range(9):
        connection.execute("INSERT INTO told VALUES (?)", (f"{number}" * 100,))
    copy = tmp_path / "copy.db"
    for part in ("", "-wal", "-shm"):
        (tmp_path / f"copy.db{part}").write_bytes((tmp_path / f"s.db{part}").read_bytes())
    yield copy
    connection.close()


def change(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def test_a_whole_log_is_no_damage(path: Path) -> None:
    frames = list(frames_of(path))
    assert all(frame.valid for frame in frames)
    assert sum(frame.commits for frame in frames) == 10
    assert {len(frame.content) for frame in frames} == {PAGE}
    assert damage(path) == ""
    shm_of(path).unlink()
    assert damage(path) == ""


def test_no_log_and_an_empty_one_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    assert damage(path) == ""
    wal_of(path).write_bytes(b"")
    assert damage(path) == ""


@pytest.mark.parametrize("at", [0, 9, 17, 25, HEADER, HEADER + 9, HEADER + 18, HEADER + FRAME + 5])
def test_a_bit_that_turned_at_the_beginning_is_told(path: Path, at: int) -> None:
    change(wal_of(path), at)
    assert "s.db" not in damage(path)
    assert damage(path).startswith("copy.db-wal is damaged: ")
    assert damage(path).endswith(" pages in it cannot be read")
    shm_of(path).unlink()
    assert "transactions in it cannot be read" in damage(path)


def test_pages_behind_the_damaged_one_are_still_given(path: Path) -> None:
    whole = [frame.content for frame in frames_of(path)]
    change(wal_of(path), HEADER + 2 * (FRAME + PAGE) + 10)
    frames = list(frames_of(path))
    assert [frame.valid for frame in frames[:4]] == [True, True, False, False]
    assert [frame.content for frame in frames[-3:]] == whole[-3:]


@pytest.mark.parametrize("left", [0, 10, HEADER, HEADER + FRAME, 3 * PAGE, -1])
def test_a_log_that_was_cut_off_is_told(path: Path, left: int) -> None:
    wal_of(path).write_bytes(wal_of(path).read_bytes()[:left])
    assert "cannot be read" in damage(path)


def test_shared_memory_that_is_damaged_or_of_another_run_tells_nothing(path: Path) -> None:
    change(shm_of(path), 16)
    assert damage(path) == ""
    shm_of(path).write_bytes(b"\0" * 32_768)
    assert damage(path) == ""


def test_shared_memory_from_before_the_machine_started_tells_nothing(path: Path) -> None:
    wal_of(path).write_bytes(b"")
    assert "cannot be read" in damage(path)
    os.utime(shm_of(path), (1.0, 1.0))
    assert damage(path) == ""


def test_the_last_transaction_alone_may_be_cut_short_where_nothing_says_it_was_committed(
    path: Path,
) -> None:
    shm_of(path).unlink()
    change(wal_of(path), wal_of(path).stat().st_size - 10)
    assert damage(path) == ""
