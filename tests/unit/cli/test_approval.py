from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import pytest
from rich.console import Console

from victor.cli.approval import TerminalApprover, YesToAll, argument_lines
from victor.messages import ToolCall
from victor.protocols import Approval

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
        (["a\n"], Approval.SESSION),
        (["\n", "what?\n", "y\n"], Approval.ONCE),
        ([None], Approval.REFUSED),
    ],
)
async def test_only_a_clear_answer_counts(
    answers: Iterable[str | None], decision: Approval
) -> None:
    asker, _ = approver(Person(*answers))
    assert await asker.approve(call(command="ls"), "Run it?") is decision


async def test_always_means_this_command_and_no_other() -> None:
    person = Person("a\n", "n\n")
    asker, _ = approver(person)
    await asker.approve(call(command="make test"), "?")
    assert await asker.approve(call(command="make test"), "?") is Approval.SESSION
    assert person.asked == 1
    assert await asker.approve(call(command="make deploy"), "?") is Approval.REFUSED


async def test_always_means_the_tool_where_there_is_no_command() -> None:
    person = Person("a\n")
    asker, _ = approver(person)
    await asker.approve(call("edit", path="a"), "?")
    assert await asker.approve(call("edit", path="b"), "?") is Approval.SESSION


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
    assert "line 99" not in before
    assert "62 more lines" in before
    assert "line 99" in after


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
