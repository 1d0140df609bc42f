"""What a person sees of a turn: one reading of the events, for a terminal, a pipe or a program."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

from victor import events as happened
from victor.cli.context_view import receipt
from victor.cli.json_lines import JsonLines
from victor.cli.tool_lines import duration, main_argument, summary
from victor.events import Event
from victor.messages import StopReason, ToolCall
from victor.visible import one_line, readable

if TYPE_CHECKING:
    from rich.text import Text

    from victor.cli.screen import Screen

_STOPPED: Mapping[StopReason, str] = {
    StopReason.MAX_TOKENS: "The answer was cut at the model's output limit.",
    StopReason.REFUSAL: "The model refused to go on.",
    StopReason.CONTENT_FILTER: "The vendor's content filter stopped the answer.",
    StopReason.CONTEXT_EXCEEDED: "The conversation no longer fits the model's window.",
    StopReason.TOOL_LOOP: (
        "The turn was ended: the same tool call gave the same result again and again."
    ),
    StopReason.MAX_TOOL_ITERATIONS: (
        "The turn reached max_tool_iterations. Say `go on`, or raise the setting."
    ),
}
_DIFF_LINES = 60
_HALT_SECONDS = 1.5


def notice(event: Event) -> str:
    """Return the sentence that tells a person of `event`, or empty for one that needs none."""
    match event:
        case happened.ModelCallRetried(provider, attempt, error, wait):
            return f"{provider}: {error} Trying again in {duration(wait)} (attempt {attempt + 1})."
        case happened.ModelCallDelayed(provider, model, reason, seconds):
            span = "until then" if seconds is None else duration(seconds)
            return f"{provider} · {model}: {reason}; waiting {span}."
        case happened.ProviderSwitched(provider, model, reason):
            return f"{provider} · {model} serves from now on: {reason}"
        case happened.ContextCompacted():
            return receipt(event)
        case happened.HistoryRepaired(source, repairs):
            return f"History repaired ({source}): {'; '.join(repairs)}"
        case happened.ToolCallRewritten(call, rewritten, reason):
            return f"{call.name}, as {reason}: {main_argument(rewritten)}"
        case happened.CoordinatorFailed(critical=False):
            return f"{event.coordinator}: {event.operation} failed, going on without: {event.error}"
        case happened.CoordinatorRecovered(coordinator):
            return f"{coordinator} works again."
        case happened.TurnEnded(response):
            return _STOPPED.get(response.stop_reason, "")
    return _driven(event)


def _driven(event: Event) -> str:
    """Return the sentence for an event of a workflow or an evaluation."""
    match event:
        case happened.WorkflowStepStarted(step=step):
            return f"step {step}"
        case happened.WorkflowStepEnded(step=step, status=status, error=error):
            why = f": {error}" if error else ""
            return f"step {step} {status} ({duration(event.seconds)}){why}"
        case happened.EvaluationStarted(suite=suite, tasks=tasks, tries=tries):
            return f"{suite}: {tasks} tasks, {tries} tries of each"
        case happened.TrialEnded(task=task, trial=trial, passed=passed, reason=reason):
            why = f": {one_line(reason)}" if reason and not passed else ""
            outcome = "passed" if passed else "failed"
            return f"{task} #{trial} {outcome} ({duration(event.seconds)}){why}"
    return ""


class TurnView(Protocol):
    """Shows a turn as it happens."""

    def show(self, event: Event) -> None:
        """Show an event."""
        ...

    def tick(self) -> None:
        """Note that time has passed."""
        ...

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far something long has come; `total` is 0 for an announcement."""
        ...

    def pause(self) -> None:
        """Leave the terminal to somebody else, with all that has arrived shown."""
        ...


class JsonView:
    """Events as JSON lines."""

    def __init__(self, lines: JsonLines) -> None:
        self._lines = lines
        self._progress = ("", 0)

    def show(self, event: Event) -> None:
        """Write the event."""
        self._lines.event(event)

    def tick(self) -> None:
        """Do nothing: only events are written."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Write a line for each percent, and for an announcement."""
        percent = done * 100 // total if total else -1
        if (what, percent) != self._progress:
            self._progress = what, percent
            self._lines.line("progress", what=what, done=done, total=total)

    def pause(self) -> None:
        """Do nothing: every line is whole."""


class PipeView:
    """The answer, and nothing else, to `out` as it arrives; everything else to `log`."""

    def __init__(self, out: TextIO, log: TextIO) -> None:
        self._out = out
        self._log = log
        self._open_line = False
        self._between = False
        self._progress = ("", 0)

    def show(self, event: Event) -> None:
        """Write the event if it is one to tell."""
        match event:
            case happened.TextDelta(content):
                self._write(content)
            case happened.ReplyReceived():
                self.pause()
            case happened.ToolCallEnded():
                self._tell(_plain_tool_line(event))
            case _:
                sentence = notice(event)
                if sentence:
                    self._tell(sentence)

    def tick(self) -> None:
        """Do nothing: a log has no spinner."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Log an announcement, and every tenth of what is measured."""
        tenth = done * 10 // total if total else -1
        if (what, tenth) == self._progress:
            return
        self._progress = what, tenth
        self._tell(f"{what}: {tenth * 10} %" if total else what)

    def pause(self) -> None:
        """End the line that is being written."""
        if self._open_line:
            self._out.write("\n")
            self._out.flush()
            self._open_line = False
            self._between = True

    def _write(self, content: str) -> None:
        text = readable(content)
        if not text:
            return
        self._out.write("\n" + text if self._between else text)
        self._out.flush()
        self._between = False
        self._open_line = not text.endswith("\n")

    def _tell(self, text: str) -> None:
        self.pause()
        self._log.write(readable(text).rstrip() + "\n")
        self._log.flush()


def _plain_tool_line(event: happened.ToolCallEnded) -> str:
    mark = "failed" if event.result.is_error else "ran"
    name, told = one_line(event.call.name, 40), main_argument(event.call, 100)
    head = f"{name} {told}".rstrip()
    return f"[{mark}] {head} ({duration(event.seconds)}): {summary(event.result)}"


class TerminalView:
    """The turn on a terminal: Markdown, one line for each tool call, coloured diffs."""

    def __init__(self, screen: Screen, *, figures: bool = False) -> None:
        self._screen = screen
        self._figures = figures
        self._running: dict[str, str] = {}
        self._last_text: float | None = None
        """When text arrived last, while an answer is being written."""
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
        if self._figures and isinstance(event, happened.TurnEnded):
            usage = event.response.usage
            tokens = f"{usage.input:,} in, {usage.output:,} out · " if usage.total else ""
            figures = Text(f"{tokens}{duration(event.seconds)}", style="dim")
            self._screen.console.print(figures)

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
        told.append(f"  {summary(event.result)}", style="red" if event.result.is_error else "dim")
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
