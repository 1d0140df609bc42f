from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable, Iterable

import pytest
from rich.console import Console

from victor.cli.approval import TerminalApprover, YesToAll, argument_lines
from victor.messages import ToolCall
from victor.protocols import Approval, Ask, IAnswerer, IRememberingApprover, Rewrite

pytestmark = pytest.mark.anyio


class Person:
    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, ask: Callable[[], None]) -> str | None:
        ask()
        self.asked += 1
        return self.answers.pop(0)


def approver(person: Person) -> tuple[TerminalApprover, io.StringIO]:
    shown = io.StringIO()
    console = Console(file=shown, width=60, color_system=None, highlight=False, markup=False)
    return TerminalApprover(console, read_line=person), shown


def call(name: str = "shell", **arguments: object) -> ToolCall:
    return ToolCall("1", name, arguments)


@pytest.mark.parametrize(
    ("answers", "decision"),
    [
        (["y\n"], Approval.ONCE),
        (["Yes\n"], Approval.ONCE),
        (["n\n"], Approval.REFUSED),
        (["\n", "what?\n", "a\n", "e\n", "v\n", "y\n"], Approval.ONCE),
        ([None], Approval.REFUSED),
    ],
)
async def test_only_a_clear_answer_counts(
    answers: Iterable[str | None], decision: Approval
) -> None:
    asker, _ = approver(Person(*answers))
    assert await asker.approve(call(command="ls"), "Run it?") is decision


ASK = Ask("Run it?", "it runs a command", ("shell(make test)", "shell(ls\u202e)"), lasting=True)


@pytest.mark.parametrize(
    ("answers", "decision"),
    [
        (["a", "s"], Approval.SESSION),
        (["A", " P "], Approval.PROJECT),
        (["always", "u"], Approval.USER),
        (["a", "n", "y"], Approval.ONCE),
        (["a", "what?", "n"], Approval.REFUSED),
        (["a", None], Approval.REFUSED),
    ],
)
async def test_what_is_remembered_is_shown_before_and_where_is_asked(
    answers: list[str | None], decision: Approval
) -> None:
    asker, shown = approver(Person(*answers))
    assert isinstance(asker, IRememberingApprover)
    assert await asker.decide(call(command="make test"), ASK) is decision
    said = shown.getvalue()
    assert said.index("shell(make test)") < said.index("Keep it?")
    assert "shell(ls<U+202E>)" in said


async def test_what_may_not_be_kept_is_offered_for_the_session_only() -> None:
    asker, shown = approver(Person("a", "u", "a", "s"))
    ask = Ask("Run it?", "why", ("shell(git status)",))
    assert await asker.decide(call(command="git status"), ask) is Approval.SESSION
    assert "project" not in shown.getvalue()


async def test_all_calls_of_a_tool_may_be_allowed_but_not_all_commands() -> None:
    ask = Ask("Let edit change a.py?", "it changes things", ("edit(a.py)",), lasting=True)
    asker, shown = approver(Person("a", "t"))
    assert await asker.decide(call("edit", path="a.py"), ask) is Approval.TOOL
    assert "t = any edit" in shown.getvalue().replace("\n", " ")
    asker, shown = approver(Person("a", "t", "n"))
    assert await asker.decide(call(command="make"), ASK) is Approval.REFUSED
    assert "t = " not in shown.getvalue()


async def test_a_person_may_change_the_command() -> None:
    asker, _ = approver(Person("e", "", "e", " make lint \n"))
    made = call(command="make test", timeout=3)
    assert await asker.decide(made, ASK) == Rewrite(
        ToolCall("1", "shell", {"command": "make lint", "timeout": 3}), "the person changed it"
    )


