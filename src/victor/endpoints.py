"""How the endpoints that models are called at are doing, known once for the whole process.

A circuit is closed while calls are answered. Three failures within a minute open it, and so does a
vendor that asks to wait; then callers that can go elsewhere do. After its time it is half-open: one
caller tries, and its outcome closes the circuit or opens it for twice as long.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from victor.errors import BadReply, ProviderError, ProviderUnavailable, RateLimitError
from victor.places import Places
from victor.protocols import IProvider
from victor.rate_limits import RateLimit, RateLimits

FAILURES_TO_OPEN = 3
FAILURE_WINDOW_SECONDS = 60.0
OPEN_SECONDS = 30.0
"""For how long a circuit opens at first."""
LONGEST_OPEN_SECONDS = 480.0
PROBE_SECONDS = 60.0
"""After this long, a caller that was to try is taken to have given up."""

_COUNTED = (ProviderUnavailable, BadReply, RateLimitError)
"""Errors that say something of the endpoint, and not of one caller's key or request."""


class Circuit(StrEnum):
    """Whether an endpoint is worth a call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """What is known of one endpoint."""

    provider: str
    model: str
    serving: bool
    """Whether the next call goes there."""
    circuit: Circuit = Circuit.CLOSED
    answered: int = 0
    """Calls answered, by whoever called in this process."""
    failed: int = 0
    last_error: str = ""
    retry_seconds: float = 0.0
    """After how long it is tried again, where the circuit is open."""
    running: int = 0
    """Calls that hold one of its places, where those are limited."""
    waiting: int = 0
    """Calls that wait to be let in."""
    limits: tuple[RateLimit, ...] = ()
    """The vendor's rate limits, as they stand by its last responses."""

    def __str__(self) -> str:
        """One line for a person, the last error left out."""
        parts = [f"{self.answered} answered, {self.failed} failed"]
        if self.circuit is not Circuit.CLOSED:
            parts.append(f"{self.circuit.replace('_', '-')}, tried in {self.retry_seconds:,.0f} s")
        if self.running or self.waiting:
            parts.append(f"{self.running} running, {self.waiting} waiting")
        parts.extend(map(str, self.limits))
        return f"{self.provider} · {self.model}: {'; '.join(parts)}"


class EndpointRecord:
    """The calls to one endpoint, its circuit, and what it still takes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.answered = 0
        self.failed = 0
        self.last_error = ""
        self.limits = RateLimits(clock)
        self.places = Places()
        """Held by the calls that run, where their number is limited."""
        self.door = Places()
        """One: held by whoever is about to be let in."""
        self._clock = clock
        self._recent: deque[float] = deque(maxlen=FAILURES_TO_OPEN)
        self._open_until: float | None = None
        self._open_seconds = OPEN_SECONDS
        self._prober: object = None
        self._probing_since = 0.0

    @property
    def circuit(self) -> Circuit:
        """Whether the endpoint is worth a call now."""
        if self._open_until is None:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if self._clock() >= self._open_until else Circuit.OPEN

    @property
    def retry_seconds(self) -> float:
        """For how long the circuit stays open."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock())

    def admits(self, caller: object) -> bool:
        """Return whether `caller` should call here; of several, one may try a half-open circuit."""
        match self.circuit:
            case Circuit.CLOSED:
                return True
            case Circuit.OPEN:
                return False
            case Circuit.HALF_OPEN:
                given_up = self._clock() - self._probing_since >= PROBE_SECONDS
                if self._prober is None or given_up:
                    self._prober, self._probing_since = caller, self._clock()
                return self._prober is caller

    def succeeded(self) -> None:
        """Note an answer."""
        self.answered += 1
        if self._open_until is not None or self._recent:
            self._open_until = self._prober = None
            self._open_seconds = OPEN_SECONDS
            self._recent.clear()

    def note(self, error: ProviderError) -> None:
        """Note a failure."""
        self.failed += 1
        self.last_error = str(error)
        if not isinstance(error, _COUNTED):
            return
        now = self._clock()
        self._recent.append(now)
        if isinstance(error, RateLimitError) and error.retry_after is not None:
            self._open(now + error.retry_after)
        elif self.circuit is Circuit.HALF_OPEN:
            self._open_seconds = min(self._open_seconds * 2, LONGEST_OPEN_SECONDS)
            self._open(now + self._open_seconds)
        elif self._open_until is None and self._failed_often(now):
            self._open(now + self._open_seconds)

    def _failed_often(self, now: float) -> bool:
        full = len(self._recent) == FAILURES_TO_OPEN
        return full and now - self._recent[0] <= FAILURE_WINDOW_SECONDS

    def _open(self, until: float) -> None:
        self._open_until = max(until, self._open_until or until)
        self._prober = None


@dataclass(frozen=True, slots=True)
class Admission:
    """How calls are let in at an endpoint."""

    record: EndpointRecord
    most_calls: int | None
    """How many may run at once; None does not limit them."""
    longest_wait: float
    """Seconds that a call may wait for the vendor's rate limits."""


class EndpointRecords:
    """The records of endpoints, by vendor, address, account and model.

    A provider without an address, such as one in this process, is an endpoint of its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[object, ...], EndpointRecord] = {}

    def of(self, provider: IProvider, model: str) -> EndpointRecord:
        """Return the record of `model` at `provider`; the same for everybody who calls there."""
        address = getattr(provider, "address", "")
        if not address:
            return EndpointRecord(self._clock)
        key = (provider.name, address, getattr(provider, "account", None), model)
        return self._known.setdefault(key, EndpointRecord(self._clock))


RECORDS = EndpointRecords()
"""Those of this process."""
