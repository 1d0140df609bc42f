"""Commands that go on while the agent does something else: `shell_output` and `shell_stop`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.tools.inward import InwardTool
from victor.tools.printed import ending, plain
from victor.tools.process import Program

MOST_RUNNING = 8
"""Commands in the background at once."""
MOST_KEPT = 24
"""Commands, ended ones included, that can still be asked for."""
MOST_WAIT = 60.0
"""Seconds that `shell_output` waits at most."""


@dataclass(slots=True)
class Background:
    """The commands of one agent that go on in the background."""

    _programs: dict[str, Program] = field(default_factory=dict)
    _count: int = 0

    def check_room(self) -> None:
        """Raise `ToolError` where no further command may go on."""
        running = [name for name, program in self._programs.items() if program.running]
        if len(running) >= MOST_RUNNING:
            raise ToolError(
                f"{MOST_RUNNING} commands run in the background already: {', '.join(running)}."
                " Stop one with shell_stop."
            )

    def add(self, program: Program) -> str:
        """Keep the program, and return its id."""
        self._count += 1
        name = f"shell-{self._count}"
        self._programs[name] = program
        for old in [n for n, p in self._programs.items() if not p.running][: -MOST_KEPT or None]:
            del self._programs[old]
        return name

    def get(self, name: str) -> Program:
        """Return the program of this id. Raises `ToolError`."""
        if name not in self._programs:
            known = ", ".join(self._programs) or "none"
            raise ToolError(f"There is no command {name!r} in the background; there are: {known}.")
        return self._programs[name]

    async def aclose(self) -> None:
        """End all of them."""
        ends = (program.end("the agent was closed") for program in self._programs.values())
        await asyncio.gather(*ends)


_ID = {"type": "string", "description": "Such as shell-1, as shell has told it"}


@dataclass(frozen=True, slots=True)
class ShellOutput(InwardTool):
    """Tells what a command in the background has printed."""

    background: Background

    bounds: ClassVar[tuple[str, ...]] = (
        "the last 100 kB of what was printed since",
        f"{MOST_KEPT} commands that have ended can still be asked for",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "shell_output",
        "Get what a command in the background has printed since you last looked, and whether it"
        " still runs.",
        {
            "type": "object",
            "properties": {
                "id": _ID,
                "wait": {
                    "type": "number",
                    "description": "Seconds to wait for its end before looking, at most 60",
                },
            },
            "required": ["id"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the new output. Raises `ToolError`."""
        program = self.background.get(arguments["id"])
        wait = arguments.get("wait")
        if wait is not None and wait > 0:
            await program.wait(min(wait, MOST_WAIT, environment.timeout * 0.8))
        return ToolOutput(_told(program, environment.output_limit))


@dataclass(frozen=True, slots=True)
class ShellStop(InwardTool):
    """Ends a command in the background."""

    background: Background

    spec: ClassVar[ToolSpec] = ToolSpec(
        "shell_stop",
        "End a command in the background, with everything it has started.",
        {
            "type": "object",
            "properties": {"id": _ID},
            "required": ["id"],
            "additionalProperties": False,
        },
        # What it ends is the agent's own, and was allowed when it began.
        Effect.READ_ONLY,
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the last output. Raises `ToolError`."""
        program = self.background.get(arguments["id"])
        await program.end("you stopped it")
        return ToolOutput(_told(program, environment.output_limit))


def _told(program: Program, limit: int) -> str:
    text = plain(program.kept.unread()[-limit * 2 // 3 :])
    state = "it still runs" if program.running else ending(program)
    return f"{text}\n[{state}]" if text else f"[{state}]"