async def test_every_prompt_fits_a_line_of_eighty_characters() -> None:
    person = Person("a", "n", "n")
    shown = io.StringIO()
    console = Console(file=shown, width=200, color_system=None)
    content = "\n".join("x" * 99)
    asker = TerminalApprover(console, read_line=person)
    await asker.decide(call(command="make", content=content), ASK)
    person.answers = ["a", "s"]
    await asker.decide(call("a" * 60, content=content), ASK)
    prompts = re.findall(r"(?:Allow|Keep it)\? \[[^\]]*\] ", shown.getvalue())
    assert len(prompts) == 5
    assert max(map(len, prompts)) < 80


async def test_what_will_happen_is_shown_with_nothing_hidden_in_it() -> None:
    asker, shown = approver(Person("n\n"))
    await asker.approve(call(command="ls \x1b[8mrm -rf ~\x1b[0m\u202e"), "Run \x1b[2J?")
    assert "\x1b" not in shown.getvalue()
    assert "ls ␛[8mrm -rf ~␛[0m<U+202E>" in shown.getvalue().replace("\n", "")


async def test_long_arguments_are_cut_and_shown_in_full_on_demand() -> None:
    content = "\n".join(f"line {number}" for number in range(100))
    asker, shown = approver(Person("v\n", "y\n"))
    assert await asker.approve(call("write", path="a", content=content), "?") is Approval.ONCE
    before, after = " ".join(shown.getvalue().split()).split("v = view all", 1)
    assert "line 27" in before
    assert "line 28 " not in before
    assert "62 more lines" in before
    assert "line 99" in before
    assert "line 50" in after


async def test_the_view_is_paused_before_the_question() -> None:
    order: list[str] = []

    async def answer(ask: Callable[[], None]) -> str | None:
        order.append("asked")
        return "y"

    console = Console(file=io.StringIO())
    asker = TerminalApprover(console, pause=lambda: order.append("paused"), read_line=answer)
    await asker.approve(call(), "?")
    assert order == ["paused", "asked"]


async def test_yes_to_all_asks_nobody() -> None:
    assert await YesToAll().approve(call(), "?") is True


def test_arguments_that_are_no_text_are_shown_as_json() -> None:
    lines = [line.plain.strip() for line in argument_lines(call(deep={"a": [1]}, command="x\ny"))]
    assert lines == ['deep: {"a": [1]}', "command:", "| x", "| y"]
    broken = ToolCall("1", "x", {}, invalid="{oops")
    assert [line.plain.strip() for line in argument_lines(broken)] == ["{oops"]


@pytest.mark.parametrize(
    ("typed", "answer"), [("2\n", "blue"), (" green \n", "green"), ("3\n", "3"), (None, None)]
)
async def test_a_person_answers_the_model(typed: str | None, answer: str | None) -> None:
    asker, shown = approver(Person(typed))
    assert isinstance(asker, IAnswerer)
    assert await asker.answer("Which\x1b one?", ("red", "blue")) == answer
    assert "Which␛ one?\n  1. red\n  2. blue\nYour answer: " in shown.getvalue()


async def test_what_no_event_announces_is_asked_at_once() -> None:
    waited: list[ToolCall] = []

    async def caught_up(call: ToolCall) -> None:
        waited.append(call)

    console = Console(file=io.StringIO(), width=60)
    asker = TerminalApprover(console, read_line=Person("y", "y"), caught_up=caught_up)
    assert await asker.approve(call("mcp__notes"), "Use it?") is Approval.ONCE
    assert waited == []
    assert await asker.decide(call(command="ls"), ASK) is Approval.ONCE
    assert len(waited) == 1


async def test_what_is_said_of_a_cancelled_question_has_a_line_of_its_own() -> None:
    async def interrupted(ask: Callable[[], None]) -> str | None:
        ask()
        raise asyncio.CancelledError

    paper = io.StringIO()
    console = Console(file=paper, width=60, color_system=None, highlight=False, markup=False)
    with pytest.raises(asyncio.CancelledError):
        await TerminalApprover(console, read_line=interrupted).decide(call(command="ls"), ASK)
    assert paper.getvalue().endswith("] \n")
