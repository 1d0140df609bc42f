"""Where things are kept, and for whose eyes."""

from __future__ import annotations

import stat
from pathlib import Path

import platformdirs
import pytest

from victor.errors import SessionError
from victor.storage.location import (
    checkpoints_database,
    data_folder,
    private_file,
    private_folder,
    sessions_database,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_victor_home_moves_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VICTOR_HOME", "~/elsewhere")
    assert data_folder() == Path.home() / "elsewhere"
    assert sessions_database() == Path.home() / "elsewhere" / "sessions.db"
    assert checkpoints_database() == Path.home() / "elsewhere" / "checkpoints.db"


def test_without_it_the_platform_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VICTOR_HOME")
    assert data_folder() == Path(platformdirs.user_data_dir("victor", appauthor=False))


def test_folders_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    private_file(tmp_path / "a" / "b" / "x.db")
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
    assert mode(tmp_path / "a" / "b" / "x.db") == 0o600


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_text("content")
    path.chmod(0o640)
    private_file(path)
    assert path.read_text() == "content"
    assert mode(path) == 0o640


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    for path in (taken, taken / "deeper"):
        with pytest.raises(SessionError, match=f"folder {path}.*VICTOR_HOME"):
            private_folder(path)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    private_file(tmp_path / "fine")
    with pytest.raises(SessionError, match=f"Cannot open {tmp_path}"):
        private_file(tmp_path / "loop" if _loop(tmp_path) else tmp_path)


def _loop(folder: Path) -> bool:
    (folder / "loop").symlink_to("loop")
    return True
