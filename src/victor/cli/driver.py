"""Running what drives a conversation from outside, such as a workflow, showing its progress."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from victor.cli.approval import TerminalApprover, YesToAll
from victor.cli.json_lines import JsonLines
from victor.cli.start import Choose, Options, Start
from victor.cli.terminal import console, interactive, shown_from_anywhere
from victor.cli.terminal_view import TerminalView
from victor.cli.turn_runner import TurnRunner
from victor.cli.turn_view import JsonView, PipeView, TurnView

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.events import Event
    from victor.protocols import IApprover

T = TypeVar("T")


class _Shown:
    """Shows every event. Fits `IObserver`."""

    def __init__(self, view: TurnView) -> None:
        self._view = view

    def on_event(self, event: Event) -> None:
        """Show it."""
        self._view.show(event)

    async def flush(self) -> None:
        """Do nothing: it was shown."""


class Driver:
    """Opens a conversation, lets something drive it, and closes it."""

    def __init__(self, options: Options, *, as_json: bool, choose: Choose | None = None) -> None:
        self._options = options
        self._choose = choose
        self.lines = JsonLines(sys.stdout)
        self._approver: IApprover | None = YesToAll() if options.yes else None
        self._view = self._make_view(as_json=as_json)

    def run(self, work: Callable[[AgentOrchestrator], Awaitable[T]]) -> T:
        """Return what `work` gives. Raises what it raises, and `KeyboardInterrupt` on Ctrl-C."""
        runner = TurnRunner()
        try:
            return runner.run(self._run(work))
        finally:
            self._view.pause()
            runner.close()

    async def _run(self, work: Callable[[AgentOrchestrator], Awaitable[T]]) -> T:
        progress = shown_from_anywhere(self._view.progress, asyncio.get_running_loop())
        start = Start(
            self._options, approver=self._approver, progress=progress, choose=self._choose
        )
        try:
            served = await asyncio.to_thread(start.choose)
            orchestrator = await start.open(served.provider, served.model)
            for sentence in (served.opening, *start.warnings()):
                self._view.progress(sentence, 0, 0)
            orchestrator.add_observer(_Shown(self._view), "terminal")
            return await self._ticking(work(orchestrator))
        finally:
            await start.close()

    async def _ticking(self, work: Awaitable[T]) -> T:
        from victor.cli.conversation import ticking

        async with ticking(self._view):
            return await work

    def _make_view(self, *, as_json: bool) -> TurnView:
        if as_json:
            return JsonView(self.lines)
        if not sys.stderr.isatty():
            return PipeView(sys.stderr, sys.stderr)
        from victor.cli.screen import Screen

        screen = Screen(console(stderr=True))
        view = TerminalView(screen)
        if interactive() and self._approver is None:
            self._approver = TerminalApprover(
                screen.console, pause=view.pause, folder=self._options.folder
            )
        return view
