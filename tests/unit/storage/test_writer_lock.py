"""One writer at a time, among processes and in one."""

from __future__ import annotations

import errno
import fcntl
import stat
from pathlib import Path
from typing import Any

import pytest

from victor.storage.writer_lock import WriterLock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "writer"


def test_two_do_not_hold_it_at_once_and_one_may_hold_it_twice(file: Path) -> None:
    first, second = WriterLock(file, 1.0), WriterLock(file, 0.01)
    with first.held(), first.held(), pytest.raises(TimeoutError, match="locked"), second.held():
        pass
    with second.held(), pytest.raises(TimeoutError), WriterLock(file, 0.0).held():
        pass
    first.close()
    second.close()
    with first.held():
        pass
    first.close()
    first.close()


def test_it_is_for_its_owner_only(file: Path) -> None:
    lock = WriterLock(file, 1.0)
    with lock.held():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    lock.close()


def test_an_error_gives_it_back(file: Path) -> None:
    first, second = WriterLock(file, 1.0), WriterLock(file, 0.0)
    with pytest.raises(KeyError), first.held():
        raise KeyError
    with second.held():
        pass
    first.close()
    second.close()


def test_where_the_disk_knows_no_locks_sqlites_own_must_do(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    lock = WriterLock(file, 1.0)
    with lock.held():
        pass
    lock.close()
