"""Changing files: all of them, or none."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from victor.errors import WorkspaceError
from victor.tools.document import read_bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one file."""

    path: Path
    name: str
    """What it is called in errors."""
    before: bytes | None
    """What it holds until now; None where there is no such file."""
    after: bytes | None
    """What it shall hold; None where it shall be gone."""
    mode: int | None = None
    """Permissions, where it is not to keep its own."""


def commit(changes: tuple[Change, ...]) -> None:
    """Make the changes, each file at once and whole; permissions are kept, folders created.

    Raises `WorkspaceError` where one cannot be made or a file is no longer as it was before; then
    every file is as it was.
    """
    aside: dict[Path, Path] = {}
    folders: list[Path] = []
    modes: dict[Path, int] = {}
    done: list[Change] = []
    name = ""
    try:
        for change in changes:
            name = change.name
            modes[change.path] = _check(change)
            if change.after is not None:
                folders += _make_folders(change.path.parent)
                aside[change.path] = _write_aside(change)
        for change in changes:
            name = change.name
            _put(change, aside)
            done.append(change)
    except OSError as error:
        _roll_back(done, modes, folders)
        raise WorkspaceError(
            f"{name} cannot be written: {error.strerror}. What was there is unchanged."
        ) from error
    except WorkspaceError:
        _roll_back(done, modes, folders)
        raise
    finally:
        for temporary in aside.values():
            with contextlib.suppress(OSError):
                temporary.unlink()


def _check(change: Change) -> int:
    """Return the permissions of the file; 0 where there is none, as there should be.

    Raises `WorkspaceError` where it is not as it was, `OSError` where it may not be written.
    """
    try:
        status = change.path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if change.before is None:
            return 0
        raise WorkspaceError(f"{change.name} is gone; nothing was changed.") from None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    if change.before is None:
        raise WorkspaceError(f"{change.name} exists already; nothing was changed.")
    if not status.st_mode & 0o222 or not os.access(change.path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    if read_bytes(change.path, change.name) != change.before:
        raise WorkspaceError(f"{change.name} has just been changed by others; nothing was done.")
    return stat.S_IMODE(status.st_mode)


def _make_folders(folder: Path) -> list[Path]:
    """Create the folder with those above it, and return the ones that were not there."""
    missing = list(_missing(folder))
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _missing(folder: Path) -> Iterator[Path]:
    while not folder.exists():
        yield folder
        folder = folder.parent


def _write_aside(change: Change) -> Path:
    """Write what the file shall hold beside it, durably, and return where."""
    path, data = change.path, change.after or b""
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(6)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if change.mode is not None:
                os.fchmod(handle, change.mode)
            elif change.before is not None:
                _make_alike(handle, path.stat())
            os.fsync(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _make_alike(handle: int, status: os.stat_result) -> None:
    """Give the open file the permissions and, where that is allowed, the owner of another."""
    own = os.fstat(handle)
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        with contextlib.suppress(OSError):
            os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, stat.S_IMODE(status.st_mode))


def _put(change: Change, aside: dict[Path, Path]) -> None:
    if change.after is None:
        change.path.unlink()
    else:
        aside[change.path].replace(change.path)
        del aside[change.path]


def _roll_back(done: list[Change], modes: dict[Path, int], folders: list[Path]) -> None:
    """Put back what was there. Raises `WorkspaceError` where that fails, naming the file."""
    lost: list[str] = []
    for change in reversed(done):
        try:
            if change.before is None:
                change.path.unlink()
            else:
                mode = modes[change.path]
                back = Change(change.path, change.name, None, change.before, mode)
                _write_aside(back).replace(change.path)
        except OSError:
            lost.append(change.name)
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
    if lost:
        raise WorkspaceError(
            f"The change failed halfway, and {', '.join(lost)} could not be put back."
        )
