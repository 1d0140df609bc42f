"""The in-process model of Victor and of the bare loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from benchmarks.script import TOOL, Script
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ToolCallDelta
from victor.messages import Request, Role, StopReason, Usage
from victor.protocols import ModelInfo

_USAGE = Usage(input=10, output=5)


class InProcessModel:
    """Answers at once, as the script says."""

    name = "in-process"

    def __init__(self, script: Script) -> None:
        self._script = script
        self._pieces = tuple(TextDelta(piece) for piece in script.chunks())
        self._info = ModelInfo("model", 100_000_000, 8_000, input_price=0.0, output_price=0.0)

    async def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        script = self._script
        if script.seconds:
            await asyncio.sleep(script.seconds)
        if script.calls and request.messages[-1].role is not Role.TOOL:
            for index in range(script.calls):
                yield ToolCallDelta(index, script.next_id(), TOOL, f'{{"at": "{index}"}}')
            yield ReplyFinished(StopReason.TOOL_USE, _USAGE)
            return
        for piece in self._pieces:
            yield piece
        yield ReplyFinished(StopReason.END, _USAGE)

    def model_info(self, model: str) -> ModelInfo:
        return self._info

    async def aclose(self) -> None:
        return None
