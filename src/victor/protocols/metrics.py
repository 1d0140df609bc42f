"""What the metrics say, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from victor.messages import Usage


@dataclass(frozen=True, slots=True)
class Latency:
    """How long something took, in seconds. All are 0 where nothing was measured."""

    count: int = 0
    mean: float = 0.0
    p50: float = 0.0
    """Within 5 % of the true median."""
    p95: float = 0.0
    """Within 5 % of the true value."""
    max: float = 0.0


@dataclass(frozen=True, slots=True)
class ToolFigures:
    """How one tool did."""

    calls: int = 0
    """Calls that have a result, denied ones included."""
    errors: int = 0
    """Calls that ran and whose result is an error."""
    denied: int = 0
    """Calls that were not allowed to run."""
    latency: Latency = field(default_factory=Latency)
    """Of the calls that ran."""


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """What was counted up to one moment."""

    turns: int = 0
    """Turns that began."""
    turns_failed: int = 0
    turns_cancelled: int = 0
    steps: int = 0
    model_calls: int = 0
    """Model calls that were answered in whole."""
    retries: int = 0
    """Model calls that failed and were made again."""
    provider_switches: int = 0
    usage: Usage = field(default_factory=Usage)
    """Tokens of all model calls; `cache_read` is the cached part of `input`."""
    cost_usd: float = 0.0
    """Of the calls whose price is known."""
    unpriced_calls: int = 0
    """Model calls that `cost_usd` leaves out."""
    model_latency: Latency = field(default_factory=Latency)
    first_token_latency: Latency = field(default_factory=Latency)
    tool_latency: Latency = field(default_factory=Latency)
    turn_latency: Latency = field(default_factory=Latency)
    """Of the turns that ended well."""
    tools: Mapping[str, ToolFigures] = field(default_factory=dict)
    """By name; beyond a bound, the rest is counted as `other`."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failures of coordinators, by name."""
    compactions: int = 0
    messages_dropped: int = 0
    """Messages that compaction took out of the context."""

    @property
    def tool_calls(self) -> int:
        """Calls of all tools."""
        return sum(tool.calls for tool in self.tools.values())

    @property
    def tool_errors(self) -> int:
        """Calls of all tools that ran and failed."""
        return sum(tool.errors for tool in self.tools.values())

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, keyed by the field names."""
        return asdict(self)

    def to_json(self) -> str:
        """Return it as one JSON object."""
        import json

        return json.dumps(self.to_dict(), sort_keys=True)
