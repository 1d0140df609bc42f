"""What is shown of a turn, to a terminal, a pipe and a program."""

from __future__ import annotations

import io
import json
import re
import time

import pytest
from rich.console import Console

from victor import events as e
from victor.cli.json_lines import JsonLines
from victor.cli.screen import Screen
from victor.cli.terminal_view import TerminalView, diff_lines
from victor.cli.turn_view import JsonView, PipeView, notice
from victor.messages import (
    Reply,
    Response,
    StopReason,
    ToolCall,
    ToolResult,
    Usage,
    assistant,
)

DIFF = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+new\n"
READ = ToolCall("1", "read", {"path": "a.txt"})


def ended(display: str = "", *, is_error: bool = False) -> e.ToolCallEnded:
    return e.ToolCallEnded(READ, ToolResult("1", "first\nsecond", is_error), 0.25, display)


def reply(text: str) -> e.ReplyReceived:
    return e.ReplyReceived("t", 1, Reply(assistant(text), StopReason.END), 1.0)


def whole_turn(text: str = "Some **bold** words.") -> list[e.Event]:
    response = Response(text, usage=Usage(1200, 34))
    return [
        e.TurnStarted("s", "t", "Hello"),
        e.StepStarted("t", 1, "p", "m", 10),
        e.ToolCallDelta(0, "1", "read", "{}"),
        reply(""),
        e.ToolCallStarted(READ),
        ended(DIFF),
        e.StepStarted("t", 2, "p", "m", 10),
        *[e.TextDelta(piece) for piece in (text[:7], text[7:])],
        reply(text),
        e.TurnEnded(response, 2.0),
    ]


class Paper:
    """A terminal made of text."""

    def __init__(self, *, colour: bool = False, width: int = 60, height: int = 20) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file,
            force_terminal=colour,
            color_system="standard" if colour else None,
            width=width,
            height=height,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={"TERM": "xterm"},
        )
        self.view = TerminalView(Screen(self.console), figures=True)

    def show(self, *events: e.Event) -> str:
        for event in events:
            self.view.show(event)
        return self.file.getvalue()


def test_a_turn_on_a_terminal_is_markdown_and_compact_tool_lines() -> None:
    assert Paper().show(*whole_turn()).splitlines() == [
        "",
        "● read a.txt 0.2 s",
        "  first (+1 line)",
        "  --- a/a.txt",
        "  +++ b/a.txt",
        "  @@ -1 +1 @@",
        "  -old",
        "  +new",
        "",
        "Some bold words.",
        "1,200 in, 34 out · 2.0 s",
    ]


def test_diffs_are_coloured_by_line() -> None:
    styles = [str(line.style) for line in diff_lines(DIFF)]
    assert styles == ["bold", "bold", "cyan", "red", "green"]
    assert [str(line.style) for line in diff_lines("just words")] == ["dim"]


def test_a_long_diff_says_how_much_is_left_out() -> None:
    lines = diff_lines("+x\n" * 100, limit=10)
    assert len(lines) == 11
    assert lines[-1].plain == "  … 90 more lines"


def test_a_failed_call_is_marked() -> None:
    assert Paper().show(ended(is_error=True)).startswith("✗ read a.txt")


def test_what_a_model_writes_cannot_steer_the_terminal() -> None:
    shown = Paper().show(*whole_turn("Evil \x1b]0;title\x07 \x1b[2Jtext."), ended("\x1b[2J"))
    assert "\x1b" not in shown
    assert "␛]0;title" in shown


def replayed(raw: str) -> list[str]:
    """Return the lines that stand on the terminal after `raw`, the scrolled ones included."""
    lines, row = [""], 0
    for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", raw):
        match token:
            case "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            case "\x1b[2K":
                lines[row] = ""
            case "\x1b[1A":
                row -= 1
            case "\r":
                pass
            case _ if not token.startswith("\x1b"):
                lines[row] += token
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("word " * 300, "word"),
        ("- item\n" * 60, "item"),
        ("```\n" + "code\n" * 60 + "```\n", "code"),
        ("|a|\n|-|\n" + "|cell|\n" * 40, "cell"),
    ],
)
def test_a_block_larger_than_the_window_is_shown_whole_and_once(text: str, word: str) -> None:
    plain, live = Paper(), Paper(colour=True, height=10)
    for start in range(0, len(text), 16):
        for paper in (plain, live):
            paper.view._screen._next_frame = 0.0
            paper.view.show(e.TextDelta(text[start : start + 16]))
    plain.show(reply(text))
    live.show(reply(text))
    assert plain.file.getvalue().count(word) == text.count(word)
    lines = replayed(live.file.getvalue())
    assert "\n".join(lines).rstrip() == plain.file.getvalue().rstrip()


def test_a_large_growing_block_is_printed_for_good_while_it_grows() -> None:
    paper = Paper(colour=True, height=10)
    for number in range(40):
        paper.view._screen._next_frame = 0.0
        paper.view.show(e.TextDelta(f"- item {number}\n"))
    assert paper.view._screen._printed_of_tail > 20
    paper.view.pause()
    assert replayed(paper.file.getvalue())[:40] == [f" • item {number}" for number in range(40)]


