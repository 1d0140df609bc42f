"""Turns and conversations in this process, with a scripted model and scripted fingers."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from victor.cli.chat_session import ChatSession
from victor.cli.conversation import Conversation
from victor.cli.desk import Desk
from victor.cli.driver import Driver
from victor.cli.exits import ExitCode
from victor.cli.line_editor import LineEditor, read_message
from victor.cli.screen import Screen
from victor.cli.session_table import ago
from victor.cli.slash_commands import COMMANDS, is_command
from victor.cli.slash_sessions import going_on
from victor.cli.start import Options, Served, Start
from victor.cli.terminal_view import TerminalView
from victor.cli.turn_runner import TurnRunner
from victor.errors import ConfigError, InvalidRequest, ModelMissing, RateLimitError
from victor.messages import Request, assistant, tool_results, user
from victor.pairing import interrupted
from victor.protocols import IProvider, ITokenCounting
from victor.testing import ScriptedProvider, call


def choose(*replies: Any) -> Callable[..., Served]:
    provider = ScriptedProvider(*replies, repeat=True)
    return lambda *_: Served(provider, "model", "the test says so", "Expect little.")


class Fingers:
    """Types messages; None is the end of input, an exception is raised."""

    def __init__(self, *typed: str | type[BaseException] | None) -> None:
        self.typed = list(typed)
        self.prompts: list[str] = []

    def read(self, prompt: str) -> str | None:
        self.prompts.append(prompt)
        now = self.typed.pop(0) if self.typed else None
        if isinstance(now, type):
            raise now
        return now


class Table:
    """A conversation on paper."""

    def __init__(self, *replies: Any, yes: bool = True) -> None:
        self.paper = io.StringIO()
        self.console = Console(file=self.paper, width=100, color_system=None, highlight=False)
        self.runner = TurnRunner(leave=lambda: None)
        self.start = Start(Options(yes=yes), choose=choose(*replies))
        self.answers: list[str | None] = []

    def talk(self, *typed: str | type[BaseException] | None) -> ExitCode:
        served = self.start.choose()
        orchestrator = self.runner.run(self.start.open(served.provider, served.model))
        self.desk = Desk(
            orchestrator,
            self.console,
            reopen=lambda session: self.start.open(served.provider, "model", resume=session),
            connect=self.connect,
            read_line=self.read_line,
        )
        self.fingers = Fingers(*typed)
        view = TerminalView(Screen(self.console), figures=True)
        editor: Any = self.fingers
        return Conversation(self.desk, self.runner, editor, view).run()

    def connect(self, name: str, model: str | None) -> tuple[IProvider, str]:
        return ScriptedProvider("From another.", name=name, repeat=True), model or "its-default"

    async def read_line(self, ask: Callable[[], None]) -> str | None:
        ask()
        return self.answers.pop(0)

    @property
    def shown(self) -> str:
        return self.paper.getvalue()


@pytest.fixture
def table(folder: Path) -> Iterator[Callable[..., Table]]:
    laid: list[Table] = []

    def lay(*replies: Any, **more: Any) -> Table:
        laid.append(Table(*(replies or ("Yes.",)), **more))
        return laid[-1]

    yield lay
    for one in laid:
        one.runner.run(one.start.close())
        one.runner.close()


def test_a_conversation_goes_on_until_the_input_ends(table: Callable[..., Table]) -> None:
    one = table("First.", "Second.")
    assert one.talk("Hello", "  ", "Again") is ExitCode.DONE
    assert one.shown.index("First.") < one.shown.index("Second.")
    assert one.fingers.prompts[0] == "build> "


def test_a_vendor_that_counts_tokens_is_asked_how_many_there_are(
    table: Callable[..., Table],
) -> None:
    class Counting(ScriptedProvider):
        async def count_tokens(self, request: Request) -> int:
            return 1000 * len(request.messages)

    provider = Counting("First.")
    assert isinstance(provider, ITokenCounting)
    one = table()
    one.start = Start(Options(), choose=lambda *_: Served(provider, "model", "", ""))
    assert one.talk("/context", "Hello", "/context") is ExitCode.DONE
    assert one.shown.count("itself counts") == 1
    assert "scripted itself counts 2,000 tokens" in one.shown


def test_a_server_that_cannot_count_spoils_nothing(table: Callable[..., Table]) -> None:
    class Countless(ScriptedProvider):
        async def count_tokens(self, request: Request) -> int:
            raise InvalidRequest("There is no such address.")

    one = table()
    one.start = Start(Options(), choose=lambda *_: Served(Countless("Hi."), "model", "", ""))
    assert one.talk("Hello", "/context") is ExitCode.DONE
    assert "scripted itself gives no count now." in one.shown
    assert "So far 1 turn" in one.shown
    assert "no such address" not in one.shown


def test_a_failed_turn_is_told_and_the_next_one_runs(table: Callable[..., Table]) -> None:
    one = table(InvalidRequest("Too fast.", hint="Wait."), "Better.")
    assert one.talk("Hello", "Again") is ExitCode.DONE
    assert "Error: Too fast." in one.shown
    assert "Better." in one.shown


def test_an_interrupted_turn_is_cancelled_and_the_next_one_runs(
    table: Callable[..., Table],
) -> None:
    async def interrupt(_: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(30)
        return "never"

    one = table(interrupt, "Still here.")
    assert one.talk("Hello", "Again") is ExitCode.DONE
    assert "Cancelled. The conversation goes on" in one.shown
    assert "Still here." in one.shown
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_at_the_prompt_leaves_the_second_time(table: Callable[..., Table]) -> None:
    one = table("Yes.")
    assert one.talk(KeyboardInterrupt, "Hello", KeyboardInterrupt, KeyboardInterrupt) == 130
    assert one.shown.count("Press Ctrl-C again to leave.") == 2


def test_termination_ends_the_conversation(table: Callable[..., Table]) -> None:
    async def terminate(_: Any) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(30)
        return "never"

    assert table(terminate).talk("Hello", "never read") == 130


def test_a_message_beyond_the_limit_is_refused(table: Callable[..., Table]) -> None:
    one = table()
    one.talk("x" * 1_000_001)
    assert "at most 1,000,000 bytes" in one.shown


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/help", True),
        ("/usr/bin/x is broken", False),
        ("/", True),
        ("hi /help", False),
        ("", False),
    ],
)
def test_a_path_is_no_command(text: str, answer: bool) -> None:
    assert is_command(text) is answer


def test_help_lists_every_command(table: Callable[..., Table]) -> None:
    one = table()
    one.talk("/help", "/?")
    assert all(f"/{name}" in one.shown for name in COMMANDS)
    one.console.width = 40
    one.talk("/help")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("/mode plan", "Mode: plan"),
        ("/explore", "Mode: explore"),
        ("/mode nonsense", "There is no mode 'nonsense'"),
        ("/nonsense", "There is no command /nonsense."),
        ("/model", "scripted · model · window 1,000,000 tokens"),
        ("/model other", "scripted · other"),
        ("/model openai:gpt-x", "openai · gpt-x"),
        ("/model openai", "openai · its-default"),
        ("/tools", "read          reads    Read a file."),
        ("/sessions", "No session is recorded"),
        ("/undo", "There is nothing to undo."),
        ("/health", "config"),
        ("/health", "scripted · model: 0 answered, 0 failed"),
        ("/prompt", "with the first message"),
        ("/context", "system prompt"),
    ],
)
def test_a_command_answers(table: Callable[..., Table], typed: str, shown: str) -> None:
    one = table()
    assert one.talk(typed) is ExitCode.DONE
    assert shown in one.shown


def test_context_and_prompt_tell_of_what_was_said(table: Callable[..., Table]) -> None:
    one = table()
    one.talk("Hello", "/context", "/prompt")
    assert "2 messages" in one.shown
    assert "So far 1 turn, 1 model call, 10 tokens in, 5 out" in one.shown


def test_exit_leaves_and_nothing_is_read_after(table: Callable[..., Table]) -> None:
    one = table()
    assert one.talk("/exit", "Hello") is ExitCode.DONE
    assert one.fingers.typed == ["Hello"]


def test_undo_shows_the_difference_and_asks(table: Callable[..., Table], folder: Path) -> None:
    file = folder / "a.txt"
    file.write_text("old\n")
    write = call("write", path="a.txt", content="new\n")
    one = table([call("read", path="a.txt"), write], "Written.")
    one.answers = ["n", "y"]
    one.talk("Write", "/undo")
    assert file.read_text() == "new\n"
    assert "+old" in one.shown
    assert one.runner.run(one.desk.confirm("Sure?")) is True
    one.answers = ["yes"]
    one.talk("/resume", "/undo")
    assert "Restored 1" in one.shown
    assert file.read_text() == "old\n"


def test_rewind_lists_the_turns_goes_back_and_redo_brings_back(
    table: Callable[..., Table], folder: Path
) -> None:
    one = table(call("write", path="a.txt", content="new\n"), "Written.", "Yes.")
    one.answers = ["y", "y", "y"]
    one.talk(
        "Write", "And", "/rewind", "/rewind 1", "/context", "/redo", "/context", "/rewind 2 files"
    )
    assert "   1  Write  (1 path changed)" in one.shown
    assert "conversation: 2 turns, 1, 2" in one.shown
    assert "Removed 1 file." in one.shown
    assert "0 messages" in one.shown
    assert "6 messages" in one.shown
    assert (folder / "a.txt").read_text() == "new\n"
    one.talk("/redo", "/rewind 9")
    assert "nothing to redo" in one.shown
    assert "There is no turn 9" in one.shown


def test_clear_begins_anew_and_resume_goes_back(table: Callable[..., Table]) -> None:
    one = table()
    one.talk("Hello", "/clear", "/context", "/resume", "/context", "/sessions")
    assert "A new session" in one.shown
    assert "0 messages" in one.shown
    assert "goes on after 2 messages" in one.shown
    assert "Hello" in one.shown


def test_who_goes_on_is_told_what_was_interrupted(table: Callable[..., Table]) -> None:
    one = table()
    one.talk("/context")
    context = one.desk.orchestrator.context_coordinator
    assert going_on(one.desk.orchestrator).endswith("goes on after 0 messages.")
    made = call("shell", command="make")
    context.append(user("Make it"), assistant("", made), tool_results(interrupted(made)))
    told = going_on(one.desk.orchestrator)
    assert told.endswith("after 3 messages. Interrupted before, outcome unknown: 1 tool call.")


@pytest.mark.parametrize(
    ("past", "words"),
    [
        (3, "just now"),
        (200, "3 min ago"),
        (7300, "2 h ago"),
        (200_000, "2 d ago"),
        (-5, "just now"),
    ],
)
def test_how_long_ago_is_told_for_people(past: float, words: str) -> None:
    assert ago(1000.0, now=1000.0 + past) == words


def one_turn(
    monkeypatch: pytest.MonkeyPatch, *replies: Any, message: str | None = "Hello", **more: Any
) -> int:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    options = more.pop("options", Options())
    return ChatSession(options, choose=choose(*replies), **more).run(message)


def test_one_turn_to_a_pipe(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert one_turn(monkeypatch, "Some **words**.") == 0
    shown = capsys.readouterr()
    assert shown.out == "Some **words**.\n"
    assert shown.err == "scripted · model (the test says so)\nExpect little.\n"


def test_one_turn_as_json(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert one_turn(monkeypatch, "Words.", as_json=True) == 0
    first, *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["event"], first["reason"]) == ("model_chosen", "the test says so")
    assert last["event"] == "turn_ended"
    assert one_turn(monkeypatch, RateLimitError("Too fast."), as_json=True) == 75
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["error_type"] == "RateLimitError"


def test_one_turn_resumes_the_last_session(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one_turn(monkeypatch, "One.", message="My name is Ada")
    seen: list[str] = []

    def answer(request: Any) -> str:
        seen.extend(message.text for message in request.messages)
        return "Two."

    one_turn(monkeypatch, answer, resume="last")
    assert seen[1] == "One."
    assert [text.split("\n")[0] for text in seen] == ["My name is Ada", "One.", "Hello"]


def test_nobody_to_ask_means_no_and_yes_means_yes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = call("write", path="made", content="x")
    one_turn(monkeypatch, write, "Denied.")
    assert not (folder / "made").exists()
    one_turn(monkeypatch, write, "Done.", options=Options(yes=True))
    assert (folder / "made").exists()


def test_a_cancelled_turn_raises_what_becomes_130(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupt(_: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(30)
        return "never"

    with pytest.raises(KeyboardInterrupt):
        one_turn(monkeypatch, interrupt)
    assert one_turn(monkeypatch, interrupt, as_json=True) == 130


def test_an_ephemeral_session_leaves_no_record(
    folder: Path, home_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_turn(monkeypatch, "Words.", options=Options(ephemeral=True))
    assert not (home_of_its_own / "sessions.db").exists()


def test_a_driver_shows_what_happens_meanwhile(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(Options(), as_json=False, choose=choose("Words."))
    response = driver.run(lambda orchestrator: orchestrator.chat("Hello"))
    assert response.content == "Words."
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Words." in shown.err
    Driver(Options(yes=True), as_json=True, choose=choose("Words.")).run(
        lambda orchestrator: orchestrator.chat("Hello")
    )
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event"] == "turn_ended"


def test_what_needs_no_model_asks_none(folder: Path) -> None:
    async def ask() -> None:
        start = Start(Options())
        try:
            orchestrator = await start.open_without_model()
            with pytest.raises(ModelMissing):
                await orchestrator.chat("Hello")
        finally:
            await start.close()

    asyncio.run(ask())


def test_the_model_is_chosen_as_configured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    served = Start(Options(model="claude-x")).choose()
    assert (served.provider.name, served.model) == ("anthropic", "claude-x")
    assert "ANTHROPIC_API_KEY" in served.opening
    local = Start(Options(provider="local", model="qwen2.5-coder-0.5b")).choose()
    assert (local.provider.name, local.model) == ("local", "qwen2.5-coder-0.5b")
    assert "Local model" in local.opening
    monkeypatch.setenv("VICTOR_API_KEY", "sk-of-the-settings")
    provider, model = Start(Options()).connect("openai", "gpt-x")
    assert (provider.name, model) == ("openai", "gpt-x")
    with pytest.raises(ConfigError, match="nobody"):
        Start(Options(provider="nobody")).choose()


def test_a_second_ctrl_c_leaves_even_if_the_turn_will_not_end(folder: Path) -> None:
    left: list[float] = []
    runner = TurnRunner(leave=lambda: left.append(time.monotonic()))

    async def stubborn() -> str:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                continue
        os.kill(os.getpid(), signal.SIGINT)
        return "done"

    try:
        runner.run(stubborn())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        runner.close()
    assert runner.ending
    assert len(left) == 1


def lines(*typed: str) -> Callable[[str], str]:
    waiting = list(typed)

    def read(prompt: str) -> str:
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    return read


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["one"], "one"),
        (["one \\", "two\\", "three", "four"], "one \ntwo\nthree"),
        (["one\\"], "one\n"),
        (["```", "a", "", "b", "```", "c"], "a\n\nb"),
        (["```", "a"], "a"),
        (["```python", "x = 1", "```"], "```python\nx = 1\n```"),
    ],
)
def test_a_message_may_have_several_lines(typed: list[str], message: str) -> None:
    assert read_message(lines(*typed), "> ") == message


def test_the_history_is_kept_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readline = pytest.importorskip("readline")
    readline.clear_history()
    history = tmp_path / "new" / "history"
    typed = lines("first", "first", "/he", "   ")
    monkeypatch.setattr("builtins.input", typed)
    editor = LineEditor(history, completions=("/help", "/health"))
    while editor.read("> ") is not None:
        pass
    kept = history.read_text().splitlines()
    assert [line for line in kept if not line.startswith("_Hi")] == ["first", "/he"]
    assert history.stat().st_mode & 0o777 == 0o600
    assert [editor._complete("/he", state) for state in range(3)] == ["/help", "/health", None]
    readline.clear_history()
    monkeypatch.setattr("builtins.input", lines("third"))
    LineEditor(history, colour=False).read("> ")
    assert readline.get_history_item(1) == "first"
    readline.clear_history()


def test_what_servers_offer_completes_words_and_prompts_only_lines() -> None:
    names = ("@docs:guide://a", "@docs:guide://b", "/docs:review")
    editor = LineEditor(completions=("/doctor",), named=lambda: names)
    found = [editor._complete("Read @docs:guide://", state) for state in range(3)]
    assert found == ["Read @docs:guide://a", "Read @docs:guide://b", None]
    assert [editor._complete("/doc", state) for state in range(3)] == [
        "/doctor",
        "/docs:review",
        None,
    ]
    assert editor._complete("say /doc", 0) is None
    assert editor._complete("", 0) is None


def test_a_history_that_cannot_be_kept_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("builtins.input", lines("hello"))
    assert LineEditor(tmp_path / "file" / "history").read("> ") == "hello"


class Planning(ScriptedProvider):
    """Writes the plan where the mode's note says that it is."""

    def __init__(self, plan: str, *after: Any) -> None:
        super().__init__(self.write, "I wrote the plan.", *after)
        self.plan = plan

    def write(self, request: Request) -> Any:
        told = request.messages[-1].text
        path = told.partition("may change: ")[2].partition(". Write")[0]
        return call("write", path=path, content=self.plan)


