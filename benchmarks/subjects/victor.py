"""Victor with every coordinator on and its storage in memory."""

from __future__ import annotations

import tempfile

from benchmarks.model import InProcessModel
from benchmarks.script import TOOL, TOOL_DESCRIPTION, Script
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.messages import Effect
from victor.protocols import ITool
from victor.tools import tool

WORKSPACE = tempfile.gettempdir()


class _Victor:
    def __init__(self, orchestrator: AgentOrchestrator) -> None:
        self._orchestrator = orchestrator

    async def turn(self, text: str) -> str:
        return (await self._orchestrator.chat(text)).content

    async def stream(self, text: str) -> int:
        return sum([len(piece.content) async for piece in self._orchestrator.stream_chat(text)])


def looking(script: Script) -> ITool:
    """Return the tool of the script."""

    @tool(name=TOOL, description=TOOL_DESCRIPTION, effect=Effect.READ_ONLY)
    async def look(at: str) -> str:
        return script.look(at)

    return look


def open_conversation(script: Script) -> _Victor:
    settings = Settings(ephemeral=True)
    return _Victor(
        AgentOrchestrator(
            settings,
            InProcessModel(script),
            "model",
            tools=(looking(script),),
            workspace=WORKSPACE,
        )
    )
