"""Usage events, and how they reach exporters that do not all behave."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import pytest

from victor.agent.coordinators.analytics_coordinator import (
    AnalyticsCoordinator,
    BaseAnalyticsExporter,
)
from victor.errors import ConfigError
from victor.events import (
    ApprovalRequested,
    CheckpointTaken,
    CoordinatorFailed,
    Event,
    PlanWritten,
    ReplyReceived,
    SessionStarted,
    StepStarted,
    SubagentActed,
    TextDelta,
    ThinkingDelta,
    TodoChanged,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallProgressed,
    ToolCallReviewed,
    ToolCallStarted,
    TurnEnded,
    TurnFailed,
    TurnStarted,
)
from victor.messages import Reply, Response, StopReason, ToolCall, ToolResult, Usage, assistant
from victor.protocols import AnalyticsEvent, ExportResult, IAnalyticsExporter
from victor.protocols.usage import USAGE

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Collector(BaseAnalyticsExporter):
    """Keeps what it is given; answers with `results` first, then with success."""

    def __init__(self, *results: Any) -> None:
        self.batches: list[list[AnalyticsEvent]] = []
        self.results = list(results)
        self.closed = 0

    async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
        self.batches.append(list(events))
        result = self.results.pop(0) if self.results else ExportResult(success=True)
        if isinstance(result, BaseException):
            raise result
        return result

    async def aclose(self) -> None:
        self.closed += 1

    @property
    def names(self) -> list[str]:
        return [event.name for batch in self.batches for event in batch]


class Hanging(BaseAnalyticsExporter):
    async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
        await asyncio.Event().wait()
        raise AssertionError


def turn(session: str = "s1", text: str = "hello") -> TurnStarted:
    return TurnStarted(session, "t1", text)


def with_clock(*exporters: Any, **options: Any) -> tuple[AnalyticsCoordinator, Clock]:
    clock = Clock()
    options.setdefault("export_interval", 60.0)
    return AnalyticsCoordinator(exporters=list(exporters), clock=clock, **options), clock


async def test_events_are_kept_by_session_under_their_names() -> None:
    analytics = AnalyticsCoordinator()
    for event in (
        SessionStarted("s1"),
        turn("s1"),
        TurnEnded(Response("ok", usage=Usage(3, 4)), 1.5),
        turn("s2"),
    ):
        analytics.on_event(event)
    kept = await analytics.get_session_analytics(session_id="s1")
    assert [event.name for event in kept.events] == [
        "session_started",
        "turn_started",
        "turn_ended",
    ]
    assert kept.events[-1].data["input_tokens"] == 3
    assert {event.session_id for event in kept.events} == {"s1"}
    assert len((await analytics.get_session_analytics("s2")).events) == 1


async def test_an_unknown_session_has_no_events() -> None:
    kept = await AnalyticsCoordinator().get_session_analytics(session_id="abc123")
    assert (kept.session_id, kept.events) == ("abc123", ())


async def test_no_word_of_the_user_the_model_or_a_tool_becomes_part_of_an_event() -> None:
    secret = "the-secret-words"
    call = ToolCall("c", "read", {"path": secret})
    reply = Reply(assistant(secret, call), StopReason.TOOL_USE, Usage(), "m", "p")
    analytics = AnalyticsCoordinator()
    spoken: list[Event] = [
        turn(text=secret),
        StepStarted("t", 1, "p", "m", 3),
        ReplyReceived("t", 1, reply, 0.1),
        ApprovalRequested(call, secret),
        ToolCallReviewed(call, allowed=True, reason=secret),
        CheckpointTaken("c", "t", (secret,)),
        ToolCallStarted(call),
        ToolCallEnded(call, ToolResult("c", secret), 0.1, secret),
        CoordinatorFailed("prompt", "build", secret),
        TurnFailed("t", secret, "ProviderError"),
        TurnEnded(Response(secret), 0.1),
    ]
    for event in spoken:
        analytics.on_event(event)
    kept = await analytics.get_session_analytics("s1")
    assert len(kept.events) == len(spoken)
    assert secret not in repr(kept)


def test_every_event_but_the_deltas_is_part_of_analytics() -> None:
    pieces = {TextDelta, ThinkingDelta, ToolCallDelta, ToolCallProgressed}
    told_by_others = {TodoChanged, PlanWritten, SubagentActed}
    assert set(get_args(Event)) - set(USAGE) == pieces | told_by_others


async def test_nothing_is_exported_before_the_interval_is_over() -> None:
    collector = Collector()
    analytics, clock = with_clock(collector)
    analytics.on_event(turn())
    clock.now += 59
    await analytics.flush()
    assert collector.batches == []
    clock.now += 1
    await analytics.flush()
    assert collector.names == ["turn_started"]
    analytics.on_event(turn())
    await analytics.flush()
    assert len(collector.batches) == 1
    clock.now += 60
    await analytics.flush()
    assert len(collector.batches) == 2


async def test_an_exporter_with_nothing_to_export_is_not_called() -> None:
    collector = Collector()
    analytics, _ = with_clock(collector, export_interval=0.0)
    await analytics.flush()
    await analytics.aclose()
    assert collector.batches == []


async def test_many_events_come_in_batches() -> None:
    collector = Collector()
    analytics, _ = with_clock(collector, export_interval=0.0)
    for _ in range(1201):
        analytics.on_event(turn())
    await analytics.flush()
    assert [len(batch) for batch in collector.batches] == [500, 500, 201]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (ExportResult(success=False, error="disk full"), "disk full"),
        (ExportResult(success=False), "refused without a reason"),
        (ValueError("boom"), "ValueError: boom"),
        (asyncio.CancelledError(), "cancelled itself"),
        ("garbage", "gave str, not an ExportResult"),
        (None, "gave NoneType, not an ExportResult"),
    ],
)
async def test_a_failing_exporter_is_offered_the_batch_again_later(
    failure: Any, error: str
) -> None:
    collector = Collector(failure, failure)
    analytics, clock = with_clock(collector)
    analytics.on_event(turn())
    clock.now += 60
    await analytics.flush()
    assert analytics.exporters[0].last_error == error
    await analytics.flush()
    assert len(collector.batches) == 1
    clock.now += 1
    await analytics.flush()
    clock.now += 1
    await analytics.flush()
    assert len(collector.batches) == 2
    clock.now += 1
    await analytics.flush()
    assert collector.batches[0] == collector.batches[2]
    status = analytics.exporters[0]
    assert (status.exported, status.failures, status.pending, status.last_error) == (1, 2, 0, "")


async def test_a_thing_that_is_no_exporter_fails_like_one() -> None:
    analytics, _ = with_clock(object(), export_interval=0.0)
    analytics.on_event(turn())
    await analytics.flush()
    assert "AttributeError" in analytics.exporters[0].last_error
    await analytics.aclose()


async def test_the_wait_after_failures_has_an_end() -> None:
    collector = Collector(*[ExportResult(success=False)] * 40)
    analytics, clock = with_clock(collector)
    analytics.on_event(turn())
    for _ in range(40):
        clock.now += 300
        await analytics.flush()
    assert len(collector.batches) == 40


async def test_a_hanging_exporter_holds_up_neither_the_turn_nor_the_others() -> None:
    collector = Collector()
    analytics, clock = with_clock(Hanging(), collector, export_timeout=30.0, close_timeout=0.02)
    for number in (1, 2):
        analytics.on_event(turn())
        clock.now += 60
        await asyncio.wait_for(analytics.flush(), 5)
        assert len(collector.batches) == number
    await asyncio.wait_for(analytics.aclose(), 5)
    assert collector.closed == 1
    hung = analytics.exporters[0]
    assert (hung.exported, hung.dropped) == (0, 2)


async def test_an_export_that_takes_too_long_has_failed() -> None:
    analytics, _ = with_clock(Hanging(), export_timeout=0.01)
    analytics.on_event(turn())
    await analytics.aclose()
    assert analytics.exporters[0].last_error == "no answer within 0.01 s"


async def test_one_that_swallows_its_cancellation_is_left_behind() -> None:
    class Stubborn(BaseAnalyticsExporter):
        def __init__(self) -> None:
            self.let_go = asyncio.Event()

        async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
            while not self.let_go.is_set():
                try:
                    await self.let_go.wait()
                except asyncio.CancelledError:
                    continue
            raise ValueError("late")

    stubborn = Stubborn()
    analytics, _ = with_clock(stubborn, export_timeout=0.01, close_timeout=0.05)
    analytics.on_event(turn())
    await analytics.aclose()
    assert analytics.exporters[0].dropped == 1
    stubborn.let_go.set()
    await asyncio.sleep(0)


async def test_beyond_the_bound_the_oldest_events_are_dropped_and_counted() -> None:
    collector = Collector()
    analytics, _ = with_clock(collector, max_pending=3, max_session_events=2)
    for number in range(5):
        analytics.on_event(StepStarted("t", number, "p", "m", 0))
    await analytics.aclose()
    assert [event.data["step"] for event in collector.batches[0]] == [2, 3, 4]
    assert analytics.exporters[0].dropped == 2
    kept = await analytics.get_session_analytics("")
    assert [event.data["step"] for event in kept.events] == [3, 4]


async def test_sessions_beyond_the_bound_are_forgotten_the_least_recent_first() -> None:
    analytics = AnalyticsCoordinator()
    for number in range(100):
        analytics.on_event(turn(f"s{number}"))
    assert (await analytics.get_session_analytics("s0")).events == ()
    assert len((await analytics.get_session_analytics("s99")).events) == 1


async def test_closing_exports_the_rest_whatever_the_interval_says() -> None:
    collector, other = Collector(), Collector(ValueError("once"))
    analytics, _ = with_clock(collector, other)
    analytics.on_event(turn())
    await analytics.aclose()
    await analytics.aclose()
    assert collector.names == ["turn_started"]
    assert (collector.closed, other.closed) == (1, 1)
    assert analytics.exporters[1].dropped == 1
    analytics.on_event(turn())
    assert len((await analytics.get_session_analytics("s1")).events) == 1


async def test_closing_waits_for_an_export_that_is_under_way() -> None:
    gate = asyncio.Event()

    class Slow(Collector):
        async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
            await gate.wait()
            return await super().export(events)

    slow = Slow()
    analytics, _ = with_clock(slow, export_interval=0.0)
    analytics.on_event(turn())
    await analytics.flush()
    analytics.on_event(TurnEnded(Response("ok"), 1.0))
    closing = asyncio.create_task(analytics.aclose())
    await asyncio.sleep(0)
    gate.set()
    await closing
    assert slow.names == ["turn_started", "turn_ended"]
    assert analytics.exporters[0].exported == 2


async def test_an_exporter_without_aclose_is_closed_by_leaving_it_alone() -> None:
    class Bare:
        async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
            return ExportResult(success=True, exported_count=len(events))

    bare = Bare()
    assert isinstance(bare, IAnalyticsExporter)
    analytics, _ = with_clock(bare)
    analytics.on_event(turn())
    await analytics.aclose()
    assert analytics.exporters[0].exported == 1


async def test_the_base_exporter_leaves_export_to_its_heirs() -> None:
    with pytest.raises(TypeError, match="export"):
        BaseAnalyticsExporter()  # type: ignore[abstract]


async def test_the_setting_moves_the_next_export() -> None:
    collector = Collector()
    clock = Clock()
    analytics = AnalyticsCoordinator(exporters=[collector], clock=clock)
    analytics.configure({"analytics_export_interval": 5})
    analytics.on_event(turn())
    clock.now += 5
    await analytics.flush()
    assert collector.names == ["turn_started"]


async def test_an_interval_given_in_code_holds_against_the_setting() -> None:
    collector = Collector()
    analytics, clock = with_clock(collector, export_interval=5.0)
    analytics.configure({"analytics_export_interval": 500})
    analytics.on_event(turn())
    clock.now += 5
    await analytics.flush()
    assert len(collector.batches) == 1


@pytest.mark.parametrize("value", [-1, "soon", True, None, float("nan")])
def test_an_interval_that_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="analytics_export_interval"):
        AnalyticsCoordinator().configure({"analytics_export_interval": value})
