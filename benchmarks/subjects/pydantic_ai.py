"""pydantic-ai: its own function model, and the history passed from run to run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai import Agent, ModelResponse, TextPart, Tool, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

from benchmarks.script import TOOL, TOOL_DESCRIPTION, Script


class _PydanticAI:
    def __init__(self, script: Script) -> None:
        async def answer(messages: list[Any], _: Any) -> ModelResponse:
            if script.seconds:
                await asyncio.sleep(script.seconds)
            if script.calls and not isinstance(messages[-1].parts[-1], ToolReturnPart):
                return ModelResponse(
                    [
                        ToolCallPart(TOOL, f'{{"at": "{index}"}}', script.next_id())
                        for index in range(script.calls)
                    ]
                )
            return ModelResponse([TextPart(script.answer)])

        async def stream(_: list[Any], __: Any) -> AsyncIterator[str]:
            for piece in script.chunks():
                yield piece

        async def look(at: str) -> str:
            return script.look(at)

        self._agent = Agent(
            FunctionModel(answer, stream_function=stream),
            tools=[Tool(look, name=TOOL, description=TOOL_DESCRIPTION)],
        )
        self._history: list[Any] = []

    async def turn(self, text: str) -> str:
        result = await self._agent.run(text, message_history=self._history)
        self._history = result.all_messages()
        return result.output

    async def stream(self, text: str) -> int:
        async with self._agent.run_stream(text, message_history=self._history) as result:
            pieces = result.stream_text(delta=True, debounce_by=None)
            arrived = sum([len(piece) async for piece in pieces])
        self._history = result.all_messages()
        return arrived


def open_conversation(script: Script) -> _PydanticAI:
    return _PydanticAI(script)
