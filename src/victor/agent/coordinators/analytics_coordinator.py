"""Usage events for each session, and their way to the exporters.

What a person typed, what a tool was given and what it gave back never become part of an analytics
event: `victor.protocols.usage` lists, for each event, the figures and names that do.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, TypeVar

from victor.errors import ConfigError
from victor.events import Event, SessionStarted, TurnStarted
from victor.protocols.analytics import (
    AnalyticsEvent,
    ExporterStatus,
    ExportResult,
    IAnalyticsExporter,
    SessionAnalytics,
)
from victor.protocols.usage import USAGE

_T = TypeVar("_T")

_OF_A_SESSION: Final = (SessionStarted, TurnStarted)
_BATCH: Final = 500
_SESSIONS: Final = 64
_FIRST_BACKOFF: Final = 1.0
_LONGEST_BACKOFF: Final = 300.0
_PATIENCE: Final = 0.02
"""Seconds that a turn waits for an export; a slower one goes on beside it."""


class BaseAnalyticsExporter(IAnalyticsExporter):
    """An exporter to derive from: `export` is its own, `aclose` releases nothing."""

    async def aclose(self) -> None:
        """Release what the exporter holds. Called once, after the last export."""


class AnalyticsCoordinator:
    """An observer that keeps usage events by session and offers them to every exporter.

    Events are offered in batches, `export_interval` seconds apart (the setting
    `analytics_export_interval` where it is None). A batch that an exporter does not take within
    `export_timeout` seconds, or refuses, is offered to it again at a later flush, after 1 s, 2 s,
    4 s and so on to 5 minutes; so an exporter may see an event twice. At most `max_pending` events
    wait for an exporter, then the oldest are dropped and counted. Exporters do not wait for each
    other, and no turn waits for an exporter.
    """

    def __init__(
        self,
        exporters: Iterable[IAnalyticsExporter] = (),
        *,
        export_interval: float | None = None,
        export_timeout: float = 10.0,
        close_timeout: float = 5.0,
        max_pending: int = 10_000,
        max_session_events: int = 1_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fixed_interval = export_interval
        self._interval = 60.0 if export_interval is None else export_interval
        self._export_timeout = export_timeout
        self._close_timeout = close_timeout
        self._max_session_events = max_session_events
        self._clock = clock
        due = clock() + self._interval
        self._outlets = [_Outlet(exporter, max_pending, due) for exporter in exporters]
        self._sessions: OrderedDict[str, deque[AnalyticsEvent]] = OrderedDict()
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._enter("")

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `analytics_export_interval`, unless an interval was given in code.

        Raises `ConfigError` when it is not a number of at least 0.
        """
        value = config.get("analytics_export_interval", self._interval)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise ConfigError(
                f"analytics_export_interval is {value!r}.", hint="Give seconds: 0 or more."
            )
        if self._fixed_interval is not None or value == self._interval:
            return
        for outlet in self._outlets:
            outlet.due += value - self._interval
        self._interval = value

    def on_event(self, event: Event) -> None:
        """Keep the figures of the event, if it is of a kind that is kept."""
        kind = USAGE.get(type(event))
        if kind is None or self._closed:
            return
        if isinstance(event, _OF_A_SESSION) and event.session_id != self._session_id:
            self._enter(event.session_id)
        name, figures = kind
        entry = AnalyticsEvent(name, self._session_id, figures(event))
        self._session.append(entry)
        for outlet in self._outlets:
            outlet.add(entry)

    async def flush(self) -> None:
        """Begin the exports that are due, and wait for them no longer than a blink."""
        now = self._clock()
        due = [outlet for outlet in self._outlets if outlet.is_due(now)]
        if due:
            await asyncio.wait([self._begin(outlet) for outlet in due], timeout=_PATIENCE)

    async def aclose(self) -> None:
        """Export what is left within the time limit, and close the exporters that can be closed.

        Safe to call twice. What could not be exported counts as dropped.
        """
        if self._closed:
            return
        self._closed = True
        ends = [asyncio.create_task(self._finish(outlet)) for outlet in self._outlets]
        try:
            if ends:
                await asyncio.wait(ends, timeout=self._close_timeout)
        finally:
            for outlet, end in zip(self._outlets, ends, strict=True):
                self._abandon(end)
                if outlet.task is not None:
                    self._abandon(outlet.task)
                outlet.give_up()

    async def get_session_analytics(self, session_id: str) -> SessionAnalytics:
        """Return the latest events of a session; an unknown session has none."""
        return SessionAnalytics(session_id, tuple(self._sessions.get(session_id, ())))

    @property
    def exporters(self) -> tuple[ExporterStatus, ...]:
        """How the exporters are doing, in the order in which they were given."""
        return tuple(outlet.status() for outlet in self._outlets)

    def _enter(self, session_id: str) -> None:
        self._session_id = session_id
        self._session = self._sessions.setdefault(
            session_id, deque(maxlen=self._max_session_events)
        )
        self._sessions.move_to_end(session_id)
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)

    def _begin(self, outlet: _Outlet) -> asyncio.Task[None]:
        outlet.task = asyncio.create_task(self._drain(outlet))
        return outlet.task

    async def _finish(self, outlet: _Outlet) -> None:
        if outlet.task is not None and not outlet.task.done():
            await asyncio.wait({outlet.task})
        await self._begin(outlet)
        close = getattr(outlet.exporter, "aclose", None)
        if close is not None:
            await self._bounded(_close(close))

    async def _drain(self, outlet: _Outlet) -> None:
        """Offer batch after batch, until all are taken or one is not."""
        while batch := outlet.take():
            result, error = await self._bounded(_export(outlet.exporter, batch))
            if isinstance(result, ExportResult):
                error = "" if result.success else result.error or "refused without a reason"
            elif not error:
                error = f"gave {type(result).__name__}, not an ExportResult"
            if error:
                outlet.refused(error, self._clock())
                return
            outlet.took(self._clock() + self._interval)

    async def _bounded(self, work: Coroutine[Any, Any, _T]) -> tuple[_T | None, str]:
        """Return what `work` gave, or why it gave nothing.

        The failure is read off the task, so that a stray cancellation is a failure like any other
        and one that swallows cancellation is left behind instead of awaited.
        """
        task = asyncio.create_task(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._export_timeout)
        finally:
            self._abandon(task)
        if not done:
            return None, f"no answer within {self._export_timeout:g} s"
        if task.cancelled():
            return None, "cancelled itself"
        if failure := task.exception():
            return None, f"{type(failure).__name__}: {failure}"
        return task.result(), ""

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        if not task.done():
            task.cancel()
            self._abandoned.add(task)
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()


