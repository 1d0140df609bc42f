"""Analytics on a console: one line for each event."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TextIO

from victor.protocols.analytics import AnalyticsEvent, ExportResult


class ConsoleAnalyticsExporter:
    """Writes each event as one line to `stream`, the process's stderr where it is None."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
        """Write the batch, off the event loop: a console may be a pipe that nobody reads."""
        text = "".join(f"{_line(event)}\n" for event in events)
        try:
            await asyncio.to_thread(self._write, text)
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            return ExportResult(success=False, error=f"cannot write to the console: {error}")
        return ExportResult(success=True, exported_count=len(events))

    def _write(self, text: str) -> None:
        stream = self._stream or sys.stderr
        stream.write(text)
        stream.flush()


def _line(event: AnalyticsEvent) -> str:
    # JSON escapes the control characters that a name could bring onto a terminal.
    figures = (f"{key}={json.dumps(value, default=str)}" for key, value in event.data.items())
    session = json.dumps(event.session_id)
    return " ".join(("analytics", event.name, f"session={session}", *figures))
