"""Files as checkpoints know them: read before a call, compared after it, put back by an undo.

Nothing leads out of the workspace, whatever is swapped meanwhile: each folder on the way is opened
from the one above it, to read as well as to write, and a symbolic link among them ends it. What is
put back is written aside and takes its place in one move.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from victor.beneath import folder_beneath, read_beneath
from victor.errors import CheckpointError
from victor.protocols import ABSENT, Change, FileState, Kept, ReadContent, folder_state
from victor.storage.file_diff import unified

T = TypeVar("T")

MOST_BYTES = 20 * 1024 * 1024
"""A larger file is not kept."""
MOST_DIFFED = 200
"""Files that a diff shows; of more it tells the number."""

_INLINE_BYTES = 256 * 1024
"""Up to here reading and hashing is cheaper than a thread."""
_LEFT = (errno.ENOTEMPTY, errno.EEXIST, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)
"""What says that something else is in the way: then a path is left as it is."""
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileImages:
    """The files below `workspace`; of each at most `most_bytes` are kept."""

    def __init__(self, workspace: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._workspace = workspace.resolve()
        self._most_bytes = most_bytes

    async def read(self, paths: tuple[Path, ...]) -> Kept:
        """Return what is at `paths`, to be kept, and at the folders above that are missing.

        A symbolic link is kept as such, and with it the file that it leads to. Relative paths
        start at the workspace.
        """
        return await _where_it_fits(tuple(map(os.fspath, paths)), lambda: self._read(paths))

    async def states(self, paths: tuple[str, ...]) -> Mapping[str, FileState]:
        """Return what is at each path now; those where it cannot be told are left out."""

        def work() -> Mapping[str, FileState]:
            states = ((path, state_of(self._workspace, path)) for path in paths)
            return {path: state for path, state in states if state is not None}

        return await _where_it_fits(paths, work)

    async def restore(self, changes: tuple[Change, ...], content: ReadContent) -> tuple[str, ...]:
        """Make the changes and return the paths that were left as they are.

        Each path changes as a whole, and only while it is in its state `now`. Raises
        `CheckpointError` for what cannot be written; what came before it is restored.
        """
        done: dict[str, bool] = {}
        # What goes, goes first and from below, so that a folder is empty, and its place free.
        for change in sorted(filter(_goes, changes), key=_depth, reverse=True):
            done[change.path] = await asyncio.to_thread(self._attempt, change, ABSENT, b"")
        for change in sorted(changes, key=_depth):
            if change.then.is_absent or not done.get(change.path, True):
                continue
            data = await content(change.then.sha256) if _needs_content(change) else b""
            if change.path in done:
                change = Change(change.path, ABSENT, change.then)
            done[change.path] = await asyncio.to_thread(self._attempt, change, change.then, data)
        return tuple(change.path for change in changes if not done[change.path])

    async def diff(self, changes: tuple[Change, ...], content: ReadContent) -> str:
        """Return what the changes would make of the files, as a unified diff."""
        shown: list[str] = []
        for change in changes[:MOST_DIFFED]:
            then = await content(change.then.sha256) if _needs_content(change) else b""
            shown.append(await asyncio.to_thread(self._diff, change, then))
        if len(changes) > MOST_DIFFED:
            shown.append(f"... and {len(changes) - MOST_DIFFED} more files\n")
        return "".join(shown)

    def _read(self, paths: tuple[Path, ...]) -> Kept:
        states: dict[str, FileState] = {}
        contents: dict[str, bytes] = {}
        skipped: dict[str, None] = {}
        for path in paths:
            try:
                for name, state, content in self._found(path):
                    if states.setdefault(name, state) is state and content is not None:
                        contents[state.sha256] = content
            except CheckpointError as error:
                skipped[str(error)] = None
            except OSError as error:
                skipped[f"{path}: {error.strerror}"] = None
        return Kept(states, contents, tuple(skipped))

    def _found(self, path: Path) -> Iterator[tuple[str, FileState, bytes | None]]:
        """Yield what is at the path, what it leads to, and the folders above that are missing.

        Raises `CheckpointError` for what is not kept.
        """
        path = self._workspace / path
        place = _resolved(path.parent) / path.name
        if not place.is_relative_to(self._workspace):
            raise CheckpointError(f"{place}: outside the workspace")
        state, content = self._at(place)
        if state.is_absent:
            yield from ((str(above), ABSENT, None) for above in _missing(place.parent))
        yield str(place), state, content
        target = _resolved(place)
        inside = target.is_relative_to(self._workspace)
        if state.link and inside and not target.is_symlink() and not target.is_dir():
            yield from self._found(target)

    def _at(self, place: Path) -> tuple[FileState, bytes | None]:
        """Return what is there, with its content if it is a file. Raises `CheckpointError`."""
        try:
            with folder_beneath(self._workspace, place.parent) as folder:
                found = _entry(folder, place.name)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT, None
        if found is None:
            raise CheckpointError(f"{place}: neither a file nor a folder")
        if isinstance(found, FileState):
            return found, None
        with found as file:
            status = os.fstat(file.fileno())
            if status.st_size > self._most_bytes:
                size = f"{status.st_size} bytes, more than the {self._most_bytes} that are kept"
                raise CheckpointError(f"{place}: {size}")
            content = file.read()
        return FileState(sha256_of(content), stat.S_IMODE(status.st_mode)), content

    def _attempt(self, change: Change, then: FileState, data: bytes) -> bool:
        """Let the path become `then`; return whether it did. Raises `CheckpointError`."""
        path = Path(change.path)
        if not path.is_relative_to(self._workspace):
            return False
        try:
            make = change.now.is_absent and not then.is_absent
            with folder_beneath(self._workspace, path.parent, make=make) as folder:
                if _state_in(folder, path.name) != change.now:
                    return False
                _put(folder, path.name, change.now, then, data)
        except (FileExistsError, FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno in _LEFT:
                return False
            raise CheckpointError(
                f"Cannot restore {change.path}: {error.strerror}.",
                hint="Make it writable, or make room on its disk, then do it again.",
            ) from error
        return True

    def _diff(self, change: Change, then: bytes) -> str:
        name = os.path.relpath(change.path, self._workspace)
        if change.now.is_folder or change.then.is_folder:
            return f"Folder {name} {'goes' if change.now.is_folder else 'comes back'}\n"
        modes = (change.now.mode, change.then.mode)
        said = ""
        if change.now.sha256 and change.then.sha256 and modes[0] != modes[1]:
            said = f"Permissions of {name}: {modes[0]:04o} become {modes[1]:04o}\n"
        if change.now.content == change.then.content:
            return said
        return said + unified(name, self._shown(change), _content(change.then, then))

    def _shown(self, change: Change) -> bytes | None:
        """Return what a diff shows of what is there now."""
        if not change.now.sha256:
            return _content(change.now, b"")
        with contextlib.suppress(OSError):
            return read_beneath(self._workspace, Path(change.path), self._most_bytes)
        return b""


def state_of(root: Path, path: str) -> FileState | None:
    """Return what is at the path, below `root`; None where it cannot be told."""
    place = Path(path)
    try:
        with folder_beneath(root, place.parent) as folder:
            return _state_in(folder, place.name)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError:
        return None


def sha256_of(content: bytes) -> str:
    """Return the sha256 of the content, in hexadecimal digits."""
    from hashlib import sha256

    return sha256(content).hexdigest()


def _state_in(folder: int, name: str) -> FileState | None:
    """Return the state of the entry; None for pipes, sockets and devices. Raises `OSError`."""
    try:
        found = _entry(folder, name)
    except FileNotFoundError:
        return ABSENT
    if found is None or isinstance(found, FileState):
        return found
    from hashlib import file_digest

    with found as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        return FileState(file_digest(file, "sha256").hexdigest(), mode)


def _entry(folder: int, name: str) -> FileState | BufferedReader | None:
    """Return the state of a link or a folder, the opened file, or None for anything else.

    Raises `OSError`.
    """
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return FileState.link_to(os.readlink(name, dir_fd=folder))
    if stat.S_ISDIR(status.st_mode):
        return folder_state(stat.S_IMODE(status.st_mode))
    if not stat.S_ISREG(status.st_mode):
        return None
    file = os.fdopen(os.open(name, _READING, dir_fd=folder), "rb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    # Swapped since it was looked at.
    file.close()
    return None


def _resolved(path: Path) -> Path:
    # `Path.resolve` fails on links that lead to themselves.
    return Path(os.path.realpath(path))


def _missing(folder: Path) -> list[Path]:
    """Return the folder and those above it that are not there, the highest first."""
    missing = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = folder.parent
    return missing[::-1]


def _goes(change: Change) -> bool:
    """Return whether the path has to be free before anything comes there."""
    there, comes = change.now, change.then
    if there.is_absent:
        return False
    return comes.is_absent or there.is_folder != comes.is_folder


def _depth(change: Change) -> tuple[int, str]:
    return change.path.count(os.sep), change.path


def _needs_content(change: Change) -> bool:
    return bool(change.then.sha256) and change.then.sha256 != change.now.sha256


def _put(folder: int, name: str, now: FileState, then: FileState, data: bytes) -> None:
    """Make the entry of the opened folder what `then` says. Raises `OSError`.

    `now` is what it is; where that is nothing, only a free place is taken.
    """
    if then.is_absent:
        _remove(folder, name, now)
    elif now.content == then.content:
        _set_mode(folder, name, then.mode)
    elif then.is_folder:
        os.mkdir(name, dir_fd=folder)
        _set_mode(folder, name, then.mode)
    else:
        aside = _written_aside(folder, then, data)
        try:
            if now.is_absent:
                _move_to_free_place(folder, aside, name)
            else:
                os.replace(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside, dir_fd=folder)


def _remove(folder: int, name: str, now: FileState) -> None:
    if now.is_folder:
        os.rmdir(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _set_mode(folder: int, name: str, mode: int) -> None:
    # Opened and not named, as a link in its place would be followed.
    descriptor = os.open(name, _READING, dir_fd=folder)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _move_to_free_place(folder: int, aside: str, name: str) -> None:
    """Raises `FileExistsError` if the place is taken."""
    try:
        os.link(aside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems know no second names; there a look has to do.
        if _exists(folder, name):
            raise FileExistsError(name) from None
        os.replace(aside, name, src_dir_fd=folder, dst_dir_fd=folder)


def _exists(folder: int, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return True
    return False


def _written_aside(folder: int, then: FileState, data: bytes) -> str:
    """Return the name of a new file or link in the folder, to take a place in one move."""
    aside = f".victor-{os.urandom(8).hex()}"
    if then.link:
        os.symlink(then.link, aside, dir_fd=folder)
        return aside
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(aside, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), then.mode)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(aside, dir_fd=folder)
        raise
    return aside


def _content(state: FileState, content: bytes) -> bytes | None:
    if state.is_absent:
        return None
    return os.fsencode(state.link) if state.link else content


async def _where_it_fits(paths: tuple[str, ...], work: Callable[[], T]) -> T:
    """Do `work` on the files here if they are small, else in a thread."""
    size = 0
    for path in paths:
        with contextlib.suppress(OSError):
            size += os.stat(path).st_size  # noqa: PTH116 - half the time of Path.stat
    return work() if size <= _INLINE_BYTES else await asyncio.to_thread(work)