async def _export(exporter: IAnalyticsExporter, batch: list[AnalyticsEvent]) -> object:
    # A coroutine of its own, so that even an exporter without `export` fails inside its task.
    return await exporter.export(batch)


async def _close(close: Callable[[], Awaitable[object]]) -> None:
    await close()


class _Outlet:
    """One exporter and what waits for it."""

    def __init__(self, exporter: IAnalyticsExporter, limit: int, due: float) -> None:
        self.exporter = exporter
        self.due = due
        self.task: asyncio.Task[None] | None = None
        self._waiting: deque[AnalyticsEvent] = deque(maxlen=limit)
        self._batch: list[AnalyticsEvent] = []
        self._exported = 0
        self._dropped = 0
        self._failures = 0
        self._in_a_row = 0
        self._last_error = ""

    def add(self, entry: AnalyticsEvent) -> None:
        self._dropped += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(entry)

    def is_due(self, now: float) -> bool:
        if now < self.due or not (self._batch or self._waiting):
            return False
        return self.task is None or self.task.done()

    def take(self) -> list[AnalyticsEvent]:
        """Return a copy of the batch on offer, which stays until it is taken."""
        while self._waiting and len(self._batch) < _BATCH:
            self._batch.append(self._waiting.popleft())
        return list(self._batch)

    def took(self, due: float) -> None:
        self._exported += len(self._batch)
        self._batch.clear()
        self._in_a_row = 0
        self._last_error = ""
        self.due = due

    def refused(self, error: str, now: float) -> None:
        self._failures += 1
        # The exponent is capped, not only the product: a float has an end.
        self.due = now + min(_FIRST_BACKOFF * 2 ** min(self._in_a_row, 16), _LONGEST_BACKOFF)
        self._in_a_row += 1
        self._last_error = error[:200]

    def give_up(self) -> None:
        self._dropped += len(self._batch) + len(self._waiting)
        self._batch.clear()
        self._waiting.clear()

    def status(self) -> ExporterStatus:
        return ExporterStatus(
            name=type(self.exporter).__name__,
            exported=self._exported,
            pending=len(self._batch) + len(self._waiting),
            dropped=self._dropped,
            failures=self._failures,
            last_error=self._last_error,
        )
