"""Isolation of coordinators: one mechanism, in one place, visible at each call.

A call is bounded in time, its failure becomes a `CoordinatorFailed` event, and the turn goes on
with a fallback (`optional`) or ends with a typed error (`critical`). An optional part that fails
three times within a minute is left alone for half a minute, then tried once.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from victor.agent.bounded import bounded, really_cancelled
from victor.errors import (
    CheckpointError,
    CompactionError,
    CoordinatorError,
    SafetyError,
    SessionError,
    VictorError,
)
from victor.events import CoordinatorFailed, CoordinatorRecovered
from victor.protocols import Emit

T = TypeVar("T")

FAILURES_TO_OPEN = 3
FAILURE_WINDOW_SECONDS = 60.0
PROBE_AFTER_SECONDS = 30.0

_PART_IS_BROKEN = (CheckpointError, CompactionError, CoordinatorError, SafetyError, SessionError)

_AWAIT = "__await__"
"""What a plain function does not give: it has done its work at once."""

STRAY_CANCELLATION = "raised CancelledError, though nobody had cancelled it"


class State(StrEnum):
    """How a coordinator is doing."""

    OK = "ok"
    FAILING = "failing"
    """Its last call failed."""
    OPEN = "open"
    """It failed too often and is left alone for a while."""
    DISABLED = "disabled"
    """Left out by the settings."""


@dataclass(frozen=True, slots=True)
class Health:
    """How one coordinator is doing."""

    state: State
    calls: int = 0
    failures: int = 0
    drops: int = 0
    """Calls not made, or events not delivered, because it failed too often."""
    last_error: str = ""
    since: float | None = None
    """When it came into this state, in seconds since the epoch; None from the beginning."""


class _Part:
    """What is known of one coordinator."""

    __slots__ = ("calls", "drops", "error", "failures", "opened", "recent", "since", "state")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.drops = 0
        self.error = ""
        self.state = State.OK
        self.since: float | None = None
        self.opened = 0.0
        self.recent: deque[float] = deque(maxlen=FAILURES_TO_OPEN)

    def enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self.since = time.time()


class Guard:
    """Calls coordinators so that the failure of one hurts only itself."""

    def __init__(
        self,
        publish: Emit,
        *,
        seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Publish failures to `publish`; bound by `seconds` each call that sets no own limit."""
        self._publish = publish
        self._clock = clock
        self._parts: defaultdict[str, _Part] = defaultdict(_Part)
        self.seconds = seconds

    def register(self, name: str, state: State = State.OK) -> None:
        """Make the part known to `health()`."""
        self._parts[name].state = state

    def health(self) -> dict[str, Health]:
        """Return how each part is doing, by name."""
        return {
            name: Health(part.state, part.calls, part.failures, part.drops, part.error, part.since)
            for name, part in self._parts.items()
        }

    async def optional(
        self,
        name: str,
        operation: str,
        work: Callable[[], Awaitable[T]],
        otherwise: T,
        *,
        fits: Callable[[Any], bool] | None = None,
        seconds: float | None = 0.0,
    ) -> T:
        """Return what `work()` gives, or `otherwise` if it fails, hangs or gives what does not fit.

        `seconds`: None lets it take as long as it likes; 0 is the guard's own limit.
        """
        part = self._parts[name]
        if part.state is State.OPEN and not self._may_probe(part):
            part.drops += 1
            return otherwise
        part.calls += 1
        try:
            begun: Any = work()
            if hasattr(begun, _AWAIT):
                begun = await bounded(begun, self.seconds if seconds == 0.0 else seconds)
            value: T = begun
        except asyncio.CancelledError:
            if really_cancelled():
                raise
            error = STRAY_CANCELLATION
        except Exception as failure:
            error = describe(failure)
        else:
            if fits is None or fits(value):
                if part.state is not State.OK:
                    self.recovered(name)
                return value
            error = f"returned {_short(value)}"
        self.failed(name, operation, error)
        return otherwise

    async def critical(
        self,
        name: str,
        operation: str,
        work: Callable[[], Awaitable[T]],
        *,
        fits: Callable[[Any], bool] | None = None,
        seconds: float | None = 0.0,
        error: Callable[[str], VictorError] | None = None,
    ) -> T:
        """Return what `work()` gives.

        Raises the `VictorError` that `work` raises; any other failure becomes `error(text)`, by
        default a `CoordinatorError`.
        """
        part = self._parts[name]
        part.calls += 1
        try:
            begun: Any = work()
            if hasattr(begun, _AWAIT):
                begun = await bounded(begun, self.seconds if seconds == 0.0 else seconds)
            value: T = begun
        except asyncio.CancelledError as failure:
            if really_cancelled():
                raise
            raise self._refusal(name, operation, failure, error) from failure
        except VictorError as failure:
            self._passing(name, operation, failure)
            raise
        except Exception as failure:
            raise self._refusal(name, operation, failure, error) from failure
        if fits is None or fits(value):
            if part.state is not State.OK:
                self.recovered(name)
            return value
        raise self._misfit(name, operation, value, error)

    def read(
        self,
        name: str,
        operation: str,
        work: Callable[[], T],
        otherwise: T,
        *,
        fits: Callable[[Any], bool],
    ) -> T:
        """Return what the plain function `work` gives, or `otherwise` if it fails or does not fit.

        For what cannot wait; a part that is left alone is still read.
        """
        try:
            value = work()
        except Exception as failure:
            self.failed(name, operation, describe(failure))
            return otherwise
        if fits(value):
            return value
        self.failed(name, operation, f"returned {_short(value)}")
        return otherwise

    def require(
        self,
        name: str,
        operation: str,
        work: Callable[[], T],
        *,
        fits: Callable[[Any], bool] | None = None,
    ) -> T:
        """Return what the plain function `work` gives.

        Raises the `VictorError` that `work` raises, or a `CoordinatorError`.
        """
        try:
            value = work()
        except VictorError as failure:
            self._passing(name, operation, failure)
            raise
        except Exception as failure:
            raise self._refusal(name, operation, failure, None) from failure
        if fits is None or fits(value):
            if self._parts[name].state is not State.OK:
                self.recovered(name)
            return value
        raise self._misfit(name, operation, value, None)

    def _misfit(
        self,
        name: str,
        operation: str,
        value: object,
        error: Callable[[str], VictorError] | None,
    ) -> VictorError:
        """Note a value that cannot be used, and return what is raised for it."""
        text = f"{operation} returned {_short(value)}"
        self.failed(name, operation, text, critical=True)
        return error(text) if error else CoordinatorError(name, text)

    def _passing(self, name: str, operation: str, failure: VictorError) -> None:
        """Note a typed error where it says that the part is broken, and not the world around it.

        A wrong key, setting or workflow is somebody else's failure, told in good order.
        """
        if isinstance(failure, _PART_IS_BROKEN):
            self.failed(name, operation, describe(failure), critical=True)

    def _refusal(
        self,
        name: str,
        operation: str,
        failure: BaseException,
        error: Callable[[str], VictorError] | None,
    ) -> VictorError:
        """Note a critical failure, and return what is raised for it."""
        text = describe(failure)
        self.failed(name, operation, text, critical=True)
        return error(text) if error else CoordinatorError(name, f"{operation}: {text}")

    def failed(self, name: str, operation: str, error: str, *, critical: bool = False) -> None:
        """Note and publish a failure."""
        part = self._parts[name]
        now = self._clock()
        part.failures += 1
        part.error = f"{operation}: {error}"
        part.recent.append(now)
        often = len(part.recent) == FAILURES_TO_OPEN
        if not critical and often and now - part.recent[0] <= FAILURE_WINDOW_SECONDS:
            part.enter(State.OPEN)
            part.opened = now
        else:
            part.enter(State.FAILING)
        self._publish(CoordinatorFailed(name, operation, error, critical))

    def recovered(self, name: str) -> None:
        """Note that a part works again; published where it had been left alone."""
        part = self._parts[name]
        if part.state is State.DISABLED:
            return
        was_open = part.state is State.OPEN
        part.enter(State.OK)
        if was_open:
            part.recent.clear()
            self._publish(CoordinatorRecovered(name))

    def lets(self, name: str) -> bool:
        """Return whether a part may be called now; count the call as dropped if not."""
        part = self._parts[name]
        if part.state is not State.OPEN or self._may_probe(part):
            return True
        part.drops += 1
        return False

    def _may_probe(self, part: _Part) -> bool:
        return self._clock() - part.opened >= PROBE_AFTER_SECONDS


def describe(failure: BaseException) -> str:
    """Return a failure in one line: the text of our own, else type and text."""
    if isinstance(failure, asyncio.CancelledError):
        return STRAY_CANCELLATION
    text = str(failure)
    return text if isinstance(failure, VictorError) else f"{type(failure).__name__}: {text}"


def _short(value: object) -> str:
    return f"{type(value).__name__}, which it must not: {repr(value)[:80]}"
