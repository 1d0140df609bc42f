"""Counts and latencies of what happens."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from victor.agent.coordinators.metrics_coordinator import MetricsCoordinator
from victor.events import (
    ContextCompacted,
    CoordinatorFailed,
    ModelCallRetried,
    ProviderSwitched,
    ReplyReceived,
    StepStarted,
    TextDelta,
    ToolCallEnded,
    ToolCallReviewed,
    TurnCancelled,
    TurnEnded,
    TurnFailed,
    TurnStarted,
)
from victor.messages import Reply, Response, StopReason, ToolCall, ToolResult, Usage, assistant
from victor.protocols.metrics import MetricsSnapshot


def reply(
    *, seconds: float = 1.0, usage: Usage | None = None, model: str = "m-2025", provider: str = "p"
) -> ReplyReceived:
    answer = Reply(assistant("hi"), StopReason.END, usage or Usage(), model, provider)
    return ReplyReceived("t", 1, answer, seconds, first_token_seconds=seconds / 10)


def ended(
    name: str, call_id: str, *, seconds: float = 0.1, is_error: bool = False
) -> ToolCallEnded:
    call = ToolCall(call_id, name, {})
    return ToolCallEnded(call, ToolResult(call_id, "text", is_error=is_error), seconds)


def test_a_turn_counts_its_steps_calls_and_tokens() -> None:
    metrics = MetricsCoordinator()
    for event in (
        TurnStarted("s", "t", "hello"),
        StepStarted("t", 1, "p", "m", 10),
        TextDelta("hi"),
        reply(usage=Usage(input=100, output=5, cache_read=80)),
        StepStarted("t", 2, "p", "m", 12),
        reply(usage=Usage(input=110, output=7, cache_read=100)),
        TurnEnded(Response("hi"), 3.0),
    ):
        metrics.on_event(event)
    seen = metrics.snapshot()
    assert (seen.turns, seen.steps, seen.model_calls) == (1, 2, 2)
    assert seen.usage == Usage(input=210, output=12, cache_read=180)
    assert seen.turn_latency.count == 1
    assert seen.turn_latency.mean == seen.turn_latency.max == 3.0
    assert seen.first_token_latency.mean == pytest.approx(0.1)


def test_what_goes_wrong_is_counted_by_kind() -> None:
    metrics = MetricsCoordinator()
    for event in (
        TurnFailed("t", "no", "ProviderError"),
        TurnCancelled("t"),
        ModelCallRetried("p", 1, "busy", 0.5),
        ModelCallRetried("p", 2, "busy", 1.0),
        ProviderSwitched("q", "m", "p is down"),
        CoordinatorFailed("analytics", "flush", "boom"),
        CoordinatorFailed("analytics", "flush", "boom"),
        CoordinatorFailed("prompt", "build", "boom"),
        ContextCompacted("truncation", "full", 20, 8, 9000, 3000),
    ):
        metrics.on_event(event)
    seen = metrics.snapshot()
    assert (seen.turns_failed, seen.turns_cancelled, seen.retries) == (1, 1, 2)
    assert seen.provider_switches == 1
    assert seen.failures == {"analytics": 2, "prompt": 1}
    assert (seen.compactions, seen.messages_dropped) == (1, 12)


def test_tools_are_told_apart_and_a_denied_call_is_neither_an_error_nor_a_latency() -> None:
    metrics = MetricsCoordinator()
    metrics.on_event(ended("read", "1", seconds=0.2))
    metrics.on_event(ended("read", "2", seconds=0.4, is_error=True))
    metrics.on_event(ToolCallReviewed(ToolCall("3", "shell", {}), allowed=False, reason="mode"))
    metrics.on_event(ended("shell", "3", seconds=0.0, is_error=True))
    metrics.on_event(ToolCallReviewed(ToolCall("4", "shell", {}), allowed=True, reason="rule"))
    metrics.on_event(ended("shell", "4", seconds=0.6))
    seen = metrics.snapshot()
    read, shell = seen.tools["read"], seen.tools["shell"]
    assert (read.calls, read.errors, read.denied) == (2, 1, 0)
    assert (shell.calls, shell.errors, shell.denied) == (2, 0, 1)
    assert (seen.tool_calls, seen.tool_errors) == (4, 1)
    assert shell.latency.mean == pytest.approx(0.6)
    assert seen.tool_latency.count == 3


def test_invented_tool_names_do_not_grow_without_end() -> None:
    metrics = MetricsCoordinator()
    for number in range(1000):
        metrics.on_event(ended(f"invented-{number}", str(number)))
    seen = metrics.snapshot()
    assert len(seen.tools) <= 257
    assert seen.tool_calls == 1000
    assert seen.tools["other"].calls > 700


def test_quantiles_are_within_five_percent_of_the_true_ones() -> None:
    metrics = MetricsCoordinator()
    seconds = [1.013**number * 0.001 for number in range(1000)]
    for one in seconds:
        metrics.on_event(reply(seconds=one))
    latency = metrics.snapshot().model_latency
    assert latency.p50 == pytest.approx(sorted(seconds)[499], rel=0.05)
    assert latency.p95 == pytest.approx(sorted(seconds)[949], rel=0.05)
    assert latency.mean == pytest.approx(sum(seconds) / 1000)


def test_a_call_that_took_no_time_has_a_latency_of_zero() -> None:
    metrics = MetricsCoordinator()
    metrics.on_event(reply(seconds=0.0))
    assert metrics.snapshot().model_latency.p95 == 0.0


def test_cost_is_summed_where_the_price_is_known_and_counted_where_it_is_not() -> None:
    metrics = MetricsCoordinator()
    for cost in (1.5, None, 0.5):
        metrics.on_event(replace(reply(), cost=cost))
    seen = metrics.snapshot()
    assert seen.cost_usd == 2.0
    assert seen.unpriced_calls == 1


def test_switched_off_it_counts_nothing_and_keeps_what_it_had() -> None:
    metrics = MetricsCoordinator()
    metrics.on_event(TurnStarted("s", "t", "one"))
    metrics.configure({"enable_metrics": False})
    metrics.on_event(TurnStarted("s", "t", "two"))
    metrics.configure({"enable_metrics": True})
    metrics.on_event(TurnStarted("s", "t", "three"))
    assert metrics.snapshot().turns == 2


def test_a_snapshot_stays_as_it_was() -> None:
    metrics = MetricsCoordinator()
    metrics.on_event(ended("read", "1"))
    before = metrics.snapshot()
    metrics.on_event(ended("read", "2"))
    assert before.tools["read"].calls == 1


def test_json_holds_every_figure_under_its_name() -> None:
    metrics = MetricsCoordinator()
    metrics.on_event(reply(usage=Usage(input=7)))
    metrics.on_event(ended("read", "1"))
    read = json.loads(metrics.to_json())
    assert read["usage"]["input"] == 7
    assert read["tools"]["read"]["calls"] == 1
    assert set(read) == set(MetricsSnapshot.__dataclass_fields__)


@pytest.mark.anyio
async def test_flush_has_nothing_to_wait_for() -> None:
    metrics = MetricsCoordinator()
    await metrics.flush()
    assert metrics.snapshot() == MetricsSnapshot()
