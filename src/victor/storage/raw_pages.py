"""Rows as they stand in the pages of an SQLite file and its log, whatever else is damaged.

Tables keep their rows in leaf pages that can be read one by one, without the tree above them. What
a page says is taken with care: it may be damaged, too. The format is that of
https://www.sqlite.org/fileformat.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from victor.storage.wal_check import frames_of

Value: TypeAlias = "int | float | str | bytes | None"

_HEADER_BYTES = 100
_LEAF = 0x0D
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of an integer, by serial type."""
_LARGEST_ROW = 256 * 1024 * 1024


def rows(path: Path) -> Iterator[tuple[int, tuple[Value, ...]]]:
    """Yield each row that can be read, with its number; those most to be trusted come last.

    A row may come several times, as it was and as it is.
    """
    file = _File(path)
    for number, content in file.images():
        yield from _rows_of(file, number, content)


class _File:
    """The pages of a file, and newer ones in its log."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        frames = tuple(frames_of(path))
        # Victor's pages have no reserved bytes at their ends: all of a page holds content.
        self.size = len(frames[0].content) if frames else _page_size(self._data)
        self._suspect = [(frame.page, frame.content) for frame in frames if not frame.valid]
        self._newer = [(frame.page, frame.content) for frame in frames if frame.valid]
        self._latest = {**dict(self._suspect), **dict(self._newer)}

    def images(self) -> Iterator[tuple[int, bytes]]:
        """Yield every page, and each of its states that is left, with its number."""
        yield from self._suspect
        for number in range(1, len(self._data) // self.size + 1):
            yield number, self._stored(number)
        yield from self._newer

    def overflow(self, number: int, length: int) -> bytes:
        """Return as many bytes of a row as go on from that page. Raises `ValueError`."""
        parts: list[bytes] = []
        while length > 0:
            page = self._latest.get(number) or self._stored(number)
            if not number or len(page) < self.size:
                raise ValueError("a row goes on in a page that is not there")
            part = page[4 : 4 + length]
            parts.append(part)
            length -= len(part)
            number = int.from_bytes(page[:4], "big")
        return b"".join(parts)

    def _stored(self, number: int) -> bytes:
        return self._data[(number - 1) * self.size : number * self.size]


def _page_size(data: bytes) -> int:
    size = int.from_bytes(data[16:18], "big")
    size = 65_536 if size == 1 else size
    return size if 512 <= size <= 65_536 and not size & (size - 1) else 4096


def _rows_of(file: _File, number: int, content: bytes) -> Iterator[tuple[int, tuple[Value, ...]]]:
    start = _HEADER_BYTES if number == 1 else 0
    if len(content) < start + 8 or content[start] != _LEAF:
        return
    cells = int.from_bytes(content[start + 3 : start + 5], "big")
    for index in range(cells):
        pointer = content[start + 8 + 2 * index : start + 10 + 2 * index]
        try:
            yield _row(file, content, int.from_bytes(pointer, "big"))
        except (ValueError, IndexError, struct.error):
            # This row is damaged; its neighbours need not be.
            continue


def _row(file: _File, content: bytes, at: int) -> tuple[int, tuple[Value, ...]]:
    length, at = _varint(content, at)
    number, at = _varint(content, at)
    if not 0 < length < _LARGEST_ROW:
        raise ValueError("no row is of that length")
    usable = file.size
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if length <= most:
        return number, _values(content[at : at + length])
    here = least + (length - least) % (usable - 4)
    here = here if here <= most else least
    following = int.from_bytes(content[at + here : at + here + 4], "big")
    rest = file.overflow(following, length - here)
    return number, _values(content[at : at + here] + rest)


def _values(payload: bytes) -> tuple[Value, ...]:
    end, at = _varint(payload, 0)
    if not at <= end <= len(payload):
        raise ValueError("the row has no head")
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        value, at = _value(payload, at, kind)
        values.append(value)
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    size = _INTEGERS.get(kind) or (8 if kind == 7 else (kind - 12) // 2)
    data = payload[at : at + size]
    if kind in (10, 11) or size < 0 or len(data) < size:
        raise ValueError("the row is cut short")
    at += size
    if kind in _INTEGERS:
        return int.from_bytes(data, "big", signed=True), at
    if kind == 7:
        return struct.unpack(">d", data)[0], at
    return (data.decode() if kind & 1 else data), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count in range(9):
        byte = data[at + count]
        if count == 8:
            value = value << 8 | byte
            break
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    at += count + 1
    return (value - (1 << 64) if value >= 1 << 63 else value), at