def test_the_live_region_tells_what_is_going_on_and_goes_away() -> None:
    paper = Paper(colour=True)
    shown = paper.show(e.StepStarted("t", 1, "p", "some-model", 10))
    assert "some-model is thinking" in shown
    assert "\x1b[?25l" in shown
    paper.view.tick()
    paper.view.progress("Downloading", 50, 100)
    assert "###### 50%" not in shown
    assert "50%" in paper.file.getvalue()
    paper.view.pause()
    assert paper.file.getvalue().rstrip().endswith("\x1b[2K")


def test_an_answer_that_halts_is_said_to_be_waited_for() -> None:
    paper = Paper(colour=True)
    paper.show(e.TextDelta("Once"))
    paper.view._last_text = time.monotonic() - 2
    paper.view._screen._next_frame = 0.0
    paper.view.tick()
    assert "waiting for the model" in paper.file.getvalue()
    paper.view.pause()


def test_running_tools_are_named_side_by_side() -> None:
    paper = Paper(colour=True)
    second = ToolCall("2", "grep", {"pattern": "x"})
    shown = paper.show(e.ToolCallStarted(READ), e.ToolCallStarted(second))
    assert "read a.txt · grep x" in shown
    paper.view.pause()


def test_an_announcement_is_printed_for_good() -> None:
    paper = Paper()
    paper.view.progress("Loading the model", 0, 0)
    assert paper.file.getvalue() == "Loading the model\n"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (e.ModelCallRetried("p", 1, "Overloaded.", 2.0), "Trying again in 2.0 s (attempt 2)"),
        (e.ModelCallDelayed("p", "m", "1 running there already", None), "waiting until then"),
        (
            e.ModelCallDelayed("p", "m", "its limit is reached", 7.0),
            "p · m: its limit is reached; waiting 7.0 s",
        ),
        (e.ProviderSwitched("p", "m", "it failed"), "p · m serves from now on: it failed"),
        (e.ContextCompacted("hybrid", "full", 9, 3, 9000, 3000), "9,000 → 3,000 tokens"),
        (e.HistoryRepaired("resume", ("a", "b")), "History repaired (resume): a; b"),
        (e.CoordinatorFailed("metrics", "flush", "oops"), "metrics: flush failed, going on"),
        (e.CoordinatorRecovered("metrics"), "metrics works again."),
        (e.TurnEnded(Response("", stop_reason=StopReason.MAX_TOKENS), 1.0), "output limit"),
        (e.WorkflowStepStarted("r", "fix"), "step fix"),
        (e.WorkflowStepEnded("r", "fix", "failed", 1.0, "oops"), "step fix failed (1.0 s): oops"),
        (e.TrialEnded("r", "task", 2, False, 3.0, "wrong"), "task #2 failed (3.0 s): wrong"),
        (e.EvaluationStarted("r", "suite", 3, 2), "suite: 3 tasks, 2 tries of each"),
    ],
)
def test_what_a_person_should_know_is_told_in_a_sentence(event: e.Event, words: str) -> None:
    assert words in notice(event)
    assert words in Paper(width=200).show(event)


def test_a_critical_failure_is_left_to_the_error_that_follows() -> None:
    assert notice(e.CoordinatorFailed("chat", "reply", "oops", critical=True)) == ""


def test_a_pipe_gets_the_answer_and_the_log_the_rest() -> None:
    out, log = io.StringIO(), io.StringIO()
    view = PipeView(out, log)
    view.show(e.TextDelta("I will look."))
    for event in whole_turn():
        view.show(event)
    view.tick()
    assert out.getvalue() == "I will look.\n\nSome **bold** words.\n"
    assert log.getvalue() == "[ran] read a.txt (0.2 s): first (+1 line)\n"


def test_a_log_gets_every_tenth_of_a_progress() -> None:
    log = io.StringIO()
    view = PipeView(io.StringIO(), log)
    view.progress("Downloading", 0, 0)
    for done in range(101):
        view.progress("Part", done, 100)
    assert len(log.getvalue().splitlines()) == 12


def test_a_program_gets_every_event_as_it_is() -> None:
    out = io.StringIO()
    view = JsonView(JsonLines(out, secrets=()))
    for event in whole_turn():
        view.show(event)
    view.tick()
    view.pause()
    for done in (0, 1, 1, 2):
        view.progress("Part", done, 100)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == len(whole_turn()) + 3
    assert lines[-1] == {"event": "progress", "what": "Part", "done": 2, "total": 100}


def test_what_a_running_tool_tells_stands_in_its_place() -> None:
    paper = Paper(colour=True)
    shown = paper.show(e.ToolCallStarted(READ), e.ToolCallProgressed(READ, "half\nof it"))
    assert "read: half of it" in shown
    paper.view.pause()


def test_what_a_subagent_runs_stands_in_the_place_of_its_call() -> None:
    paper = Paper(colour=True)
    task = ToolCall("7", "task", {"prompt": "Look"})
    acted = e.SubagentActed("7", "ToolCallStarted", e.ToolCallStarted(READ))
    shown = paper.show(e.ToolCallStarted(task), acted, e.SubagentActed("8", "x", e.TodoChanged(())))
    assert "task: read a.txt" in shown
    paper.view.pause()