def planning(table: Callable[..., Table], *after: Any) -> Table:
    one = table()
    provider = Planning("# The plan\n\n1. Mend `a.py`.\n", *after)
    one.start = Start(Options(yes=True), choose=lambda *_: Served(provider, "model", "", ""))
    return one


def test_a_plan_is_shown_in_the_end_and_built_after_a_yes(table: Callable[..., Table]) -> None:
    one = planning(table, "Built.")
    one.answers = ["y"]
    assert one.talk("/plan", "/plan Mend it", "/plan", "/build") is ExitCode.DONE
    shown = one.shown
    assert "There is no plan yet" in shown
    assert shown.count("1. Mend a.py") + shown.count(" 1 Mend a.py") == 3
    assert "/build hands it over." in shown
    assert shown.index("Build this plan?") < shown.index("Mode: build") < shown.index("Built.")
    asked = one.desk.orchestrator.context_coordinator.get_context().messages
    assert [m.parts[0].text for m in asked if m.role.value == "user"] == [  # type: ignore[union-attr]
        "Mend it",
        "Build the plan.",
    ]


def test_without_a_yes_it_goes_on_planning(table: Callable[..., Table]) -> None:
    one = planning(table)
    one.answers = ["n"]
    assert one.talk("/plan Mend it", "/build now") is ExitCode.DONE
    assert "Still planning. /mode build changes the mode without the plan." in one.shown
    assert one.desk.orchestrator.mode == "plan"
    assert one.desk.message == ""


