"""Names of files: all that one file has, and all that lead to what must not be shown.

A file has as many names as there are hard links to it, and a rule on one of them is meant for what
it holds. Functions block: they look through the whole folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

MOST_ENTRIES = 1_000_000
"""What is looked through; of a folder with more in it, names cannot be told."""

Identity: TypeAlias = tuple[int, int]
"""What is the same for all names of a file: its device and its number there."""


class TooManyFiles(Exception):
    """The folder holds more than `MOST_ENTRIES`."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What in a folder must not be shown."""

    paths: tuple[Path, ...] = ()
    """Files, and whole folders, by all of their names; no links."""
    linked: frozenset[Identity] = frozenset()
    """The files among them that have further names."""

    def below(self, start: Path) -> int:
        """Return how many of them are `start`, or below it."""
        return sum(path.is_relative_to(start) for path in self.paths)

    def holds(self, file: Path) -> bool:
        """Return whether the file is one of those with further names, by whichever it is named."""
        if not self.linked:
            return False
        try:
            return identity(file.lstat()) in self.linked
        except OSError:
            return True


def identity(status: os.stat_result) -> Identity:
    """Return what tells the file from all others."""
    return status.st_dev, status.st_ino


def other_names(root: Path, file: Path) -> tuple[Path, ...]:
    """Return what else below `root` the regular file is called. Raises `TooManyFiles`."""
    try:
        status = file.lstat()
    except OSError:
        return ()
    if not stat.S_ISREG(status.st_mode) or status.st_nlink < 2:
        return ()
    return tuple(path for path in _named(root, frozenset({identity(status)})) if path != file)


def hidden_below(root: Path, hides: Callable[[str], bool]) -> Hidden:
    """Return what is hidden below `root`, resolved; `hides` is asked for each relative path.

    A link by a hidden name hides what it leads to. Raises `TooManyFiles`.
    """
    found: dict[Path, None] = {}
    linked: set[Identity] = set()
    for entry, name, within in _hidden(root, hides):
        path = root / name
        if entry.is_symlink():
            path = Path(os.path.realpath(path))
            if within or path == root or not path.is_relative_to(root) or not path.exists():
                continue
        if not within:
            found[path] = None
        if (identity_of := _linked(path)) is not None:
            linked.add(identity_of)
    if linked:
        found |= dict.fromkeys(_named(root, frozenset(linked)))
    return Hidden(tuple(found), frozenset(linked))


def _hidden(
    root: Path, hides: Callable[[str], bool]
) -> Iterator[tuple[os.DirEntry[str], str, bool]]:
    """Yield what is hidden with its relative path, and whether it is within a hidden folder."""
    folders: set[str] = set()
    for entry, name in _entries(root):
        within = name.rpartition("/")[0] in folders
        if within or hides(name):
            yield entry, name, within
            if entry.is_dir(follow_symlinks=False):
                folders.add(name)


def _named(root: Path, wanted: frozenset[Identity]) -> Iterator[Path]:
    """Yield every name of these files."""
    for entry, _ in _entries(root):
        if entry.is_file(follow_symlinks=False) and _linked(path := Path(entry.path)) in wanted:
            yield path


def _entries(root: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield all that is below with its relative path, a folder before what is in it."""
    folders, seen = [""], 0
    while folders:
        folder = folders.pop()
        for entry in _listed(root / folder):
            seen += 1
            if seen > MOST_ENTRIES:
                raise TooManyFiles
            name = f"{folder}{entry.name}"
            yield entry, name
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{name}/")


def _listed(folder: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return tuple(entries)
    except OSError:
        return ()


def _linked(path: Path) -> Identity | None:
    """Return what the file is; None where it is none, or has no further name."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return identity(status) if stat.S_ISREG(status.st_mode) and status.st_nlink > 1 else None
