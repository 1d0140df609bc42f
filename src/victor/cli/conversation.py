"""A conversation at a terminal: messages, slash commands and turns, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from victor.cli.desk import Desk, Leave
from victor.cli.exits import ExitCode, text_for
from victor.cli.prompt_text import MAX_BYTES
from victor.cli.slash_commands import is_command, run_command
from victor.cli.terminal import silent_keys
from victor.cli.turn_runner import TurnRunner
from victor.cli.turn_view import TurnView
from victor.errors import VictorError
from victor.events import Event

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.cli.line_editor import LineEditor

_TICK_SECONDS = 0.1


async def show_turn(orchestrator: AgentOrchestrator, text: str, view: TurnView) -> None:
    """Run one turn and show it. Raises what the turn raises, with the terminal left in order."""
    for one in await orchestrator.attach(text):
        view.progress(f"{one.name}: {len(one.text):,} characters, from {one.source}", 0, 0)
    events = cast("AsyncGenerator[Event, Any]", orchestrator.events(text))
    try:
        async with ticking(view), aclosing(events):
            async for event in events:
                view.show(event)
    finally:
        view.pause()


@asynccontextmanager
async def ticking(view: TurnView) -> AsyncIterator[None]:
    """Tell `view` of the time that passes, meanwhile."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            view.tick()

    ticker = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticker.cancel()


class Conversation:
    """Reads messages until the person leaves."""

    def __init__(self, desk: Desk, runner: TurnRunner, editor: LineEditor, view: TurnView) -> None:
        self._desk = desk
        self._runner = runner
        self._editor = editor
        self._view = view

    def run(self) -> ExitCode:
        """Return how it ended: `DONE`, or `CANCELLED` after Ctrl-C twice."""
        while not self._runner.ending:
            try:
                text = self._editor.read(f"{self._desk.orchestrator.mode}> ")
            except KeyboardInterrupt:
                if self._interrupted_at_prompt():
                    return ExitCode.CANCELLED
                continue
            if text is None:
                return ExitCode.DONE
            self._runner.heard()
            try:
                self._answer(text)
            except Leave:
                return ExitCode.DONE
        return ExitCode.CANCELLED

    def _interrupted_at_prompt(self) -> bool:
        self._desk.say()
        self._runner.presses += 1
        if self._runner.presses > 1:
            return True
        self._desk.say("Press Ctrl-C again to leave.", style="dim")
        return False

    def _answer(self, text: str) -> None:
        if not text.strip():
            return
        if len(text) > MAX_BYTES:
            self._desk.say(f"A message may have at most {MAX_BYTES:,} bytes.", style="red")
            return
        try:
            if is_command(text) and not self._desk.orchestrator.mentions(text):
                self._runner.run(run_command(self._desk, text.strip()))
                text, self._desk.message = self._desk.message, ""
            if not text:
                return
            with silent_keys():
                self._runner.run(show_turn(self._desk.orchestrator, text, self._view))
        except KeyboardInterrupt:
            if not self._runner.ending:
                self._desk.say(
                    "Cancelled. The conversation goes on; Ctrl-C again leaves.", style="yellow"
                )
        except VictorError as error:
            self._desk.say(f"Error: {text_for(error)}", style="red")
        self._desk.say()
