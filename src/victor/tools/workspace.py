"""The folder that file tools are confined to, and what in it is worth looking at."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from victor.beneath import open_beneath
from victor.config.files import config_folder, data_folder
from victor.errors import WorkspaceError
from victor.guarded import plain_path, secrets
from victor.tools.ignore import IgnoreRules
from victor.tools.names import TooManyFiles, identity, other_names

NEAR_NAMES = 5
_SEARCHED_FOR_NAMES = 5_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST, _LONGEST_NAME = 4_000, 255
Hides: TypeAlias = Callable[[str], bool]
"""Says of a file's name whether a rule keeps it from being shown."""
_OF_THE_KERNEL = tuple(map(Path, ("/dev", "/proc", "/sys")))
"""No files, though they look like some: they tell of processes, keys in their environment too."""

Folders: TypeAlias = Callable[[], tuple[Path, ...]]
"""Returns folders as they are at that moment."""


def _sealed(root: Path) -> tuple[Path, ...]:
    """Return what is in no workspace, also where it lies below `root`.

    That is Victor's own folders, since who writes there gives permissions and trusts projects; and
    the keys and tokens of a home folder that is the workspace, or in it.
    """
    own = tuple(Path(os.path.realpath(folder)) for folder in (config_folder(), data_folder()))
    try:
        home = Path(os.path.realpath(Path.home()))
    except RuntimeError:
        return (*_OF_THE_KERNEL, *own)
    if not home.is_relative_to(root):
        return (*_OF_THE_KERNEL, *own)
    kept = secrets(home, own)
    return tuple(dict.fromkeys((*_OF_THE_KERNEL, *kept, *map(Path, map(os.path.realpath, kept)))))


