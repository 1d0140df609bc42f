"""Whole turns that may spend only so much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.budget import Amounts, Budget, BudgetLimits
from victor.config.settings import Settings
from victor.errors import BudgetExceeded, ConfigError, ProviderUnavailable
from victor.events import ReplyReceived, TextDelta, TurnFailed
from victor.messages import Request, Role, Usage
from victor.pairing import problems
from victor.protocols import ModelInfo
from victor.testing import RecordingObserver, ScriptedProvider, call

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]


class Priced(ScriptedProvider):
    """A model of 1 USD for a million tokens sent, and 10 for a million generated."""

    def model_info(self, model: str) -> ModelInfo:
        return ModelInfo(model, 1_000_000, 100_000, 1.0, 10.0)


class Unpriced(ScriptedProvider):
    def model_info(self, model: str) -> ModelInfo:
        return ModelInfo(model, 1_000_000, 100_000)


def held(orchestrator: AgentOrchestrator) -> bool:
    """Return whether the history is one that every vendor would take."""
    return not problems(orchestrator.context_coordinator.get_context().messages)


async def test_a_response_says_what_it_cost(new: New) -> None:
    heard = RecordingObserver()
    orchestrator = new(provider=Priced("Hi.", usage=Usage(input=1_000, output=100)))
    orchestrator.add_observer(heard)
    response = await orchestrator.chat("hello")
    assert response.cost == pytest.approx(0.002)
    received = [event for event in heard.events if isinstance(event, ReplyReceived)]
    assert [event.cost for event in received] == [response.cost]


async def test_the_cost_of_an_unpriced_model_is_not_known(new: New) -> None:
    assert (await new(provider=Unpriced("Hi.")).chat("hello")).cost is None


async def test_the_record_says_what_a_turn_took_however_it_ended(new: New, tools: Any) -> None:
    provider = Priced([call("look")], "Done.", ProviderUnavailable("down"))
    orchestrator = new(provider=provider, tools=tools)
    await orchestrator.chat("one")
    with pytest.raises(ProviderUnavailable):
        await orchestrator.chat("two")
    records = await orchestrator.session_coordinator.load(orchestrator.session_id)
    ended = next(record.data for record in records if record.kind == "ended")
    failed = next(record.data for record in records if record.kind == "failed")
    assert ended is not None
    assert failed is not None
    assert (ended["model_calls"], ended["tool_calls"]) == (2, 1)
    assert ended["cost_usd"] == pytest.approx((20 + 100) / 1_000_000)
    assert (failed["model_calls"], failed["cost_usd"]) == (0, 0.0)


async def test_a_turn_makes_no_more_model_calls_than_it_may(new: New, tools: Any) -> None:
    provider = ScriptedProvider([call("look")], repeat=True)
    orchestrator = new(provider=provider, tools=tools, budget_turn_model_calls=3)
    heard = RecordingObserver()
    orchestrator.add_observer(heard)
    with pytest.raises(BudgetExceeded) as failure:
        await orchestrator.chat("go on")
    assert failure.value.budget == "budget_turn_model_calls"
    assert len(provider.requests) == 3
    assert held(orchestrator)
    last = heard.events[-1]
    assert isinstance(last, TurnFailed)
    assert last.error_type == "BudgetExceeded"


async def test_each_turn_has_a_budget_of_its_own(new: New) -> None:
    orchestrator = new("a", "b", budget_turn_model_calls=1)
    await orchestrator.chat("one")
    assert (await orchestrator.chat("two")).content == "b"


async def test_tool_calls_over_the_budget_run_not_at_all(new: New, tools: Any) -> None:
    provider = ScriptedProvider(
        [call("look"), call("poke")], [call("poke"), call("poke")], "Never said."
    )
    orchestrator = new(provider=provider, tools=tools, budget_turn_tool_calls=3)
    with pytest.raises(BudgetExceeded, match="budget_turn_tool_calls is used up: 2 of 3"):
        await orchestrator.chat("poke it")
    assert held(orchestrator)
    last = orchestrator.context_coordinator.get_context().messages[-1]
    assert all(result.is_error for result in last.tool_results)


async def test_a_reply_is_limited_to_what_can_still_be_paid(new: New) -> None:
    provider = Priced("Hi.")
    await new(provider=provider, budget_turn_usd=0.1).chat("hello")
    asked_for = provider.requests[0].max_tokens
    assert asked_for is not None
    assert 4_096 < asked_for < 10_000  # all of it would buy 10,000


async def test_a_call_that_could_cost_more_than_is_left_is_not_made(new: New) -> None:
    provider = Priced("Hi.")
    orchestrator = new(provider=provider, budget_turn_usd=0.002)
    with pytest.raises(BudgetExceeded) as failure:
        await orchestrator.chat("hello")
    assert provider.requests == []
    assert failure.value.wanted > failure.value.limit
    messages = orchestrator.context_coordinator.get_context().messages
    assert [message.role for message in messages] == [Role.USER]


async def test_dollars_are_not_held_by_guessing_at_a_price(new: New) -> None:
    provider = Unpriced("Hi.", name="mine")
    with pytest.raises(ConfigError, match="price of mine:m is not known"):
        await new(provider=provider, budget_turn_usd=1.0).chat("hello")
    assert provider.requests == []


async def test_a_session_spends_over_all_its_turns(new: New) -> None:
    usage = Usage(input=30_000, output=1_000)
    orchestrator = new(
        provider=Priced("a", "b", "c", usage=usage), budget_session_tokens=90_000, tools=()
    )
    await orchestrator.chat("one")
    await orchestrator.chat("two")
    with pytest.raises(BudgetExceeded) as failure:
        await orchestrator.chat("x" * 200_000)
    assert (failure.value.budget, failure.value.spent) == ("budget_session_tokens", 62_000)


async def test_a_resumed_session_has_not_forgotten_what_it_spent(
    workspace: Path, tmp_path: Path
) -> None:
    def again(*replies: str) -> AgentOrchestrator:
        settings = Settings(
            session_store=str(tmp_path / "sessions.db"), budget_session_model_calls=2
        )
        return AgentOrchestrator(settings, ScriptedProvider(*replies), "m", workspace=workspace)

    async with again("a") as first:
        await first.chat("one")
    async with again("b", "c") as later:
        await later.resume(first.session_id)
        await later.chat("two")
        with pytest.raises(BudgetExceeded, match="2 of 2 model calls"):
            await later.chat("three")


async def test_a_raised_budget_lets_the_session_go_on(
    new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    orchestrator = new("a", "b", "c")
    monkeypatch.setenv("VICTOR_BUDGET_SESSION_MODEL_CALLS", "1")
    await orchestrator.reload_config()
    await orchestrator.chat("one")
    with pytest.raises(BudgetExceeded):
        await orchestrator.chat("two")
    monkeypatch.setenv("VICTOR_BUDGET_SESSION_MODEL_CALLS", "2")
    await orchestrator.reload_config()
    assert (await orchestrator.chat("three")).content == "b"
    with pytest.raises(BudgetExceeded, match="2 of 2"):
        await orchestrator.chat("four")


async def test_orchestrators_that_share_a_budget_spend_from_one_purse(new: New) -> None:
    shared = Budget(BudgetLimits(model_calls=2), name="my_budget")
    first, second = new("a", budget=shared), new("b", "c", budget=shared)
    await first.chat("one")
    await second.chat("two")
    with pytest.raises(BudgetExceeded, match="my_budget_model_calls"):
        await second.chat("three")
    assert shared.spent.model_calls == 2


async def test_one_that_lacks_room_waits_for_what_another_gives_back(new: New) -> None:
    shared = Budget(BudgetLimits(tokens=20_000))
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> str:
        started.set()
        await go_on.wait()
        return "slow"

    first = new(provider=ScriptedProvider(slow, max_output=32_000), budget=shared, tools=())
    second = new(provider=ScriptedProvider("fast"), budget=shared, tools=())
    one = asyncio.create_task(first.chat("one"))
    await started.wait()
    two = asyncio.create_task(second.chat("two"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not two.done()
    go_on.set()
    assert ((await one).content, (await two).content) == ("slow", "fast")
    assert shared.spent == Amounts(tokens=30, model_calls=2)


async def test_a_turn_ends_when_its_seconds_are_over(new: New) -> None:
    async def silent(_: Request) -> str:
        await asyncio.Event().wait()
        return ""

    orchestrator = new(silent, "Again.", budget_turn_seconds=0.05)
    heard = RecordingObserver()
    orchestrator.add_observer(heard)
    with pytest.raises(BudgetExceeded, match="budget_turn_seconds"):
        await orchestrator.chat("hello")
    assert isinstance(heard.events[-1], TurnFailed)
    assert held(orchestrator)
    assert (await orchestrator.chat("again")).content == "Again."


async def test_a_turn_that_has_no_time_at_all_makes_no_call(new: New) -> None:
    spent = Budget(BudgetLimits(seconds=1))
    spent.remember(Amounts(), seconds=2)
    provider = ScriptedProvider("Never.")
    orchestrator = new(provider=provider, budget=spent)
    with pytest.raises(BudgetExceeded, match="of 1 seconds"):
        await orchestrator.chat("hello")
    assert provider.requests == []
    assert held(orchestrator)


async def test_a_call_that_broke_off_is_counted_as_far_as_it_came(new: New) -> None:
    broken = Priced([TextDelta("word " * 100), ProviderUnavailable("cut")])
    shared = Budget(BudgetLimits(usd=1.0))
    with pytest.raises(ProviderUnavailable):
        await new(provider=broken, budget=shared, max_retries=0).chat("hello")
    assert shared.spent.tokens > 100
    assert shared.spent.usd > 0.001
    assert not shared.contended


async def test_a_server_that_tells_no_usage_is_counted_by_estimate(new: New) -> None:
    shared = Budget(BudgetLimits(tokens=100_000))
    provider = ScriptedProvider("word " * 100, usage=Usage())
    await new(provider=provider, budget=shared).chat("hello")
    assert shared.spent.tokens > 100


async def test_summaries_are_paid_from_the_turns_budget_and_counted_in_its_cost(new: New) -> None:
    def reply(request: Request) -> str:
        return "A summary." if "ummar" in request.system else "Fine. " * 400

    provider = Priced(reply, repeat=True)
    orchestrator = new(
        provider=provider,
        tools=(),
        context_window=3_000,
        context_compaction_strategy="summarization",
        budget_session_model_calls=50,
    )
    heard = RecordingObserver()
    orchestrator.add_observer(heard)
    calls = 0
    for _ in range(12):
        response = await orchestrator.chat("Tell me more, " + "please " * 300)
        calls += 1
        if len(provider.requests) > calls:
            break
    assert len(provider.requests) > calls, [
        e for e in heard.events if "ompact" in repr(e) or "Failed" in repr(e)
    ]
    assert response.usage == Usage(input=20, output=10)
    assert response.cost == pytest.approx((20 + 100) / 1_000_000)


async def test_the_steps_of_a_workflow_draw_on_the_sessions_budget(
    new: New, workspace: Path
) -> None:
    flow = workspace / "flow.yaml"
    flow.write_text(
        "name: two\nsteps:\n  - id: one\n    prompt: first\n  - id: two\n    prompt: second\n"
    )
    provider = ScriptedProvider("a", "b")
    orchestrator = new(provider=provider, budget_session_model_calls=1)
    with pytest.raises(Exception, match="budget_session_model_calls"):
        await orchestrator.run_workflow(flow)
    assert len(provider.requests) == 1


async def test_the_tries_of_an_evaluation_draw_on_the_sessions_budget(
    new: New, workspace: Path
) -> None:
    suite = workspace / "suite.yaml"
    suite.write_text(
        "name: s\ntasks:\n  - id: one\n    prompt: say hi\n    checks:\n      - regex: hi\n"
    )
    provider = ScriptedProvider("hi", repeat=True)
    orchestrator = new(provider=provider, budget_session_model_calls=2)
    report = await orchestrator.evaluate(suite, tries=4)
    assert len(provider.requests) == 2
    assert report is not None