def test_without_a_plan_the_mode_changes_and_words_are_said(table: Callable[..., Table]) -> None:
    one = table("Looked.", "Built.")
    assert one.talk("/explore Look", "/build Do it", "/plan") is ExitCode.DONE
    shown = one.shown
    assert shown.index("Mode: explore") < shown.index("Looked.") < shown.index("Mode: build")
    assert "Built." in shown
    assert one.fingers.prompts[-2:] == ["build> ", "plan> "]


def test_a_waiting_plan_can_be_built_from_another_mode(table: Callable[..., Table]) -> None:
    one = planning(table, "Built.", "More.")
    one.answers = ["n", "yes"]
    done = one.talk("/plan Mend it", "/mode build", "/build", "/build and test it", "/build")
    assert done is ExitCode.DONE
    assert "The plan waits." in one.shown
    assert one.shown.count("Build this plan?") == 2
    asked = one.desk.orchestrator.context_coordinator.get_context().messages
    assert asked[-2].text.startswith("and test it")


def test_a_session_gets_a_title_tags_and_a_copy_while_it_goes_on(
    table: Callable[..., Table],
) -> None:
    one = table("First.", "Second.", "Third.")
    typed = ("One", "/rename A better name", "/tag mine #new", "/tag -new -old", "/tag", "Two")
    assert one.talk(*typed, "/explore", "/fork 1", "Three", "/sessions") is ExitCode.DONE
    shown = one.shown
    assert ": A better name" in shown
    assert "It had no tag #old." in shown
    assert shown.count(": #mine") == 3
    assert "goes on after 2 messages. It is a copy;" in shown
    assert one.desk.orchestrator.mode == "explore"
    assert len(one.desk.orchestrator.context_coordinator.get_context().messages) == 4


