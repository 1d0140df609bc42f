"""The port to what analytics are exported to."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from victor.values import quick


@quick
@dataclass(frozen=True, slots=True)
class AnalyticsEvent:
    """Something that was used."""

    name: str
    """What happened, such as `turn_ended` or `tool_call_ended`."""
    session_id: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """Figures and names; never the user's words, arguments or results."""
    timestamp: float = field(default_factory=time.time)
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What became of an export."""

    success: bool
    exported_count: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SessionAnalytics:
    """What was used in one session."""

    session_id: str
    events: tuple[AnalyticsEvent, ...] = ()
    """Oldest first; the oldest are dropped beyond the bound."""


@dataclass(frozen=True, slots=True)
class ExporterStatus:
    """How one exporter is doing."""

    name: str
    exported: int = 0
    """Events it took."""
    pending: int = 0
    """Events that wait for it."""
    dropped: int = 0
    """Events that it will never see: it was too slow, or failed until the end."""
    failures: int = 0
    """Exports that failed, timed out or gave no `ExportResult`."""
    last_error: str = ""
    """Of the latest failure; empty after a success."""


@runtime_checkable
class IAnalyticsExporter(Protocol):
    """Takes batches of analytics events somewhere."""

    @abstractmethod
    async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
        """Export the batch. One that did not succeed is offered again."""
        ...
