"""What a person sees of a turn on a terminal."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from victor import events as happened
from victor.cli.tool_lines import duration, main_argument, summary
from victor.cli.turn_view import notice
from victor.events import Event
from victor.messages import ToolCall
from victor.plans import Plan
from victor.visible import one_line, readable

if TYPE_CHECKING:
    from rich.text import Text

    from victor.cli.screen import Screen

_DIFF_LINES = 60
_HALT_SECONDS = 1.5


class TerminalView:
    """The turn on a terminal: Markdown, one line for each tool call, coloured diffs."""

    def __init__(self, screen: Screen, *, figures: bool = False) -> None:
        self._screen = screen
        self._figures = figures
        self._running: dict[str, str] = {}
        self._last_text: float | None = None
        """When text arrived last, while an answer is being written."""
        self._plan: Plan | None = None
        """As the turn has left it so far; it is shown once, in the end."""
        self._asked: set[str] = set()
        self._asking: asyncio.Future[None] | None = None

    async def caught_up(self, call: ToolCall) -> None:
        """Wait until everything up to the request to approve `call` has been shown."""
        while call.id not in self._asked:
            self._asking = asyncio.get_running_loop().create_future()
            await self._asking

    def show(self, event: Event) -> None:
        """Show the event if it is one to tell."""
        match event:
            case happened.TurnStarted():
                self._screen.begin()
            case happened.TextDelta(content):
                self._last_text = time.monotonic()
                self._screen.status("")
                self._screen.text(content)
            case happened.StepStarted(model=model):
                self._screen.status(f"{model} is thinking · Ctrl-C cancels")
            case happened.ReplyReceived():
                self._last_text = None
                self._screen.status("")
                self._screen.finish_answer()
            case happened.PlanWritten(path, text):
                self._plan = Plan(text, path)
            case happened.TurnEnded() | happened.TurnFailed() | happened.TurnCancelled():
                self._end(event)
            case _:
                self._show_call(event)

    def _show_call(self, event: Event) -> None:
        match event:
            case happened.ToolCallDelta(name=name) if name:
                self._screen.status(f"writing a call of {name}")
            case happened.ApprovalRequested(call):
                self._asked.add(call.id)
                if self._asking is not None and not self._asking.done():
                    self._asking.set_result(None)
            case happened.ToolCallStarted(call):
                self._running[call.id] = f"{call.name} {main_argument(call)}".rstrip()
                self._say_running()
            case happened.ToolCallProgressed(call, line):
                if call.id in self._running:
                    self._running[call.id] = f"{call.name}: {one_line(line, 120)}"
                    self._say_running()
            case happened.SubagentActed(call_id, happened=happened.ToolCallStarted(call)):
                if call_id in self._running:
                    told = f"{call.name} {main_argument(call, 80)}".rstrip()
                    self._running[call_id] = f"task: {told}"
                    self._say_running()
            case happened.ToolCallEnded():
                self._running.pop(event.call.id, None)
                self._screen.line(*self._tool_lines(event))
                self._say_running()
            case _:
                self._tell(notice(event))

    def tick(self) -> None:
        """Move the spinner on, and begin one where an answer has come to a halt."""
        if self._last_text is not None and time.monotonic() - self._last_text > _HALT_SECONDS:
            self._last_text = None
            self._screen.status("waiting for the model · Ctrl-C cancels")
        self._screen.tick()

    def progress(self, what: str, done: int, total: int) -> None:
        """Print an announcement; show what is measured as a bar in the live region."""
        from rich.text import Text

        if total:
            self._screen.status(what, share=done / total)
        else:
            self._screen.line(Text(readable(what), style="dim"))

    def pause(self) -> None:
        """Take the live region away."""
        self._screen.pause()

    def _say_running(self) -> None:
        self._screen.status(" · ".join(self._running.values()))

    def _tell(self, sentence: str) -> None:
        from rich.text import Text

        if sentence:
            self._screen.line(Text(readable(sentence), style="yellow"))

    def _end(
        self, event: happened.TurnEnded | happened.TurnFailed | happened.TurnCancelled
    ) -> None:
        from rich.text import Text

        self._running.clear()
        self._last_text = None
        self._screen.status("")
        self._screen.pause()
        self._tell(notice(event))
        self._show_plan()
        if self._figures and isinstance(event, happened.TurnEnded):
            usage = event.response.usage
            tokens = f"{usage.input:,} in, {usage.output:,} out · " if usage.total else ""
            figures = Text(f"{tokens}{duration(event.seconds)}", style="dim")
            self._screen.console.print(figures)

    def _show_plan(self) -> None:
        from rich.text import Text

        plan, self._plan = self._plan, None
        if plan is None:
            return
        from victor.cli.plan_view import show_plan

        self._screen.line()
        show_plan(self._screen.console, plan)
        if self._figures:
            self._screen.console.print(Text("/build hands it over.", style="dim"))

    def _tool_lines(self, event: happened.ToolCallEnded) -> list[Text]:
        from rich.text import Text

        mark = "x" if event.result.is_error else "*"
        if not self._screen.console.options.ascii_only:
            mark = "✗" if event.result.is_error else "●"
        head = Text(no_wrap=True, overflow="ellipsis")
        head.append(f"{mark} ", style="red" if event.result.is_error else "green")
        head.append(one_line(event.call.name, 40), style="bold")
        seconds = f" {duration(event.seconds)}"
        room = self._screen.console.width - head.cell_len - len(seconds) - 2
        head.append(f" {main_argument(event.call, max(room, 8))}")
        head.append(seconds, style="dim")
        told = Text(no_wrap=True, overflow="ellipsis")
        said = summary(event.result, command=event.call.name == "shell")
        told.append(f"  {said}", style="red" if event.result.is_error else "dim")
        return [head, told, *diff_lines(event.display)]


def diff_lines(display: str, limit: int = _DIFF_LINES) -> list[Text]:
    """Return what a tool shows a person, coloured where it is a diff, at most `limit` lines."""
    lines = readable(display).splitlines()
    shown = [_diff_line(line) for line in lines[:limit]]
    if len(lines) > limit:
        from rich.text import Text

        shown.append(Text(f"  … {len(lines) - limit} more lines", style="dim"))
    return shown


_DIFF_STYLES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("+++", "---", "diff ", "index "), "bold"),
    (("@@",), "cyan"),
    (("+",), "green"),
    (("-",), "red"),
)


def _diff_line(line: str) -> Text:
    from rich.text import Text

    style = next((style for starts, style in _DIFF_STYLES if line.startswith(starts)), "dim")
    return Text(f"  {line}", style=style)
