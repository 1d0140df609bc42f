"""What tests of servers share: a person who answers, and servers that run meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from victor.mcp import McpServers, servers_of
from victor.messages import ToolCall
from victor.protocols import Approval, Ask, ToolEnvironment

PROGRAMS = Path(__file__).parent / "programs"
Running: TypeAlias = Callable[..., AbstractAsyncContextManager[McpServers]]


class Agreeable:
    """Says yes, or what it is told to, and keeps the questions."""

    def __init__(self) -> None:
        self.answers: list[bool | Approval] = []
        self.questions: list[str] = []

    async def approve(self, call: ToolCall, question: str) -> bool | Approval:
        self.questions.append(question)
        return self.answers.pop(0) if self.answers else True

    async def decide(self, call: ToolCall, ask: Ask) -> Approval:
        raise NotImplementedError


@pytest.fixture
def person() -> Agreeable:
    return Agreeable()


@pytest.fixture
def offering() -> dict[str, Any]:
    """The setting for a server with resources and prompts."""
    return {"command": sys.executable, "args": (str(PROGRAMS / "offering_server.py"),)}


@pytest.fixture
def environment(tmp_path: Path) -> ToolEnvironment:
    return ToolEnvironment(tmp_path, timeout=10.0, sees_images=True)


@pytest.fixture
def running(tmp_path: Path, person: Agreeable) -> Running:
    """Gives servers by their settings, which have joined and are ended with the context."""

    @asynccontextmanager
    async def run(**told: Any) -> AsyncIterator[McpServers]:
        config = {"mcp_servers": told, "mcp_wait": 20.0}
        servers = servers_of(config, tmp_path, tmp_path / "data", approver=person)
        assert servers is not None
        try:
            await servers.join()
            yield servers
        finally:
            await servers.aclose()

    return run


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Any]:
    """Waits until something is true."""

    async def wait(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not true():
                await asyncio.sleep(0.02)

    return wait
