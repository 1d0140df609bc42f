"""A policy brought down to the files that there are: what may be written, and what never."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from victor.guarded import AT_HOME, PROTECTED
from victor.protocols import SandboxPolicy
from victor.safety.git_places import guarded_at, guarded_inside, is_repository, named_in


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Absolute paths without symbolic links in them. Of nested ones the deeper holds."""

    writable: tuple[Path, ...] = ()
    protected: tuple[Path, ...] = ()
    """In writable folders, and not to be changed or, where it does not exist, made."""
    pinned: tuple[Path, ...] = ()
    """Folders on the way to what is protected or hidden; moved away, they would take it along."""
    frozen: tuple[Path, ...] = ()
    """Folders in which nothing may come, go or be renamed: a link cannot be protected alone."""
    hidden: tuple[Path, ...] = ()
    """Existing, and not to be read."""


Look: TypeAlias = Callable[[Path], Iterable[Path]]
"""Returns what is to be protected in the folders inside of a workspace."""


def boundaries(
    policy: SandboxPolicy, home: Path, secrets: tuple[Path, ...], look: Look = guarded_inside
) -> Boundaries:
    """Return the boundaries of `policy` as the files are now. `secrets` are hidden besides."""
    writable = tuple(dict.fromkeys(_real(path) for path in policy.writable if path.is_dir()))
    settled = _Settled(writable)
    for root in writable:
        for path in (*guarded_at(root), *look(root)):
            settled.add(path)
        for config in (home / ".gitconfig", home / ".config/git/config"):
            for path in named_in(config, (root,)):
                settled.add(path)
    at_home = (home / name for name in (*PROTECTED, *AT_HOME))
    hidden: dict[Path, None] = {}
    for path in (*at_home, *policy.protected):
        settled.add(path)
    for path in (*policy.hidden, *secrets):
        real = _real(path)
        if real in writable:
            continue
        if os.path.lexists(real):
            hidden[real] = None
            settled.pin(real)
        else:
            # In a writable folder it could be made, such as `~/.ssh` with keys that open it.
            settled.add(path)
    covers = frozenset(hidden)

    def seen(path: Path) -> bool:
        """Whether it is not hidden: a writable folder in a hidden one is seen all the same."""
        root = settled.root(path)
        return not any(
            one in covers and (root is None or one.is_relative_to(root))
            for one in (path, *path.parents)
        )

    return Boundaries(
        writable,
        tuple(path for path in settled.protected if seen(path)),
        tuple(path for path in settled.pinned if seen(path) and settled.open(path)),
        tuple(path for path in settled.frozen if seen(path) and settled.open(path)),
        tuple(hidden),
    )


class _Settled:
    """Collects what is protected, by what is found on the way to it."""

    def __init__(self, writable: tuple[Path, ...]) -> None:
        self._writable = writable
        self.protected: dict[Path, None] = {}
        self.pinned: dict[Path, None] = {}
        self.frozen: dict[Path, None] = {}

    def add(self, path: Path, depth: int = 0) -> None:
        """Protect `path` in whichever writable folder it is; elsewhere nothing is to be done."""
        path = Path(os.path.normpath(path))
        if not path.is_absolute() or depth > 40:
            return
        # The parent may be reached through a link above the writable folder.
        path = path if self.root(path) else _real(path.parent) / path.name
        root = self.root(path)
        if root is None or path == root:
            return
        here = root
        for part in path.relative_to(root).parts:
            folder, here = here, here / part
            if folder != root:
                self.pinned[folder] = None
            kind = _kind(here)
            if kind == stat.S_IFLNK:
                self.frozen[folder] = None
                self.add(_real(here) / path.relative_to(here), depth + 1)
                return
            if kind != stat.S_IFDIR:
                break
        if here.name != ".git" or not here.is_dir() or not is_repository(here):
            self.protected[here] = None
        else:
            # Commits are made in it; what decides there is protected piece by piece.
            self.pinned[here] = None

    def pin(self, path: Path) -> None:
        """Keep the folders on the way to `path` where they are, if it is in a writable one."""
        if (root := self.root(path)) is not None:
            on_the_way = (one for one in path.parents if root in one.parents)
            self.pinned.update(dict.fromkeys(on_the_way))

    def open(self, path: Path) -> bool:
        """Return whether nothing protects the path as a part of something larger."""
        return not any(one in self.protected for one in (path, *path.parents))

    def root(self, path: Path) -> Path | None:
        """Return the writable folder that the path is in."""
        return next((root for root in self._writable if path.is_relative_to(root)), None)


def covered(root: Path, holes: Iterable[Path]) -> Iterator[Path]:
    """Yield the largest existing paths at and below `root` that hold none of `holes`.

    Symbolic links are left out: what they lead to is elsewhere.
    """
    inside = [hole for hole in holes if hole.is_relative_to(root)]
    if not inside:
        yield root
    elif root not in inside:
        try:
            with os.scandir(root) as entries:
                names = [entry.name for entry in entries if not entry.is_symlink()]
        except OSError:
            return
        for name in names:
            yield from covered(root / name, inside)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _kind(path: Path) -> int:
    """Return the kind of file; 0 where there is none."""
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except OSError:
        return 0
