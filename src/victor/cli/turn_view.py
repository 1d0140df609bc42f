"""What is told of a turn: one reading of the events, for a pipe or a program, and their words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TextIO

from victor import events as happened
from victor.cli.context_view import receipt
from victor.cli.json_lines import JsonLines
from victor.cli.tool_lines import duration, main_argument, summary
from victor.events import Event
from victor.messages import StopReason
from victor.visible import one_line, readable

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
        self._plan = ""

    def show(self, event: Event) -> None:
        """Write the event if it is one to tell."""
        match event:
            case happened.TextDelta(content):
                self._write(content)
            case happened.ReplyReceived():
                self.pause()
            case happened.PlanWritten(text=plan):
                self._plan = plan
            case happened.ToolCallEnded():
                self._tell(_plain_tool_line(event))
            case happened.TurnEnded() if self._plan:
                self._write(f"{self._plan.rstrip()}\n")
                self._plan = ""
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
    said = summary(event.result, command=event.call.name == "shell")
    return f"[{mark}] {head} ({duration(event.seconds)}): {said}"