class Workspace:
    """A resolved root folder. Files below `readable` may be read, too, and never written.

    So may files below the resolved folders that `own` returns, which may be others later.
    """

    def __init__(self, root: Path, readable: tuple[Path, ...] = (), own: Folders = tuple) -> None:
        self.root = Path(os.path.realpath(root))
        self._readable = tuple(Path(os.path.realpath(folder)) for folder in readable)
        self._own = own
        self._linked: dict[tuple[int, ...], tuple[Path, ...]] = {}
        """The names of files that have several, by the state of each."""
        self._sealed = {one: f"{plain_path(str(one))}/" for one in _sealed(self.root)}
        self._closed = frozenset(one for one in self._sealed if one.is_relative_to(self.root))

    def resolve(self, path: str) -> Path:
        """Return the absolute path, symlinks followed, of something in the workspace.

        It need not exist. Raises `WorkspaceError` for what leads outside.
        """
        return self._confined(path, (self.root,))

    def resolve_readable(self, path: str) -> Path:
        """Like `resolve`, but the folders that may be read count as inside."""
        return self._confined(path, (self.root, *self._readable, *self._own()))

    def existing(self, path: str, hides: Hides | None = None) -> Path:
        """Return `resolve_readable(path)` of something that exists.

        Raises `WorkspaceError`, with names that are near and not hidden; with none where nothing
        tells what is hidden.
        """
        found = self.resolve_readable(path)
        try:
            exists = found.exists()
        except OSError as error:
            raise WorkspaceError(f"{path} cannot be looked at: {error.strerror}.") from error
        if not exists:
            near = "" if hides is None else self._near(found, hides)
            raise WorkspaceError(f"There is no {path!r} in the workspace.{near}")
        return found

    def file(self, path: str, hides: Hides | None = None) -> Path:
        """Return `existing(path, hides)` of a regular file.

        Raises `WorkspaceError` for anything else.
        """
        found = self.existing(path, hides)
        if found.is_dir():
            raise WorkspaceError(f"{path} is a folder. Use list to see what is in it.")
        if not found.is_file():
            raise WorkspaceError(f"{path} is no regular file, so it is not opened.")
        return found

    def folder(self, path: str, hides: Hides | None = None) -> Path:
        """Return `existing(path, hides)` of a folder. Raises `WorkspaceError` for anything else."""
        found = self.existing(path, hides)
        if not found.is_dir():
            raise WorkspaceError(f"{path} is a file, not a folder.")
        return found

    def name(self, path: Path) -> str:
        """Return how a path is told to the model: relative to the root where it is inside."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return str(path)

    def names(self, path: str) -> tuple[str, ...]:
        """Return every name of what a call opens at `path`, as `name` tells them.

        That is how it is called without links, what is written, and its other names in the
        workspace, the hard links. Blocks where it has such. Raises `WorkspaceError`, and
        `TooManyFiles` where they cannot be told.
        """
        found = self.resolve_readable(path)
        written = Path(os.path.normpath(self.root / path))
        names = [self.name(found)]
        if written.is_relative_to(self.root):
            names.append(self.name(written))
        return tuple(dict.fromkeys((*names, *map(self.name, self._links(found)))))

    def closed(self, path: Path) -> bool:
        """Return whether it lies below the workspace, and no tool opens it all the same."""
        within = any(path.is_relative_to(one) for one in self._closed)
        return within or self._has_closed_name(path)

    def _links(self, file: Path) -> tuple[Path, ...]:
        try:
            status = file.lstat()
        except OSError:
            return ()
        if status.st_nlink < 2 or not stat.S_ISREG(status.st_mode):
            return ()
        # Another name changes the last of these.
        state = (*identity(status), status.st_nlink, status.st_ctime_ns)
        if state not in self._linked:
            self._linked[state] = (file, *other_names(self.root, file))
        return tuple(path for path in self._linked[state] if path != file)

    def root_of(self, path: Path) -> Path:
        """Return the folder that a resolved path is confined to: the root, or a readable one."""
        roots = (self.root, *self._readable, *self._own())
        return next((root for root in roots if path.is_relative_to(root)), self.root)

    @contextmanager
    def entries(self, folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        """Look into a resolved folder, following no link that turns up on the way.

        Raises `OSError`.
        """
        with _opened(self.root_of(folder), folder) as descriptor, os.scandir(descriptor) as found:
            yield found

    def files(self, start: Path) -> Iterator[Path]:
        """Yield the regular files below `start`, or `start` itself, that are not ignored.

        In order of their names, folder by folder. Symlinks and `.git` are left out.
        """
        if start.is_file():
            yield start
            return
        with suppress(OSError), _opened(self.root_of(start), start) as folder:
            yield from _walk(folder, start, self.ignore_rules(start), self._closed)

    def ignore_rules(self, folder: Path) -> IgnoreRules:
        """Return what `.gitignore` files say about the entries of `folder`."""
        return IgnoreRules.of(folder, self.root)

    def _confined(self, path: str, roots: tuple[Path, ...]) -> Path:
        if not path or "\0" in path:
            raise WorkspaceError("The path is empty or holds a NUL character.")
        if path.startswith("~"):
            raise WorkspaceError(
                f"{path!r} is outside the workspace {self.root}. Give a path inside it."
            )
        if ".." in Path(path).parts:
            raise WorkspaceError(
                f"{path!r} goes up with '..', which is not allowed in the workspace {self.root}."
                " Write the path from the top of the workspace."
            )
        try:
            found = Path(os.path.realpath(self.root / path))
        except (OSError, ValueError) as error:
            raise WorkspaceError(f"{path!r} is no usable path: {error}.") from error
        if len(os.fsencode(found)) > _LONGEST or any(
            len(os.fsencode(part)) > _LONGEST_NAME for part in found.parts
        ):
            raise WorkspaceError(f"{path[:80]!r}... is too long for a path.")
        plain = f"{plain_path(str(found))}/"
        # By a spelling that some file systems take for the same, as `.SSH` for `.ssh`, too.
        sealed = [one for one, name in self._sealed.items() if plain.startswith(name)]
        if not any(
            found.is_relative_to(root) and all(root.is_relative_to(one) for one in sealed)
            for root in roots
        ):
            leads = "" if os.path.isabs(path) else f" leads to {found}, which"  # noqa: PTH117  # a text from the model, which may be no path
            raise WorkspaceError(
                f"{path!r}{leads} is outside the workspace {self.root}. Give a path inside it."
            )
        if self._has_closed_name(found):
            raise WorkspaceError(f"{path!r} is another name of a file that no tool opens.")
        return found

    def _has_closed_name(self, file: Path) -> bool:
        if not self._closed:
            return False
        try:
            names = self._links(file)
        except TooManyFiles:
            return True
        return any(name.is_relative_to(one) for name in names for one in self._closed)

    def _names(self, folder: Path) -> set[str]:
        try:
            with self.entries(folder) as entries:
                return {entry.name for entry in entries}
        except OSError:
            return set()

    def _near(self, missing: Path, hides: Hides) -> str:
        """Return a sentence that lists names like that of `missing`; empty if there are none."""
        files = islice(self.files(self.root), _SEARCHED_FOR_NAMES)
        same_name = [self.name(file) for file in files if file.name == missing.name]
        folder = missing.parent
        beside = {name: self.name(folder / name) for name in sorted(self._names(folder))}
        shown = [name for name, whole in beside.items() if not hides(whole)]
        close = difflib.get_close_matches(missing.name, shown, NEAR_NAMES)
        near = [name for name in same_name if not hides(name)][:NEAR_NAMES]
        near = list(dict.fromkeys((*near, *(beside[name] for name in close))))
        if near:
            return f" Near names: {', '.join(near[:NEAR_NAMES])}."
        if folder.is_dir():
            return ""
        return f" Its folder {self.name(folder)!r} does not exist either."


@contextmanager
def _opened(root: Path, folder: Path) -> Iterator[int]:
    """Open the folder, to list it. Raises `OSError`."""
    descriptor = open_beneath(root, folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _walk(folder: int, path: Path, rules: IgnoreRules, closed: frozenset[Path]) -> Iterator[Path]:
    for entry in _entries(folder):
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name == ".git" or rules.ignore(entry.name, is_folder=is_folder):
            continue
        here = path / entry.name
        if here in closed:
            continue
        if is_folder:
            try:
                below = os.open(entry.name, _FOLDER, dir_fd=folder)
            except OSError:
                continue
            try:
                yield from _walk(below, here, rules.below(entry.name), closed)
            finally:
                os.close(below)
        elif _is_regular(entry):
            yield here


def _entries(folder: int) -> list[os.DirEntry[str]]:
    """Return what is in the open folder, by name; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError:
        return []


def _is_regular(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return False
