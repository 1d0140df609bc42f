"""The OpenAI Agents SDK: its history passed from run to run, its tracing off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from agents import (
    Agent,
    FunctionTool,
    Model,
    ModelResponse,
    RunConfig,
    Runner,
    Usage,
    function_tool,
)
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
)

from benchmarks.script import TOOL, TOOL_DESCRIPTION, Script


class _Model(Model):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def get_response(self, *_: Any, **asked: Any) -> ModelResponse:
        script = self._script
        if script.seconds:
            await asyncio.sleep(script.seconds)
        if script.calls and asked["input"][-1].get("type") != "function_call_output":
            output: list[Any] = [self._call(index) for index in range(script.calls)]
        else:
            output = [self._said()]
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    async def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        for number, piece in enumerate(self._script.chunks()):
            yield ResponseTextDeltaEvent.model_construct(
                content_index=0,
                delta=piece,
                item_id="said",
                output_index=0,
                sequence_number=number,
                logprobs=[],
                type="response.output_text.delta",
            )
        response = Response.model_construct(
            id="response", created_at=0, model="in-process", object="response",
            output=[self._said()], usage=None,
        )  # fmt: skip
        yield ResponseCompletedEvent.model_construct(
            response=response, sequence_number=0, type="response.completed"
        )

    def _said(self) -> ResponseOutputMessage:
        text = ResponseOutputText.model_construct(
            text=self._script.answer, type="output_text", annotations=[]
        )
        return ResponseOutputMessage.model_construct(
            id="said", type="message", role="assistant", content=[text], status="completed"
        )

    def _call(self, index: int) -> ResponseFunctionToolCall:
        return ResponseFunctionToolCall.model_construct(
            id="call",
            call_id=self._script.next_id(),
            type="function_call",
            name=TOOL,
            arguments=f'{{"at": "{index}"}}',
        )


class _OpenAIAgents:
    def __init__(self, script: Script) -> None:
        self._agent = Agent(name="agent", model=_Model(script), tools=[_tool(script)])
        self._config = RunConfig(tracing_disabled=True)
        self._history: list[Any] = []

    async def turn(self, text: str) -> str:
        result = await Runner.run(self._agent, self._asked(text), run_config=self._config)
        self._history = result.to_input_list()
        return result.final_output

    async def stream(self, text: str) -> int:
        result = Runner.run_streamed(self._agent, self._asked(text), run_config=self._config)
        arrived = 0
        async for event in result.stream_events():
            if event.type == "raw_response_event":
                arrived += len(getattr(event.data, "delta", ""))
        self._history = result.to_input_list()
        return arrived

    def _asked(self, text: str) -> list[Any]:
        return [*self._history, {"role": "user", "content": text}]


def _tool(script: Script) -> FunctionTool:
    @function_tool(name_override=TOOL, description_override=TOOL_DESCRIPTION)
    async def look(at: str) -> str:
        return script.look(at)

    return look


def open_conversation(script: Script) -> _OpenAIAgents:
    return _OpenAIAgents(script)
