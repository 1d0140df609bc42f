"""Handing a piece of work to an agent of its own: `task`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from victor.errors import ToolError, VictorError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ISubagents, Mode, ToolEnvironment, ToolOutput
from victor.tools.inward import InwardTool


@dataclass(frozen=True, slots=True)
class Task(InwardTool):
    """Runs a subagent: a context of its own, one answer back. Its calls are reviewed like others.

    Those that may change something run one after another.
    """

    subagents: ISubagents
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    bounds: ClassVar[tuple[str, ...]] = (
        "its mode is never wider than that of the conversation, and it spends what that may spend",
        "agents start no agents, unless `subagent_depth` says so",
        "what it changes in mode build is asked for call by call, and undone with the turn",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "task",
        "Hand a piece of work to another agent that sees nothing of this conversation and gives"
        " one answer back: a wide search, or a question about much code. Say all that it must"
        " know. Several may run side by side.",
        {
            "type": "object",
            "properties": {
                "prompt": {"type": "string", "description": "What it shall do, and give back"},
                "mode": {
                    "type": "string",
                    "enum": [*Mode],
                    "description": "explore: it only reads, the default; build: it may change"
                    " things, where this conversation may",
                },
            },
            "required": ["prompt"],
            "additionalProperties": False,
        },
        # What its agent does is reviewed call by call.
        Effect.READ_ONLY,
        essential=True,
    )

    def most_seconds(self, arguments: JsonObject, environment: ToolEnvironment) -> float | None:
        """Return None: its model calls and tools have their own limits, and the turn's budget."""
        return None

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the agent's answer. Raises `ToolError`."""
        prompt, mode = arguments["prompt"], Mode(arguments.get("mode") or Mode.EXPLORE)
        if not prompt.strip():
            raise ToolError("The prompt is empty.")
        if mode is Mode.BUILD and not environment.writable:
            raise ToolError("Nothing may be changed in this mode; hand it over with mode explore.")
        try:
            if mode is Mode.BUILD:
                async with self._changing:
                    return await self._answer(prompt, mode, environment)
            return await self._answer(prompt, mode, environment)
        except ToolError:
            raise
        except VictorError as error:
            # Not again by itself: what it cost is spent.
            raise ToolError(f"The agent could not finish: {error}") from error

    async def _answer(self, prompt: str, mode: Mode, environment: ToolEnvironment) -> ToolOutput:
        answer = await self.subagents.run(prompt, mode, environment)
        return answer if answer.content else ToolOutput("The agent gave no answer.")
