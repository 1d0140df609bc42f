"""Changing files: all of them, or none."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from victor.beneath import folder_beneath, regular_beneath
from victor.errors import WorkspaceError


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


def commit(changes: tuple[Change, ...], root: Path) -> None:
    """Make the changes, each file at once and whole; permissions are kept, folders created.

    All of it happens below `root`, in the folders that were there when it began, whatever is put in
    their place meanwhile. A file with other names keeps its content under those. Raises
    `WorkspaceError` where a change cannot be made or a file is no longer as it was before; then
    every file is as it was.
    """
    places: dict[Path, _Place] = {}
    made: list[Path] = []
    done: list[Change] = []
    name = ""
    with contextlib.ExitStack() as stack:
        try:
            for change in changes:
                name = change.name
                mode = _check(change, root)
                made += () if change.after is None else _missing(change.path.parent)
                folder = stack.enter_context(
                    folder_beneath(root, change.path.parent, make=change.after is not None)
                )
                place = places[change.path] = _Place(folder, change.path.name, mode)
                if change.after is not None:
                    place.write_aside(change.after, change.mode)
            for change in changes:
                name = change.name
                places[change.path].put(change.after)
                done.append(change)
        except OSError as error:
            _roll_back(done, places, root, made)
            raise WorkspaceError(
                f"{name} cannot be written: {error.strerror}. What was there is unchanged."
            ) from error
        except WorkspaceError:
            _roll_back(done, places, root, made)
            raise
        finally:
            for place in places.values():
                place.forget_aside()


@dataclass(slots=True)
class _Place:
    """A name in an open folder."""

    folder: int
    name: str
    mode: int | None
    """Permissions of the file there; None where there is none."""
    aside: str = ""
    """What shall take the place, beside it; empty where nothing does."""

    def write_aside(self, data: bytes, mode: int | None = None) -> None:
        """Write beside the file what it shall hold, durably. Raises `OSError`."""
        self.aside = f".{self.name[:50]}.{secrets.token_hex(6)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(self.aside, flags, 0o666, dir_fd=self.folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(handle, mode)
            elif self.mode is not None:
                self._make_alike(handle)
            os.fsync(handle)

    def put(self, after: bytes | None) -> None:
        """Let what was written aside take the place; without any, remove what is there."""
        if after is None:
            os.unlink(self.name, dir_fd=self.folder)
        else:
            os.replace(self.aside, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            self.aside = ""

    def forget_aside(self) -> None:
        """Remove what was written aside and is not wanted after all."""
        if self.aside:
            with contextlib.suppress(OSError):
                os.unlink(self.aside, dir_fd=self.folder)
            self.aside = ""

    def _make_alike(self, handle: int) -> None:
        """Give the open file the permissions of the other; where that is allowed, also its owner.

        And its extended attributes, such as access lists and labels.
        """
        own = os.fstat(handle)
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
            if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
                with contextlib.suppress(OSError):
                    os.fchown(handle, status.st_uid, status.st_gid)
        os.fchmod(handle, self.mode or 0)
        if sys.platform.startswith("linux"):
            with contextlib.suppress(OSError):
                self._copy_attributes(handle)

    def _copy_attributes(self, handle: int) -> None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        other = os.open(self.name, flags, dir_fd=self.folder)
        try:
            for attribute in os.listxattr(other):
                with contextlib.suppress(OSError):
                    os.setxattr(handle, attribute, os.getxattr(other, attribute))
        finally:
            os.close(other)


def _check(change: Change, root: Path) -> int | None:
    """Return the permissions of the file; None where there is none, as there should be.

    Raises `WorkspaceError` where it is not as it was, `OSError` where it may not be written.
    """
    try:
        file = regular_beneath(root, change.path)
    except FileNotFoundError:
        if change.before is None:
            return None
        raise WorkspaceError(f"{change.name} is gone; nothing was changed.") from None
    if file is None:
        raise OSError(errno.EINVAL, "it is no regular file")
    with file:
        status = os.fstat(file.fileno())
        if change.before is None:
            raise WorkspaceError(f"{change.name} exists already; nothing was changed.")
        if not status.st_mode & 0o222 or not os.access(change.path, os.W_OK):
            raise PermissionError(errno.EACCES, "it is read-only")
        if file.read(len(change.before) + 1) != change.before:
            raise WorkspaceError(
                f"{change.name} has just been changed by others; nothing was done."
            )
    return stat.S_IMODE(status.st_mode)


def _missing(folder: Path) -> Iterator[Path]:
    while not folder.exists():
        yield folder
        folder = folder.parent


def _roll_back(
    done: list[Change], places: dict[Path, _Place], root: Path, made: list[Path]
) -> None:
    """Put back what was there. Raises `WorkspaceError` where that fails, naming the file."""
    lost: list[str] = []
    for place in places.values():
        # Folders that were made for it can only go when they are empty.
        place.forget_aside()
    for change in reversed(done):
        place = places[change.path]
        try:
            if change.before is not None:
                place.write_aside(change.before, place.mode)
            place.put(change.before)
        except OSError:
            lost.append(change.name)
    for folder in made:
        with contextlib.suppress(OSError), folder_beneath(root, folder.parent) as above:
            os.rmdir(folder.name, dir_fd=above)
    if lost:
        raise WorkspaceError(
            f"The change failed halfway, and {', '.join(lost)} could not be put back."
        )
