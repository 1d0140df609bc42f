"""What a command changed in the workspace: looked at before it runs, and again afterwards.

The first look reads every file, later ones only those that look different from before. Ignored and
untracked files count like all others. Left out is what programs make again by themselves, marked
as such or known by name, and what version control keeps for itself.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from victor.errors import CheckpointError
from victor.protocols import ABSENT, Changed, FileState, Kept, folder_state
from victor.storage.file_images import MOST_BYTES, sha256_of, state_of
from victor.storage.shadow import Known, Look, Shadow

T = TypeVar("T")

LEFT_OUT = frozenset({".git", ".hg", ".svn", ".jj", "node_modules", "__pycache__"})
"""Folders that are not looked into."""
MARKERS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})
"""A folder that holds one of these can be made again: a virtual environment, a cache."""
MOST_FILES = 50_000
MOST_KEPT_BYTES = 1024 * 1024 * 1024
MOST_SECONDS = 20.0
"""For how long new contents are read in one look; the next look goes on."""
NAMED = 5
"""How many names a note tells before it only counts."""

_FRESH_NANOSECONDS = 2_000_000_000
"""A file that changed as recently as this may change again and look the same: clocks are coarse."""
_BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a workspace is covered."""

    files: int = MOST_FILES
    file_bytes: int = MOST_BYTES
    bytes: int = MOST_KEPT_BYTES
    """Together, as they are on the disk."""
    seconds: float = MOST_SECONDS


@dataclass(slots=True)
class _Seen:
    """The workspace at one moment."""

    started: int
    """Nanoseconds since the epoch."""
    looks: dict[str, Look] = field(default_factory=dict)
    """Of each file, folder and link."""
    shas: dict[str, str] = field(default_factory=dict)
    """Of each file whose content is kept."""
    links: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)
    complete: bool = True

    def state(self, path: str) -> FileState | None:
        """Return what was there; None where its content is not kept."""
        look = self.looks.get(path)
        if look is None:
            return ABSENT
        mode = stat.S_IMODE(look[0])
        if stat.S_ISDIR(look[0]):
            return folder_state(mode)
        if path in self.links:
            return FileState.link_to(self.links[path])
        sha256 = self.shas.get(path)
        return None if sha256 is None else FileState(sha256, mode)


