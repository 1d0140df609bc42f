"""Opening files below a folder in a way that cannot lead out of it, whatever is swapped meanwhile.

Each folder on the way is opened from the one above it, by its descriptor, and no link is followed:
a path is resolved first, and a link that turns up afterwards was put there to lead elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def folder_beneath(root: Path, folder: Path, *, make: bool = False) -> Iterator[int]:
    """Open the folder, `root` or below it, for use as `dir_fd`; `make` creates what is missing.

    Only `root` may be reached through links. Raises `OSError`: `ENOTDIR` for a link on the way.
    """
    here = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for name in _names(root, folder):
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=here)
            above, here = here, os.open(name, _FOLDER, dir_fd=here)
            os.close(above)
        yield here
    finally:
        os.close(here)


def open_beneath(root: Path, path: Path, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
    """Return a descriptor of what is at `path`, below `root`. It waits for nobody, as at a pipe.

    Raises `OSError`: `ELOOP` or `ENOTDIR` where a link is found.
    """
    if path == root:
        return os.open(root, flags | os.O_CLOEXEC)
    with folder_beneath(root, path.parent) as folder:
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(path.name, flags, mode, dir_fd=folder)


def regular_beneath(root: Path, path: Path) -> BinaryIO | None:
    """Open the regular file at `path` for reading; None where something else is there.

    Raises `OSError`, also where nothing is.
    """
    descriptor = open_beneath(root, path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def read_beneath(root: Path, path: Path, limit: int) -> bytes | None:
    """Return what the regular file holds, at most `limit` bytes; None where there is no such file.

    A link, a folder or a device is none. Raises `OSError` for one that cannot be read.
    """
    try:
        file = regular_beneath(root, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return None
        raise
    if file is None:
        return None
    with file:
        return file.read(limit)


def _names(root: Path, path: Path) -> tuple[str, ...]:
    """Return the names on the way. Raises `OSError` for a path that is not below."""
    try:
        names = path.relative_to(root).parts
    except ValueError:
        names = ("..",)
    if ".." in names:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path))
    return names


def opened_at_once(path: Path) -> BinaryIO:
    """Open a file for reading, links followed, and wait for nobody, as at a pipe.

    Raises `OSError`, also for a pipe or a folder.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISDIR(mode):
        os.close(descriptor)
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a folder"
        raise OSError(errno.EINVAL, f"it is {kind}", str(path))
    return os.fdopen(descriptor, "rb")
