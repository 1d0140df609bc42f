"""What slash commands work on, and what one is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from victor.cli.approval import ReadLine, read_typed_line
from victor.visible import readable

if TYPE_CHECKING:
    from rich.console import Console

    from victor.agent.orchestrator import AgentOrchestrator
    from victor.protocols import IProvider


class Leave(Exception):
    """The person wants to end the conversation."""


Reopen: TypeAlias = "Callable[[str | None], Awaitable[AgentOrchestrator]]"
"""Closes the conversation and opens another: a recorded session, or a fresh one for None."""

Connect: TypeAlias = "Callable[[str, str | None], tuple[IProvider, str]]"
"""Returns the provider of this name and the model: the given one, or its default."""


class Desk:
    """What slash commands work on: the conversation, and the terminal."""

    def __init__(
        self,
        orchestrator: AgentOrchestrator,
        console: Console,
        *,
        reopen: Reopen,
        connect: Connect,
        read_line: ReadLine = read_typed_line,
    ) -> None:
        self.orchestrator = orchestrator
        self.console = console
        self.reopen = reopen
        self.connect = connect
        self.read_line = read_line
        self.message = ""
        """What a command wants said to the agent next, in the person's name."""

    def say(self, text: str = "", *, style: str = "") -> None:
        """Print a line or more."""
        from rich.text import Text

        self.console.print(Text(readable(text), style=style))

    async def confirm(self, question: str) -> bool:
        """Return whether the person answers with yes."""

        def ask() -> None:
            self.console.print(f"{question} [y/n] ", end="")
            self.console.file.flush()

        try:
            answer = await self.read_line(ask)
        except asyncio.CancelledError:
            self.console.print()  # What is said of it has a line of its own.
            raise
        return (answer or "").strip().lower() in {"y", "yes"}


@dataclass(frozen=True, slots=True)
class Command:
    """One slash command."""

    usage: str
    """Its arguments, in brackets where they may be left out."""
    summary: str
    run: Callable[[Desk, str], Awaitable[None]]
