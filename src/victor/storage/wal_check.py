"""Whether a database's write-ahead log is whole, told from its bytes before SQLite opens it.

A log goes on from where a process died, up to its first frame that is not valid: what was committed
behind a damaged one, SQLite drops without a word. The file that processes share beside the log
(`-shm`) says how many frames were committed; where there is none, frames of later transactions
behind a damaged one give it away. The formats are those of https://www.sqlite.org/walformat.html.
"""

from __future__ import annotations

import struct
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_INDEX = struct.Struct("=IIIBBHIIIIII II".replace(" ", ""))
_MAGIC = 0x377F0682
"""Checksums are of little-endian words; with the lowest bit set, of big-endian ones."""
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Frame:
    """One page in the log."""

    page: int
    """Counted from 1."""
    commits: bool
    """Whether it ends a transaction."""
    content: bytes
    valid: bool
    """Whether it, and all before it, are as they were written."""


def wal_of(path: Path) -> Path:
    """Return the path of the database's write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def shm_of(path: Path) -> Path:
    """Return the path of the database's shared memory."""
    return path.with_name(f"{path.name}-shm")


def damage(path: Path) -> str:
    """Return what is wrong with the log of the database at `path`; empty if nothing is.

    Other processes may be writing: what they have committed does not change under this look.
    """
    for _ in range(3):
        before = _committed(path)
        frames = tuple(frames_of(path))
        if before == _committed(path):
            return _verdict(path, frames, before)
    return ""


def frames_of(path: Path) -> Iterator[Frame]:
    """Yield the frames of the log's present run, those that are not valid among them."""
    data = _bytes(wal_of(path))
    if len(data) < _HEADER.size + _FRAME.size:
        return
    magic, _, size, _, *salts, _, _ = _HEADER.unpack_from(data)
    words = "little" if not magic & 1 else "big"
    sums = _checksum(data[:24], (0, 0), words)
    valid = magic & ~1 == _MAGIC and sums == _HEADER.unpack_from(data)[6:]
    if not valid:
        # The first frame tells what a damaged header does not.
        size, salts = _guessed(data)
    if size < 512 or size > 65_536 or size & (size - 1):
        return
    for start in range(_HEADER.size, len(data) - _FRAME.size - size + 1, _FRAME.size + size):
        page, commits, *own, first, second = _FRAME.unpack_from(data, start)
        content = data[start + _FRAME.size : start + _FRAME.size + size]
        current = own == salts
        if valid:
            sums = _checksum(data[start : start + 8] + content, sums, words)
            valid = current and page > 0 and sums == (first, second)
        if current and page > 0:
            yield Frame(page, bool(commits), content, valid)
        elif not _more_to_come(data, start + _FRAME.size + size, size, salts):
            return


def _more_to_come(data: bytes, start: int, size: int, salts: list[int]) -> bool:
    """Return whether the frame behind a foreign one is of this run: that one is damaged then."""
    if start + _FRAME.size > len(data):
        return False
    return list(_FRAME.unpack_from(data, start)[2:4]) == salts


def _guessed(data: bytes) -> tuple[int, list[int]]:
    """Return page size and salts as the frames have them."""
    salts = list(_FRAME.unpack_from(data, _HEADER.size)[2:4])
    for power in range(9, 17):
        start = _HEADER.size + _FRAME.size + 2**power
        if start + _FRAME.size > len(data) and start != len(data):
            break
        if start == len(data) or list(_FRAME.unpack_from(data, start)[2:4]) == salts:
            return 2**power, salts
    return 4096, salts


def _verdict(path: Path, frames: tuple[Frame, ...], committed: tuple[int, ...] | None) -> str:
    valid = sum(frame.valid for frame in frames)
    name = wal_of(path).name
    if committed is not None:
        count, *salts = committed
        lost = count - valid
        same = _salts(path)
        if lost > 0 and (same == salts or not frames or not frames[0].valid):
            return f"{name} is damaged: {lost} of the {count} pages in it cannot be read"
        return ""
    # A transaction is only begun when the one before is on the disk.
    behind = sum(frame.commits for frame in frames[valid:])
    if behind > 1:
        return f"{name} is damaged: at least {behind} transactions in it cannot be read"
    return ""


def _committed(path: Path) -> tuple[int, ...] | None:
    """Return how many frames are committed, and the log's salts; None where nothing tells."""
    data = _bytes(shm_of(path))[:96]
    if len(data) < 96 or data[:48] != data[48:96] or not _since_boot(shm_of(path)):
        return None
    fields = _INDEX.unpack_from(data)
    if _checksum(data[:40], (0, 0), sys.byteorder) != fields[-2:] or not fields[6]:
        return None
    return (fields[6], *struct.unpack_from(">2I", data, 32))


def _since_boot(path: Path) -> bool:
    """Return whether the file was written since the machine started.

    Shared memory is not synced: what is left of it from before may be older than the log.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    try:
        return path.stat().st_mtime > time.time() - time.clock_gettime(clock)
    except OSError:
        return False


def _salts(path: Path) -> list[int]:
    data = _bytes(wal_of(path))[: _HEADER.size]
    return list(_HEADER.unpack(data)[4:6]) if len(data) == _HEADER.size else []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    words = array("I", data)
    if order != sys.byteorder:
        words.byteswap()
    first, second = start
    pairs = iter(words)
    for one, other in zip(pairs, pairs, strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
