"""The least that a turn can be: a list of messages, the model, and its tool calls side by side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from benchmarks.model import InProcessModel
from benchmarks.script import Script
from victor.events import TextDelta, ToolCallDelta
from victor.messages import Message, Part, Request, Role, Text, ToolCall, ToolResult, user


class _Bare:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._model = InProcessModel(script)
        self._messages: list[Message] = []

    async def turn(self, text: str) -> str:
        return await self._run(text, lambda piece: None)

    async def stream(self, text: str) -> int:
        arrived = 0

        def hear(piece: str) -> None:
            nonlocal arrived
            arrived += len(piece)

        await self._run(text, hear)
        return arrived

    async def _run(self, text: str, hear: Callable[[str], None]) -> str:
        self._messages.append(user(text))
        while True:
            texts: list[str] = []
            calls: list[ToolCall] = []
            # A list that grows is handed over as it is: the bare loop copies nothing.
            async for delta in self._model.stream(Request("model", self._messages)):  # type: ignore[arg-type]
                if type(delta) is TextDelta:
                    texts.append(delta.content)
                    hear(delta.content)
                elif type(delta) is ToolCallDelta:
                    calls.append(ToolCall(delta.id, delta.name, json.loads(delta.arguments)))
            said = "".join(texts)
            parts: tuple[Part, ...] = (Text(said), *calls) if said else tuple(calls)
            self._messages.append(Message(Role.ASSISTANT, parts))
            if not calls:
                return said
            results = await asyncio.gather(*[self._look(call) for call in calls])
            self._messages.append(Message(Role.TOOL, tuple(results)))

    async def _look(self, call: ToolCall) -> ToolResult:
        return ToolResult(call.id, self._script.look(**call.arguments))


def open_conversation(script: Script) -> _Bare:
    return _Bare(script)
