"""LangChain: `create_agent` on LangGraph, with its checkpoints in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.memory import InMemorySaver

from benchmarks.script import TOOL, TOOL_DESCRIPTION, Script


class _Model(BaseChatModel):
    script: Any

    @property
    def _llm_type(self) -> str:
        return "in-process"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        script = self.script
        if script.seconds:
            await asyncio.sleep(script.seconds)
        if script.calls and not isinstance(messages[-1], ToolMessage):
            calls = [
                {"name": TOOL, "args": {"at": str(index)}, "id": script.next_id()}
                for index in range(script.calls)
            ]
            return _result(AIMessage("", tool_calls=calls))
        return _result(AIMessage(script.answer))


class _StreamingModel(_Model):
    """Apart, because LangChain streams every model that can, also where nobody listens."""

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for piece in self.script.chunks():
            yield ChatGenerationChunk(message=AIMessageChunk(piece))


class _LangChain:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._checkpoints = InMemorySaver()
        self._agent = self._made(_Model)
        self._streaming: Any = None
        self._config: Any = {"configurable": {"thread_id": "1"}}

    async def turn(self, text: str) -> str:
        state = await self._agent.ainvoke(_asked(text), self._config)
        return state["messages"][-1].content

    async def stream(self, text: str) -> int:
        if self._streaming is None:
            self._streaming = self._made(_StreamingModel)
        pieces = self._streaming.astream(_asked(text), self._config, stream_mode="messages")
        return sum([len(piece.content) async for piece, _ in pieces])

    def _made(self, model: type[_Model]) -> Any:
        async def look(at: str) -> str:
            return self._script.look(at)

        tool = StructuredTool.from_function(coroutine=look, name=TOOL, description=TOOL_DESCRIPTION)
        return create_agent(
            model(script=self._script), tools=[tool], checkpointer=self._checkpoints
        )


def _asked(text: str) -> Any:
    return {"messages": [{"role": "user", "content": text}]}


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def open_conversation(script: Script) -> _LangChain:
    return _LangChain(script)
