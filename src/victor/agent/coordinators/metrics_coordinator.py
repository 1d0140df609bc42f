"""Counts and latencies of everything that happens, from events alone.

A summary of numbers is all that is kept: its size does not grow with the conversation.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from victor.events import (
    ContextCompacted,
    CoordinatorFailed,
    Event,
    ModelCallRetried,
    ProviderSwitched,
    ReplyReceived,
    StepStarted,
    ToolCallEnded,
    ToolCallReviewed,
    TurnCancelled,
    TurnEnded,
    TurnFailed,
    TurnStarted,
)
from victor.messages import Usage
from victor.protocols import IObserver
from victor.protocols.metrics import Latency, MetricsSnapshot, ToolFigures

_Count: TypeAlias = Callable[[Any], None]

_MAX_TOOLS: Final = 256
"""Models invent tool names, so the names that are told apart are bounded."""

_OTHER: Final = "other"

_GAMMA: Final = 1.1
_LOG_GAMMA: Final = math.log(_GAMMA)
_SHORTEST: Final = 1e-6


class _Histogram:
    """Seconds in buckets that grow by 10 %, so that a quantile is off by less than 5 %.

    The method is DDSketch (Masson, Rim and Lee, 2019). From a microsecond to a day it holds at
    most 265 buckets.
    """

    __slots__ = ("_buckets", "_count", "_max", "_total")

    def __init__(self) -> None:
        self._buckets: defaultdict[int, int] = defaultdict(int)
        self._count = 0
        self._total = 0.0
        self._max = 0.0

    def add(self, seconds: float) -> None:
        self._count += 1
        self._total += seconds
        if seconds > self._max:
            self._max = seconds
        if seconds < _SHORTEST:
            seconds = _SHORTEST
        self._buckets[math.ceil(math.log(seconds) / _LOG_GAMMA)] += 1

    def latency(self) -> Latency:
        if not self._count:
            return Latency()
        mean = self._total / self._count
        return Latency(self._count, mean, self._quantile(0.50), self._quantile(0.95), self._max)

    def _quantile(self, share: float) -> float:
        wanted = math.ceil(share * self._count)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                break
        return min(2 * _GAMMA**bucket / (_GAMMA + 1), self._max)


class _Tool:
    """The running figures of one tool."""

    __slots__ = ("calls", "denied", "errors", "seconds")

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.denied = 0
        self.seconds = _Histogram()

    def figures(self) -> ToolFigures:
        return ToolFigures(self.calls, self.errors, self.denied, self.seconds.latency())


class MetricsCoordinator(IObserver):
    """An observer that counts turns, steps, model calls, tokens, dollars, tool calls and failures.

    Dollars are those that the events tell of; a call without them counts as unpriced.
    """

    def __init__(self) -> None:
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._usage = Usage()
        self._dollars = 0.0
        self._model = _Histogram()
        self._first_token = _Histogram()
        self._tool = _Histogram()
        self._turn = _Histogram()
        self._tools: dict[str, _Tool] = {}
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._denied: set[str] = set()
        self._counters = self._table()

    def _table(self) -> dict[type, _Count]:
        return {
            TurnStarted: self._turn_started,
            StepStarted: self._tally("steps"),
            ReplyReceived: self._reply_received,
            ToolCallReviewed: self._tool_call_reviewed,
            ToolCallEnded: self._tool_call_ended,
            TurnEnded: self._turn_ended,
            CoordinatorFailed: self._coordinator_failed,
            ContextCompacted: self._context_compacted,
            TurnFailed: self._tally("turns_failed"),
            TurnCancelled: self._tally("turns_cancelled"),
            ModelCallRetried: self._tally("retries"),
            ProviderSwitched: self._tally("provider_switches"),
        }

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `enable_metrics`: while it is off, nothing is counted and what was, stays."""
        self._counters = self._table() if config.get("enable_metrics", True) else {}

    def on_event(self, event: Event) -> None:
        """Count the event, if it is of a kind that counts."""
        count = self._counters.get(type(event))
        if count is not None:
            count(event)

    def snapshot(self) -> MetricsSnapshot:
        """Return what was counted up to now."""
        counts = self._counts
        return MetricsSnapshot(
            turns=counts["turns"],
            turns_failed=counts["turns_failed"],
            turns_cancelled=counts["turns_cancelled"],
            steps=counts["steps"],
            model_calls=counts["model_calls"],
            retries=counts["retries"],
            provider_switches=counts["provider_switches"],
            usage=self._usage,
            cost_usd=self._dollars,
            unpriced_calls=counts["unpriced_calls"],
            model_latency=self._model.latency(),
            first_token_latency=self._first_token.latency(),
            tool_latency=self._tool.latency(),
            turn_latency=self._turn.latency(),
            tools={name: tool.figures() for name, tool in self._tools.items()},
            failures=dict(self._failures),
            compactions=counts["compactions"],
            messages_dropped=counts["messages_dropped"],
        )

    def to_json(self) -> str:
        """Return the snapshot as one JSON object."""
        return self.snapshot().to_json()

    def _turn_started(self, _: TurnStarted) -> None:
        self._counts["turns"] += 1
        self._denied.clear()

    def _reply_received(self, event: ReplyReceived) -> None:
        self._counts["model_calls"] += 1
        self._model.add(event.seconds)
        if event.first_token_seconds is not None:
            self._first_token.add(event.first_token_seconds)
        self._usage += event.reply.usage
        if event.cost is None:
            self._counts["unpriced_calls"] += 1
        else:
            self._dollars += event.cost

    def _tool_call_reviewed(self, event: ToolCallReviewed) -> None:
        if not event.allowed:
            self._denied.add(event.call.id)

    def _tool_call_ended(self, event: ToolCallEnded) -> None:
        tool = self._tool_named(event.call.name)
        tool.calls += 1
        if event.call.id in self._denied:
            tool.denied += 1
            return
        tool.errors += event.result.is_error
        tool.seconds.add(event.seconds)
        self._tool.add(event.seconds)

    def _tool_named(self, name: str) -> _Tool:
        if name not in self._tools and len(self._tools) >= _MAX_TOOLS:
            name = _OTHER
        return self._tools.setdefault(name, _Tool())

    def _turn_ended(self, event: TurnEnded) -> None:
        self._turn.add(event.seconds)

    def _coordinator_failed(self, event: CoordinatorFailed) -> None:
        self._failures[event.coordinator] += 1

    def _context_compacted(self, event: ContextCompacted) -> None:
        self._counts["compactions"] += 1
        dropped = event.messages_before - event.messages_after
        self._counts["messages_dropped"] += max(dropped, 0)

    def _tally(self, name: str) -> _Count:
        def count(_: Any) -> None:
            self._counts[name] += 1

        return count
