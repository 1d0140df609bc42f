"""Places held for what must not come into being: something to mount over must exist.

A place is held by an empty folder, which git does not see and which can be removed again without
any loss; in git's own folder, by a file that changes nothing. It is there as long as a confined
process runs. What a killed Victor left behind is removed by the next one: each process keeps a list
of what it holds, locked as long as it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from victor.beneath import folder_beneath, read_beneath

_ROOT = Path("/")
FILES = {"commondir": b".\n", "config.worktree": b""}
"""Where git wants a file: what makes it do as it does without one. The first says: here."""


class Placeholders:
    """The places that this process holds, listed in `folder`, which other processes share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: Counter[Path] = Counter()
        self._list: int | None = None
        self._own = folder / f"{os.getpid()}-{os.urandom(4).hex()}.held"
        self._here = threading.Lock()

    def hold(self, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """Hold those of `paths` that are missing, and return them; to be released. Blocks shortly.

        Raises `OSError`, and then holds nothing more than before.
        """
        if not paths:
            return ()
        held: list[Path] = []
        with self._alone():
            others = self._of_others()
            try:
                for path in paths:
                    if path in self._held or path in others or not os.path.lexists(path):
                        self._held[path] += 1
                        held.append(path)
                        self._write()
                        _make(path)
            except OSError:
                self._let_go(tuple(held), others)
                raise
        return tuple(held)

    def release(self, paths: tuple[Path, ...]) -> None:
        """Hold them no longer. What nobody else holds is removed, unless something came into it."""
        if not paths:
            return
        with self._alone():
            self._let_go(paths, self._of_others())

    def tidy(self) -> None:
        """Remove what processes that were killed have left. Raises `OSError`."""
        if any(self._folder.glob("*.held")):
            with self._alone():
                self._of_others()

    def _let_go(self, paths: tuple[Path, ...], others: frozenset[Path]) -> None:
        for path in paths:
            self._held[path] -= 1
            if self._held[path] <= 0:
                del self._held[path]
                if path not in others:
                    _remove(path)
        self._write()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads and processes from changing places meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._here, (self._folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _of_others(self) -> frozenset[Path]:
        """Return what other living processes hold, removing what dead ones left."""
        alive: set[Path] = set()
        for file in self._folder.glob("*.held"):
            if file == self._own:
                continue
            with contextlib.suppress(OSError), file.open("r+b") as listed:
                paths = _read(listed.read())
                try:
                    fcntl.flock(listed, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    alive.update(paths)
                    continue
                for path in paths - self._held.keys():
                    _remove(path)
                file.unlink()
        return frozenset(alive)

    def _write(self) -> None:
        if self._list is None:
            self._list = os.open(self._own, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._list, fcntl.LOCK_EX)
        data = json.dumps([str(path) for path in self._held]).encode()
        os.pwrite(self._list, data, 0)
        os.ftruncate(self._list, len(data))
        if not self._held:
            self.close()

    def close(self) -> None:
        """Give up the list. What is held stays until another process finds the list unlocked."""
        if self._list is not None:
            if not self._held:
                self._own.unlink(missing_ok=True)
            os.close(self._list)
            self._list = None


def _read(data: bytes) -> set[Path]:
    try:
        return {Path(text) for text in json.loads(data)}
    except (ValueError, TypeError):
        return set()


def _make(path: Path) -> None:
    """Raises `OSError`, also where a link is on the way: then it would be made elsewhere."""
    content = FILES.get(path.name)
    with folder_beneath(_ROOT, path.parent) as folder:
        if content is None:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path.name, dir_fd=folder)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with contextlib.suppress(FileExistsError):
            file = os.open(path.name, flags, 0o644, dir_fd=folder)
            os.write(file, content)
            os.close(file)


def _remove(path: Path) -> None:
    """Remove a placeholder. What is none any more stays."""
    content = FILES.get(path.name)
    with contextlib.suppress(OSError), folder_beneath(_ROOT, path.parent) as folder:
        if content is None:
            os.rmdir(path.name, dir_fd=folder)
        elif read_beneath(_ROOT, path, len(content) + 1) == content:
            os.unlink(path.name, dir_fd=folder)
