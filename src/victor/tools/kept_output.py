"""What is kept of a long output: its beginning and end in memory, the rest in a file."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

KEPT_BYTES = 1_000_000
"""Of an output, in memory: half of it from the beginning, half from the end."""
FILE_BYTES = 20_000_000
"""Of an output, in a file."""
UNREAD_BYTES = 100_000
"""Of what was printed since somebody last looked."""
DAYS = 7
"""Files older than this are removed when another one is made."""

OpenFile: TypeAlias = Callable[[], tuple[Path, BinaryIO]]
"""Makes the file for an output that turns out to be long. Raises `OSError`."""


class KeptOutput:
    """The beginning and the end of a stream of bytes, and a file with more of it."""

    def __init__(self, limit: int = KEPT_BYTES, open_file: OpenFile | None = None) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._unread = bytearray()
        self._dropped = 0
        self._open_file = open_file
        self._file: BinaryIO | None = None
        self.path = ""
        """The file that holds more; empty while there is none."""
        self.total = 0
        """Bytes that came."""

    def add(self, data: bytes) -> None:
        """Take more of the stream."""
        if self.total + len(data) > 2 * self._half:
            self._spill(data)
        self.total += len(data)
        self._unread += data
        del self._unread[:-UNREAD_BYTES]
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._half:
            self._trim()

    def result(self) -> tuple[bytes, int, int]:
        """Return (what is kept, bytes left out, where they are left out)."""
        if len(self._tail) > self._half:
            self._trim()
        return bytes(self._head + self._tail), self._dropped, len(self._head)

    def unread(self) -> bytes:
        """Return what came since the last time that this was asked, or the end of it."""
        unread = bytes(self._unread)
        self._unread.clear()
        return unread

    def close(self) -> None:
        """Close the file; what is kept stays."""
        self._open_file = None
        if self._file is not None:
            self._file.close()

    def _spill(self, data: bytes) -> None:
        """Write to the file, which begins with what came before. Without one, do nothing."""
        if self._open_file is not None:
            open_file, self._open_file = self._open_file, None
            with contextlib.suppress(OSError):
                path, self._file = open_file()
                self.path = str(path)
                self._file.write(self._head + self._tail)
        if self._file is not None and not self._file.closed:
            with contextlib.suppress(OSError):
                self._file.write(data[: max(0, FILE_BYTES - self.total)])

    def _trim(self) -> None:
        excess = len(self._tail) - self._half
        del self._tail[:excess]
        self._dropped += excess


def file_in(folder: Path, name: str) -> OpenFile:
    """Return what opens a new file of this name in `folder`, which only its owner may read."""

    def open_file() -> tuple[Path, BinaryIO]:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _prune(folder)
        file = folder / f"{name}.txt"
        while file.exists():
            file = file.with_stem(f"{file.stem}_")
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        return file, os.fdopen(descriptor, "wb")

    return open_file


def _prune(folder: Path) -> None:
    oldest = time.time() - DAYS * 86_400
    for file in folder.glob("shell-*.txt"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()