class WorkspaceWatch:
    """Watches the folder `root`; `shadow` keeps the contents, which is another place."""

    def __init__(
        self,
        root: Path,
        shadow: Shadow,
        *,
        apart: tuple[Path, ...] = (),
        limits: Limits | None = None,
    ) -> None:
        """`apart`: folders that are not looked into, such as the one that the shadow is in."""
        self._root = os.path.realpath(root)
        self._apart = frozenset(os.path.realpath(folder) for folder in apart)
        self._shadow = shadow
        self._limits = limits or Limits()
        self._known: dict[str, Known] = {}
        self._opened = False
        self._begun: dict[str, _Seen] = {}
        self._lock = asyncio.Lock()

    async def begin(self, name: str) -> tuple[str, ...]:
        """Keep the workspace as it is, and return what of it is not covered, with the reason.

        Raises `CheckpointError`.
        """
        seen = await self._in_thread(self._look)
        self._begun[name] = seen
        return self._uncovered(seen)

    async def end(self, name: str) -> Changed:
        """Return what has changed since `begin` of this name. Raises `CheckpointError`."""
        before = self._begun.pop(name, None)
        if before is None:
            raise CheckpointError(f"The workspace was not watched as {name!r}.")
        return await self._in_thread(lambda: self._changed(before))

    async def aclose(self) -> None:
        """Release the copy."""
        self._begun.clear()
        self._opened = False
        async with self._lock:
            await asyncio.to_thread(self._shadow.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._lock:
            try:
                return await asyncio.to_thread(work)
            except CheckpointError:
                # What was known of the copy may not hold any more.
                self._opened = False
                raise

    def _look(self) -> _Seen:
        """Walk the workspace, and read what is not known yet."""
        if not self._opened:
            self._known = self._shadow.known()
            self._opened = True
        seen = _Seen(time.time_ns())
        for path, look in self._walk(seen):
            seen.looks[path] = look
            if stat.S_ISLNK(look[0]):
                seen.links[path] = _target(path)
        self._read(seen)
        return seen

    def _walk(self, seen: _Seen) -> Iterator[tuple[str, Look]]:
        """Yield what is in the workspace, what is higher up first."""
        device = os.lstat(self._root).st_dev
        folders = [self._root]
        count = 0
        for folder in folders:
            for entry in _entries(folder, seen, at_top=folder == self._root):
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if self._is_apart(entry, status, device):
                        seen.left_out[entry.path] = None
                        continue
                    folders.append(entry.path)
                elif not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
                    continue
                count += 1
                if count > self._limits.files:
                    seen.complete = False
                    return
                yield entry.path, _look_of(status)

    def _is_apart(self, entry: os.DirEntry[str], status: os.stat_result, device: int) -> bool:
        return entry.name in LEFT_OUT or status.st_dev != device or entry.path in self._apart

    def _read(self, seen: _Seen) -> None:
        """Find the content of each file, reading those that look different from before."""
        known = self._known
        fresh: dict[str, Known] = {}
        waiting: dict[str, bytes] = {}
        room = self._limits.bytes
        size = 0
        until = time.monotonic() + self._limits.seconds
        for path, look in seen.looks.items():
            if not stat.S_ISREG(look[0]) or look[1] > self._limits.file_bytes:
                continue
            room -= look[1]
            was = known.get(path)
            if was is not None and was[0] == look and not _is_fresh(look, seen.started):
                seen.shas[path] = was[1]
                continue
            if room < 0 or time.monotonic() > until:
                continue
            content = _content(path)
            if content is None or len(content) > self._limits.file_bytes:
                continue
            sha256 = sha256_of(content)
            seen.shas[path] = sha256
            fresh[path] = (look, sha256)
            waiting[sha256] = content
            size += len(content)
            if size > _BATCH_BYTES:
                self._shadow.keep(waiting)
                waiting, size = {}, 0
        self._note(seen, fresh, waiting)

    def _note(self, seen: _Seen, fresh: dict[str, Known], contents: Mapping[str, bytes]) -> None:
        known = self._known
        if contents:
            self._shadow.keep(contents)
        gone = [path for path in known if path not in seen.looks] if seen.complete else []
        changed = {path: now for path, now in fresh.items() if known.get(path) != now}
        if changed or gone:
            self._shadow.note(changed, gone)
        for path in gone:
            del known[path]
        known.update(fresh)

    def _changed(self, before: _Seen) -> Changed:
        after = self._look()
        states: dict[str, FileState] = {}
        left: dict[str, FileState] = {}
        contents: dict[str, bytes] = {}
        unknown: list[str] = []
        root = Path(self._root)
        for path in _different(before, after):
            was = before.state(path)
            # What is not covered any more is not gone for that.
            now = (after.state(path) if path in after.looks else None) or state_of(root, path)
            if was is not None and was.sha256 and was != now:
                content = self._shadow.content(was.sha256)
                if content is None:
                    was = None
                else:
                    contents[was.sha256] = content
            if was is None:
                unknown.append(path)
            elif was != now:
                states[path] = was
                if now is not None:
                    left[path] = now
        skipped = (*self._uncovered(before), *self._not_kept(unknown))
        return Changed(Kept(states, contents, skipped), left)

    def _uncovered(self, seen: _Seen) -> tuple[str, ...]:
        notes = []
        if seen.left_out:
            names = [os.path.relpath(path, self._root) for path in seen.left_out]
            notes.append(f"{_named(names)}: what commands do there is not kept")
        if not seen.complete:
            notes.append(f"{self._root}: only the first {self._limits.files:,} entries are kept")
        return tuple(notes)

    def _not_kept(self, paths: list[str]) -> tuple[str, ...]:
        if not paths:
            return ()
        names = [os.path.relpath(path, self._root) for path in paths]
        return (f"{_named(names)}: changed by a command, and too large or too much to be kept",)


def _entries(folder: str, seen: _Seen, *, at_top: bool) -> list[os.DirEntry[str]]:
    """Return what is in the folder; nothing where it can be made again, or cannot be read."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        seen.left_out[folder] = None
        return []
    if not at_top and any(entry.name in MARKERS for entry in entries):
        seen.left_out[folder] = None
        return []
    return entries


def _look_of(status: os.stat_result) -> Look:
    if stat.S_ISDIR(status.st_mode):
        # A folder's times tell of its entries, which are looked at themselves.
        return (status.st_mode, 0, 0, 0, 0)
    return (
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    )


def _is_fresh(look: Look, now: int) -> bool:
    return look[3] > now - _FRESH_NANOSECONDS


def _different(before: _Seen, after: _Seen) -> Iterator[str]:
    """Yield what may have changed, of what was covered before."""
    for path, look in before.looks.items():
        if after.looks.get(path) != look or before.shas.get(path) != after.shas.get(path):
            yield path
    if before.complete:
        outside = tuple(f"{folder}{os.sep}" for folder in before.left_out)
        for path in after.looks:
            if path not in before.looks and not path.startswith(outside):
                yield path


def _content(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()
    except OSError:
        return None


def _target(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
