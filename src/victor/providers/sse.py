"""Server-sent events, and objects of a line each, read from bytes that may be cut anywhere."""

from __future__ import annotations

from typing import NamedTuple

MOST_EVENT_BYTES = 16 * 1024 * 1024
"""What one event may hold, its lines together."""

_BOM = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """One event has more than `MOST_EVENT_BYTES`."""


class ServerEvent(NamedTuple):
    """One event as it was sent."""

    name: str
    """Of the field `event`; empty where there was none."""
    data: bytes
    """Of the fields `data`, joined by line feeds."""


class EventDecoder:
    """Puts events together from pieces of a stream.

    Lines end in LF, CR or CRLF, also in one stream; comments, ids, and a byte order mark at the
    start are passed over. An event without data is none.
    """

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        """Pieces of a line whose end has not come."""
        self._size = 0
        """Bytes that wait: of the partial line and of the event's data."""
        self._after_cr = False
        self._first = True
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Return the events that `piece` completes. Raises `EventTooLarge`."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
        if not piece:
            return []
        lines = piece.splitlines()
        self._after_cr = piece.endswith(b"\r")
        rest = b"" if self._after_cr or piece.endswith(b"\n") else lines.pop()
        events: list[ServerEvent] = []
        for line in lines:
            if self._partial:
                line = b"".join((*self._partial, line))
                self._partial.clear()
            self._line(line, events)
        if rest:
            self._partial.append(rest)
            self._grow(len(rest))
        return events

    def finish(self) -> list[ServerEvent]:
        """Return the event that the end of the stream leaves incomplete, if any."""
        events: list[ServerEvent] = []
        if self._partial:
            self._line(b"".join(self._partial), events)
            self._partial.clear()
        self._line(b"", events)
        return events

    def _line(self, line: bytes, events: list[ServerEvent]) -> None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            self._grow(len(value))
        elif not line:
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                events.append(ServerEvent(self._name, data))
                self._data.clear()
            self._name = ""
            self._size = 0
        elif line.startswith(b"event:"):
            self._name = line[6:].decode("utf-8", "replace").strip()

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MOST_EVENT_BYTES:
            raise EventTooLarge


class LineDecoder:
    """Puts lines together from pieces of a stream; each is the data of an event, empty ones none.

    A byte order mark at the start is passed over.
    """

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        self._size = 0
        self._first = True

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Return the lines that `piece` completes. Raises `EventTooLarge`."""
        *whole, rest = piece.split(b"\n")
        lines = []
        for line in whole:
            lines += self._line(b"".join((*self._partial, line)))
            self._partial.clear()
            self._size = 0
        if rest:
            self._partial.append(rest)
            self._size += len(rest)
        if self._size > MOST_EVENT_BYTES:
            raise EventTooLarge
        return lines

    def finish(self) -> list[ServerEvent]:
        """Return the line that the end of the stream has left without its end, if any."""
        line = b"".join(self._partial)
        self._partial.clear()
        return self._line(line)

    def _line(self, line: bytes) -> list[ServerEvent]:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        line = line.strip()
        return [ServerEvent("", line)] if line else []
