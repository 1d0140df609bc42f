"""What a tool tells while it runs, at a rate that a person can follow."""

from __future__ import annotations

import asyncio

from victor.events import ToolCallProgressed
from victor.messages import ToolCall
from victor.protocols import Emit

INTERVAL_SECONDS = 0.1
LINE_CHARACTERS = 500


class ToolProgress:
    """Publishes the lines of one call: the first at once, then the latest of each interval."""

    def __init__(self, call: ToolCall, emit: Emit) -> None:
        self._call = call
        self._emit = emit
        self._waiting = ""
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def say(self, line: str) -> None:
        """Take a line; to be called in the thread of the event loop."""
        if self._ended:
            return
        self._waiting = line[:LINE_CHARACTERS]
        if self._timer is None:
            self._publish()

    def end(self) -> None:
        """Drop what has not been told: the result is there."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def _publish(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        line, self._waiting = self._waiting, ""
        self._emit(ToolCallProgressed(self._call, line))
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self._publish)
