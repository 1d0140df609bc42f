"""Analytics in a file: one JSON object a line."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from victor.protocols.analytics import AnalyticsEvent, ExportResult


class JsonLinesAnalyticsExporter:
    """Appends events to the file at `path`, which it creates readable by its owner alone."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).expanduser()
        self._torn = False

    async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
        """Append the batch, off the event loop. An unwritable file is a failed result."""
        lines = "".join(f"{_line(event)}\n" for event in events).encode()
        try:
            await asyncio.to_thread(self._append, lines)
        except OSError as error:
            return ExportResult(
                success=False, error=f"cannot write {self._path}: {error.strerror or error}"
            )
        return ExportResult(success=True, exported_count=len(events))

    def _append(self, lines: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            # What a full disk cut off must not swallow the first line that follows.
            rest = memoryview(b"\n" + lines if self._torn else lines)
            self._torn = True
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            self._torn = False
        finally:
            os.close(descriptor)


def _line(event: AnalyticsEvent) -> str:
    record = {
        "name": event.name,
        "session_id": event.session_id,
        "timestamp": event.timestamp,
        "data": dict(event.data),
    }
    return json.dumps(record, default=str)
