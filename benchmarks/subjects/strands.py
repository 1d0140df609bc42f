"""Strands Agents: an agent that keeps and sends its whole history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from strands import Agent, tool
from strands.agent.conversation_manager import NullConversationManager
from strands.models import Model

from benchmarks.script import TOOL, TOOL_DESCRIPTION, Script


class _Model(Model):
    def __init__(self, script: Script) -> None:
        self._script = script

    def get_config(self) -> Any:
        return {"model_id": "in-process"}

    def update_config(self, **_: Any) -> None:
        return None

    def structured_output(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: list[Any], *_: Any, **__: Any) -> AsyncIterator[Any]:
        script = self._script
        if script.seconds:
            await asyncio.sleep(script.seconds)
        yield {"messageStart": {"role": "assistant"}}
        wanted = script.calls and "toolResult" not in messages[-1]["content"][0]
        for event in self._calls() if wanted else self._text():
            yield event
        yield {"messageStop": {"stopReason": "tool_use" if wanted else "end_turn"}}
        usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 0}}}

    def _text(self) -> list[Any]:
        deltas = [
            {"contentBlockDelta": {"delta": {"text": piece}}} for piece in self._script.chunks()
        ]
        return [{"contentBlockStart": {"start": {}}}, *deltas, {"contentBlockStop": {}}]

    def _calls(self) -> list[Any]:
        events: list[Any] = []
        for index in range(self._script.calls):
            use = {"name": TOOL, "toolUseId": self._script.next_id()}
            delta = {"toolUse": {"input": f'{{"at": "{index}"}}'}}
            events += (
                {"contentBlockStart": {"start": {"toolUse": use}}},
                {"contentBlockDelta": {"delta": delta}},
                {"contentBlockStop": {}},
            )
        return events


class _Strands:
    def __init__(self, script: Script) -> None:
        @tool(name=TOOL, description=TOOL_DESCRIPTION)
        async def look(at: str) -> str:
            return script.look(at)

        self._agent = Agent(
            model=_Model(script),
            tools=[look],
            callback_handler=None,
            conversation_manager=NullConversationManager(),
        )

    async def turn(self, text: str) -> str:
        result = await self._agent.invoke_async(text)
        return result.message["content"][0]["text"]

    async def stream(self, text: str) -> int:
        events = self._agent.stream_async(text)
        return sum([len(event.get("data", "")) async for event in events])


def open_conversation(script: Script) -> _Strands:
    return _Strands(script)
