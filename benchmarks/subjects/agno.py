"""agno: an agent with its session in memory, that sends its whole history."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.base import Model
from agno.models.response import ModelResponse

from benchmarks.script import TOOL, TOOL_DESCRIPTION, Script


class _Model(Model):
    def __init__(self, script: Script) -> None:
        super().__init__(id="in-process", name="in-process", provider="in-process")
        self._script = script

    async def ainvoke(self, messages: list[Any], **_: Any) -> ModelResponse:
        script = self._script
        if script.seconds:
            await asyncio.sleep(script.seconds)
        if self._wants_tools(messages):
            return ModelResponse(role="assistant", tool_calls=self._calls())
        return ModelResponse(role="assistant", content=script.answer)

    async def ainvoke_stream(self, messages: list[Any], **_: Any) -> AsyncIterator[ModelResponse]:
        for piece in self._script.chunks():
            yield ModelResponse(role="assistant", content=piece)

    def _wants_tools(self, messages: list[Any]) -> bool:
        return bool(self._script.calls) and messages[-1].role != "tool"

    def _calls(self) -> list[dict[str, Any]]:
        return [
            {
                "id": self._script.next_id(),
                "type": "function",
                "function": {"name": TOOL, "arguments": f'{{"at": "{index}"}}'},
            }
            for index in range(self._script.calls)
        ]

    def invoke(self, *_: Any, **__: Any) -> ModelResponse:
        raise NotImplementedError

    def invoke_stream(self, *_: Any, **__: Any) -> Iterator[ModelResponse]:
        raise NotImplementedError

    def _parse_provider_response(self, response: Any, **_: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return response


class _Agno:
    def __init__(self, script: Script) -> None:
        async def look(at: str) -> str:
            return script.look(at)

        look.__doc__ = TOOL_DESCRIPTION
        self._agent = Agent(
            model=_Model(script),
            tools=[look],
            db=InMemoryDb(),
            session_id=uuid.uuid4().hex,
            add_history_to_context=True,
            num_history_runs=1_000_000,
            telemetry=False,
        )

    async def turn(self, text: str) -> str:
        return (await self._agent.arun(text)).content

    async def stream(self, text: str) -> int:
        events = self._agent.arun(text, stream=True)
        return sum([len(event.content or "") async for event in events])


def open_conversation(script: Script) -> _Agno:
    return _Agno(script)
