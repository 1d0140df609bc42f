"""A recorded session had again: offline, the same, and telling where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.agent.session_replay import Replay, looked_again
from victor.agent.session_replay import replay as have_again
from victor.config.settings import Settings
from victor.errors import ProviderError, ProviderUnavailable
from victor.events import TextDelta
from victor.messages import Request, ToolCall, ToolSpec, assistant, user
from victor.protocols import Record
from victor.testing import ScriptedProvider, call
from victor.testing.divergence import divergences
from victor.testing.recorded_session import RecordedReplies, RecordedTools, RecordEnds

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]
Recorded = tuple[tuple[Record, ...], tuple[ToolSpec, ...]]


async def recorded(new: New, *replies: Any, turns: int = 1, **more: Any) -> Recorded:
    """Return the record of a session with these replies, and the tools that it had."""
    async with new(*replies, **more) as orchestrator:
        for number in range(turns):
            try:
                await orchestrator.chat(f"turn {number + 1}")
            except ProviderError:
                continue
        records = await orchestrator.session_coordinator.load(orchestrator.session_id)
        return records, orchestrator.tool_coordinator.specs


async def again(session: Recorded, workspace: Path, **settings: Any) -> Replay:
    records, specs = session
    return await have_again(records, Settings(**settings), workspace=workspace, specs=specs)


async def test_a_session_is_had_again_without_its_model_or_its_tools(
    new: New, workspace: Path
) -> None:
    session = await recorded(
        new,
        [call("write", path="new.txt", content="once"), call("read", path="hello.txt")],
        "Done.",
        call("shell", command="echo more >> hello.txt"),
        "And more.",
        turns=2,
    )
    (workspace / "new.txt").unlink()
    (workspace / "hello.txt").write_text("changed since\n")
    made = await again(session, workspace)
    assert made == Replay(turns=2, model_calls=4, tool_calls=3, divergences=())
    assert not (workspace / "new.txt").exists()
    assert (workspace / "hello.txt").read_text() == "changed since\n"


async def test_a_replay_keeps_nothing(
    new: New, workspace: Path, home_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await recorded(new, call("read", path="hello.txt"), "Done.")
    monkeypatch.setenv("VICTOR_EPHEMERAL", "false")
    await again(session, workspace)
    assert list(home_of_its_own.rglob("*")) == []


async def test_failed_cancelled_and_interrupted_turns_end_as_they_did(
    new: New, workspace: Path
) -> None:
    session = await recorded(
        new,
        ProviderUnavailable("down"),
        [TextDelta("half an "), ProviderUnavailable("down")],
        "Back again.",
        turns=3,
    )
    made = await again(session, workspace)
    assert (made.turns, made.divergences) == (3, ())


async def test_a_cancelled_turn_is_had_again_as_far_as_it_came(new: New, workspace: Path) -> None:
    async def never(request: Request) -> str:
        await asyncio.Event().wait()
        return "never"

    provider = ScriptedProvider(call("read", path="hello.txt"), never, "Later.")
    async with new(provider=provider) as orchestrator:
        turn = asyncio.create_task(orchestrator.chat("turn 1"))
        while len(provider.requests) < 2:
            await asyncio.sleep(0)
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)
        await orchestrator.chat("turn 2")
        records = await orchestrator.session_coordinator.load(orchestrator.session_id)
        specs = orchestrator.tool_coordinator.specs
    made = await again((records, specs), workspace)
    assert (made.turns, made.tool_calls, made.divergences) == (2, 1, ())


async def test_modes_models_and_forms_of_answers_are_had_again(new: New, workspace: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    async with new("first", '{"n": "x"}', '{"n": 1}', "last") as orchestrator:
        await orchestrator.chat("one")
        orchestrator.set_mode("plan")
        orchestrator.switch(None, "m-2")
        await orchestrator.chat("two", output=schema)
        orchestrator.set_mode("build")
        await orchestrator.chat("three")
        records = await orchestrator.session_coordinator.load(orchestrator.session_id)
        specs = orchestrator.tool_coordinator.specs
    made = await again((records, specs), workspace)
    assert (made.turns, made.model_calls, made.divergences) == (3, 4, ())


async def test_what_a_resumed_session_is_told_anew_is_no_divergence(
    new: New, workspace: Path
) -> None:
    async with new("one", ephemeral=False) as orchestrator:
        await orchestrator.chat("turn 1")
        session_id = orchestrator.session_id
    async with new("two", ephemeral=False) as orchestrator:
        await orchestrator.resume(session_id)
        await orchestrator.chat("turn 2")
        records = await orchestrator.session_coordinator.load(session_id)
        specs = orchestrator.tool_coordinator.specs
    made = await again((records, specs), workspace)
    assert (made.turns, made.divergences) == (2, ())


@pytest.mark.parametrize(
    ("settings", "part", "shown"),
    [
        ({"instructions": "Say please."}, "system", "standing instruct"),
        ({"temperature": 0.5}, "options", "options.temperature"),
        ({"max_tools": 7}, "settings", "recorded: MOST\n  now:      7"),
        ({"max_output_tokens": 99}, "options", "now:      99"),
    ],
)
async def test_a_setting_that_is_another_now_is_named(
    new: New, workspace: Path, settings: dict[str, Any], part: str, shown: str
) -> None:
    session = await recorded(new, "Done.")
    recorded_tools = Settings().max_tools
    made = await again(session, workspace, **settings)
    (first, *_) = made.divergences
    assert (first.turn, first.step) == (1, 1)
    found = {divergence.part: divergence.shown for divergence in made.divergences}
    assert shown.replace("MOST", str(recorded_tools)) in found[part]


async def test_a_tool_that_is_described_differently_now_is_named_once(
    new: New, workspace: Path
) -> None:
    records, specs = await recorded(new, call("read", path="hello.txt"), "Done.", "More.", turns=2)
    changed = tuple(replace(spec, description=f"{spec.description}!") for spec in specs)
    made = await again((records, changed), workspace)
    assert [divergence.part for divergence in made.divergences] == ["tools"]
    assert "description" in made.divergences[0].shown


async def test_a_tool_that_finds_something_else_now_is_named(new: New, workspace: Path) -> None:
    (workspace / "same.txt").write_text("same")
    calls = [
        call("read", path="same.txt"),
        call("read", path="hello.txt", call_id="c9"),
        call("read", path="gone.txt"),
        call("shell", command="echo x >> same.txt"),
    ]
    records, _ = await recorded(new, calls, "Done.")
    (workspace / "hello.txt").write_text("farewell\n")
    (workspace / "same.txt").write_text("same")
    async with new() as orchestrator:
        (found,) = await looked_again(records, orchestrator.tool_coordinator)
    assert (found.turn, found.step, found.part) == (1, 1, "result")
    assert "at read (c9)" in found.shown
    assert "farewell" in found.shown
    assert (workspace / "same.txt").read_text() == "same"


async def test_a_record_of_nothing_is_had_again_as_nothing(workspace: Path) -> None:
    assert await again(((), ()), workspace) == Replay(0, 0, 0, ())


def answered(text: str, *, kind: str = "ended", **noted: Any) -> tuple[Record, ...]:
    return (
        Record("user", "t-1", user("hi")),
        Record("reply", "t-1", assistant(text), data=noted),
        Record(kind, "t-1"),
    )


def test_records_part_where_answers_ends_and_numbers_of_calls_do() -> None:
    assert divergences(answered("a"), answered("a")) == ()
    (apart,) = divergences(answered("a"), answered("b"))
    assert (apart.turn, apart.step, apart.part) == (1, 1, "reply")
    (apart,) = divergences(answered("a"), answered("a", kind="failed"))
    assert apart.part == "end"
    fewer = tuple(record for record in answered("a") if record.kind != "reply")
    (apart,) = divergences(answered("a"), fewer)
    assert "1 model calls" in apart.shown


def test_dates_of_the_prompt_and_what_was_not_recorded_are_let_be() -> None:
    old, new = answered("a", system="On 2026-01-31."), answered("a", system="On 2026-02-01.")
    assert divergences(old, new) == ()
    assert divergences(answered("a"), answered("a", system="x", tools=[])) == ()


async def test_the_record_answers_no_more_than_it_holds() -> None:
    replies = RecordedReplies()
    with pytest.raises(RecordEnds, match="no further reply"):
        async for _ in replies.stream(Request("m", (user("hi"),))):
            pass
    assert replies.remaining == 0
    tools = RecordedTools(())
    lost = ToolCall("c", "read", {})
    (executed,) = [one async for one in tools.execute((lost,), (), None, print)]
    assert executed.result.is_error
    assert tools.paths((lost,)) == ()
