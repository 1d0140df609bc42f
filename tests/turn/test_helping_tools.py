"""The plan that a person sees, questions to them, and agents that a tool call starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.agent.subagents import Subagents
from victor.budget import Budget, BudgetLimits
from victor.errors import ToolError
from victor.events import Event, ReplyDelta, SubagentActed, TodoChanged, ToolCallStarted, TurnEnded
from victor.messages import Request, StopReason, TodoItem, TodoStatus, ToolCall
from victor.protocols import IAnswerer, ISubagents, Mode, ToolEnvironment
from victor.testing import ScriptedProvider

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]


def call(tool: str, **arguments: Any) -> ToolCall:
    call.number += 1  # type: ignore[attr-defined]
    return ToolCall(f"call_{call.number}", tool, arguments)  # type: ignore[attr-defined]


call.number = 0  # type: ignore[attr-defined]


async def happening(orchestrator: AgentOrchestrator, text: str = "Go") -> list[Event]:
    async with orchestrator:
        return [event async for event in orchestrator.events(text)]


def results(events: list[Event]) -> list[str]:
    (end,) = [event for event in events if isinstance(event, TurnEnded)]
    found = [part for message in end.response.messages for part in message.tool_results]
    return [result.content for result in found]


async def test_the_plan_is_an_event_in_every_mode(new: New) -> None:
    items = [{"text": "Look\n around", "status": "done"}, {"text": "Mend", "status": "in_progress"}]
    events = await happening(new(call("todo", items=items), "Done.", mode="plan"))
    plan = TodoChanged(
        (TodoItem("Look around", TodoStatus.DONE), TodoItem("Mend", TodoStatus.IN_PROGRESS))
    )
    assert plan in events
    assert results(events) == ["The list has 2 items, 1 of them done."]


async def test_an_item_without_words_is_refused(new: New) -> None:
    events = await happening(new(call("todo", items=[{"text": " ", "status": "done"}]), "Done."))
    assert results(events) == ["An item of the list has no text."]


class Person:
    def __init__(self, answer: str | None) -> None:
        self.said = answer
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    async def approve(self, call: ToolCall, question: str) -> bool:
        return True

    async def answer(self, question: str, choices: tuple[str, ...]) -> str | None:
        self.asked.append((question, choices))
        return self.said


@pytest.mark.parametrize(
    ("answer", "told"),
    [("blue", "The person answered: blue"), (" ", "No answer."), (None, "Nobody is there")],
)
async def test_a_person_is_asked(new: New, answer: str | None, told: str) -> None:
    person = Person(answer)
    assert isinstance(person, IAnswerer)
    asked = call("ask_user", question="Which colour?", choices=["red", "blue"])
    events = await happening(new(asked, "Done.", approver=person))
    assert results(events)[0].startswith(told)
    assert person.asked == [("Which colour?", ("red", "blue"))]


async def test_where_nobody_is_there_the_model_is_told(new: New) -> None:
    asked = (call("ask_user", question="Which?"), call("ask_user", question=" "))
    events = await happening(new(list(asked), "Done."))
    assert results(events)[0].startswith("Nobody is there to answer.")
    assert results(events)[1] == "The question is empty."


async def test_a_task_has_a_context_of_its_own_and_gives_one_answer(
    new: New, workspace: Path
) -> None:
    provider = ScriptedProvider(
        call("task", prompt="How many lines has hello.txt?"),
        call("read", path="hello.txt"),
        "One line.",
        "It has one line.",
    )
    events = await happening(new(provider=provider))
    assert results(events) == ["One line."]
    child = provider.requests[1]
    assert [message.text for message in child.messages] == ["How many lines has hello.txt?"] or (
        "How many lines" in child.messages[0].text
    )
    assert "task" not in [tool.name for tool in child.tools], "no deeper than the setting says"
    nested = [event for event in events if isinstance(event, SubagentActed)]
    assert [one.name for one in nested].count("ToolCallStarted") == 1
    started = next(one.happened for one in nested if one.name == "ToolCallStarted")
    assert isinstance(started, ToolCallStarted)
    assert started.call.name == "read"


@pytest.mark.parametrize(
    ("mode", "asked", "written"),
    [("build", "build", True), ("build", None, False), ("plan", "build", False)],
)
async def test_a_task_may_do_no_more_than_the_conversation(
    new: New, workspace: Path, mode: str, asked: str | None, written: bool
) -> None:
    provider = ScriptedProvider(
        call("task", prompt="Write it", **({"mode": asked} if asked else {})),
        call("write", path="new.txt", content="x"),
        *(["Done."] * 3),
    )
    events = await happening(new(provider=provider, mode=mode))
    assert (workspace / "new.txt").exists() is written
    if asked == "build" and mode == "plan":
        assert "Nothing may be changed in this mode" in results(events)[0]


async def test_what_a_task_spends_is_the_turns(new: New) -> None:
    provider = ScriptedProvider(
        call("task", prompt="Look"), call("list"), call("list"), "Found.", "Done."
    )
    budget = Budget(BudgetLimits(tool_calls=2))
    events = await happening(new(provider=provider, budget=budget))
    assert "The agent could not finish" in results(events)[0]
    assert budget.spent.tool_calls == 2


async def test_a_task_ends_with_its_turn(new: New) -> None:
    class Hanging(ScriptedProvider):
        waiting = asyncio.Event()

        async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
            if len(self.requests) == 1 and not self.waiting.is_set():
                self.waiting.set()
                await asyncio.sleep(60)
            async for delta in super().stream(request):
                yield delta

    provider = Hanging(call("task", prompt="Look"), "never")
    async with new(provider=provider) as orchestrator:
        turn = asyncio.create_task(orchestrator.chat("Go"))
        await provider.waiting.wait()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert (await orchestrator.chat("Again")).stop_reason is StopReason.END


async def test_agents_that_nobody_joined_cannot_start(tmp_path: Path) -> None:
    nobody: ISubagents = Subagents()
    with pytest.raises(ToolError, match="No agents can be started"):
        await nobody.run("x", Mode.EXPLORE, ToolEnvironment(tmp_path))


async def test_a_task_without_words_is_refused(new: New) -> None:
    assert results(await happening(new(call("task", prompt=" "), "Done."))) == [
        "The prompt is empty."
    ]


async def test_a_turn_that_goes_round_in_circles_is_ended_with_an_answer(new: New) -> None:
    provider = ScriptedProvider(*[call("read", path="hello.txt") for _ in range(6)], "I am stuck.")
    orchestrator = new(provider=provider)
    async with orchestrator:
        response = await orchestrator.chat("Go")
    assert response.stop_reason is StopReason.TOOL_LOOP
    assert response.content == "I am stuck."
    results = [part for message in response.messages for part in message.tool_results]
    told = ["do something else" in result.content for result in results]
    assert told == [False, False, True, True, True, True]