def test_what_is_not_recorded_or_not_there_cannot_be_copied(table: Callable[..., Table]) -> None:
    one = table()
    assert one.talk("/tag x", "/rename", "/fork last", "Hello", "/fork 9", "Again") is ExitCode.DONE
    shown = one.shown
    assert "Nothing was said yet. Say something first." in " ".join(shown.split())
    assert "/rename TITLE gives" in shown
    assert "/fork TURN in one up to that turn" in shown
    assert len(one.desk.orchestrator.context_coordinator.get_context().messages) == 4


def test_a_plan_that_waits_is_told_of_where_its_session_goes_on(
    table: Callable[..., Table],
) -> None:
    one = planning(table, "Built.")
    one.answers = ["y"]
    assert one.talk("/plan Mend it", "/clear", "/resume", "/build", "/resume") is ExitCode.DONE
    assert one.shown.count("Its plan waits: /build shows it") == 1
    assert one.shown.index("Its plan waits") < one.shown.index("Built.")


def test_a_question_that_is_cancelled_ends_its_line(table: Callable[..., Table]) -> None:
    async def interrupted(ask: Callable[[], None]) -> str | None:
        ask()
        raise asyncio.CancelledError

    one = planning(table)
    one.read_line = interrupted  # type: ignore[method-assign]
    assert one.talk("/plan Mend it", "/build", "/mode") is ExitCode.DONE
    asked = one.shown.partition("Build this plan?")[2]
    assert asked.lstrip(" ").startswith("\nCancelled.")
