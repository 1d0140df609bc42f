"""agno: its history passed from run to run.

Of the two ways tried the faster one: with its session store in memory, 500 turns take minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agno.agent import Agent
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse
from agno.run.agent import RunOutput

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
        self._agent = Agent(model=_Model(script), tools=[look], telemetry=False)
        self._history: list[Message] = []

    async def turn(self, text: str) -> str:
        return self._remembered(await self._agent.arun(self._asked(text)))

    async def stream(self, text: str) -> int:
        arrived = 0
        async for event in self._agent.arun(
            self._asked(text), stream=True, yield_run_response=True
        ):
            if isinstance(event, RunOutput):
                self._remembered(event)
            else:
                arrived += len(event.content or "")
        return arrived

    def _asked(self, text: str) -> list[Message]:
        return [*self._history, Message(role="user", content=text)]

    def _remembered(self, run: RunOutput) -> str:
        self._history = [message for message in run.messages if message.role != "system"]
        return run.content


def open_conversation(script: Script) -> _Agno:
    return _Agno(script)
