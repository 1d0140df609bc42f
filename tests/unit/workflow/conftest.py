"""A conversation and a toolbox that do as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from victor.errors import VictorError
from victor.events import Event
from victor.messages import JsonObject, Response, ToolResult
from victor.protocols.workflow import RunTurn, WorkflowResult, WorkflowRun
from victor.workflow.load import loads
from victor.workflow.model import Workflow
from victor.workflow.run import WorkflowRunner


@dataclass
class Stage:
    """Where a workflow runs: what was said and called, and what it is answered."""

    said: list[str] = field(default_factory=list)
    called: list[tuple[str, JsonObject]] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)
    forks: list[list[str]] = field(default_factory=list)
    open_forks: int = 0
    answer: Callable[[str], Any] = lambda text: f"answer to {text}"
    result: Callable[[str, JsonObject], Any] = lambda name, arguments: f"{name} done"

    async def chat(self, text: str) -> Response:
        self.said.append(text)
        return await self._answer(text)

    async def _answer(self, text: str) -> Response:
        given = self.answer(text)
        if asyncio.iscoroutine(given):
            given = await given
        if isinstance(given, BaseException):
            raise given
        return Response(given)

    async def tool(self, name: str, arguments: JsonObject) -> ToolResult:
        self.called.append((name, arguments))
        given = self.result(name, arguments)
        if asyncio.iscoroutine(given):
            given = await given
        if isinstance(given, BaseException):
            raise given
        return given if isinstance(given, ToolResult) else ToolResult("1", given)

    @asynccontextmanager
    async def fork(self) -> AsyncIterator[RunTurn]:
        said: list[str] = []
        self.forks.append(said)
        self.open_forks += 1

        async def turn(text: str) -> Response:
            said.append(text)
            return await self._answer(text)

        try:
            yield turn
        finally:
            self.open_forks -= 1

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)

    async def run(
        self, workflow: Workflow | str, *, forking: bool = False, **inputs: Any
    ) -> WorkflowResult:
        loaded = loads(workflow) if isinstance(workflow, str) else workflow
        runner = WorkflowRunner(sleep=self.sleep)
        runner.check(loaded)
        fork = self.fork if forking else None
        bound = loaded.bind(inputs)
        emit = self.heard.append
        return await runner.run(WorkflowRun("r", loaded, bound, self.chat, self.tool, emit, fork))


def failing(content: str = "it broke") -> ToolResult:
    return ToolResult("1", content, is_error=True)


class Busy(VictorError):
    """A failure of the conversation."""


@pytest.fixture
def stage() -> Stage:
    return Stage()
