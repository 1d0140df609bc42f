"""What vendors still let through: their rate limits, as their last responses told of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

LONGEST_BELIEVED_SECONDS = 3600.0
"""A limit that lets nothing through for longer is not believed: the vendor itself may say so.

Otherwise one absurd header would close an endpoint for good, since only a call brings another.
"""


class Measure(StrEnum):
    """What a rate limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    """Everything sent."""
    UNCACHED_TOKENS = "uncached_tokens"
    """What is sent and not read from the vendor's cache."""
    OUTPUT_TOKENS = "output_tokens"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit, as a response told of it."""

    name: str
    """As the vendor calls it, such as `input-tokens`."""
    measure: Measure
    remaining: int
    """What may still be taken."""
    reset_seconds: float
    """After how long all of it is there again."""
    limit: int | None = None
    """All of it; None where it was not told."""
    refills: bool = False
    """Whether it comes back evenly until then, and not all at once."""

    def __str__(self) -> str:
        of = f" of {self.limit:,}" if self.limit is not None else ""
        return f"{self.name}: {self.remaining:,}{of} left, all again in {self.reset_seconds:,.0f} s"


@dataclass(frozen=True, slots=True)
class Demand:
    """What one call takes, by estimate."""

    tokens: int = 0
    """Everything sent."""
    uncached_tokens: int = 0
    """The part of it that the vendor does not have in its cache."""

    def of(self, measure: Measure) -> int:
        """Return the part that counts for `measure`; how long the answer gets nobody knows."""
        match measure:
            case Measure.TOKENS:
                return self.tokens
            case Measure.UNCACHED_TOKENS:
                return self.uncached_tokens
        return 1


class _Bucket:
    """One limit, from when it was told until it is whole again."""

    __slots__ = ("_full_at", "_rate", "_since", "_taken", "told")

    def __init__(self, told: RateLimit, now: float) -> None:
        self.told = told
        self._since = now
        self._full_at = now + told.reset_seconds
        self._taken = 0
        missing = max(0, (told.limit or 0) - told.remaining)
        self._rate = missing / told.reset_seconds if told.refills else 0.0

    def left(self, now: float) -> float:
        return self.told.remaining - self._taken + self._rate * (now - self._since)

    def is_over(self, now: float) -> bool:
        return now >= self._full_at

    def wait(self, demand: Demand, now: float) -> float:
        """Return the seconds until the demand fits, or until the limit is whole."""
        needed = demand.of(self.told.measure)
        if self.told.limit is not None:
            # Of a request larger than the limit itself, only the vendor can say what becomes.
            needed = min(needed, self.told.limit)
        short = needed - self.left(now)
        if short <= 0 or needed <= 0:
            return 0.0
        whole = self._full_at - now
        return min(whole, short / self._rate) if self._rate else whole

    def take(self, demand: Demand) -> None:
        if self.told.measure is not Measure.OUTPUT_TOKENS:
            self._taken += demand.of(self.told.measure)

    def now(self, now: float) -> RateLimit:
        left = max(0, int(self.left(now)))
        return replace(self.told, remaining=left, reset_seconds=self._full_at - now)


class RateLimits:
    """The limits of one endpoint. May be used from several threads.

    Between two responses, calls that begin are counted against what was left. A limit whose time
    has come is forgotten until a response tells of it again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def hear(self, told: Iterable[RateLimit]) -> None:
        """Adopt what a response told. What makes no sense is passed over."""
        now = self._clock()
        for limit in told:
            if limit.remaining >= 0 and limit.reset_seconds > 0:
                with self._lock:
                    self._buckets[limit.name] = _Bucket(limit, now)

    def wait(self, demand: Demand) -> tuple[float, RateLimit | None]:
        """Return the seconds until a call fits, and the limit that it waits for."""
        longest, reason = 0.0, None
        with self._lock:
            now = self._forget()
            for bucket in self._buckets.values():
                seconds = bucket.wait(demand, now)
                if longest < seconds <= LONGEST_BELIEVED_SECONDS:
                    longest, reason = seconds, bucket.now(now)
        return longest, reason

    def take(self, demand: Demand) -> None:
        """Count a call that begins."""
        with self._lock:
            for bucket in self._buckets.values():
                bucket.take(demand)

    def known(self) -> tuple[RateLimit, ...]:
        """Return every limit that is known, as it stands now."""
        with self._lock:
            now = self._forget()
            return tuple(bucket.now(now) for bucket in self._buckets.values())

    def _forget(self) -> float:
        """Drop the limits that are whole again; return the time."""
        now = self._clock()
        for name in [name for name, bucket in self._buckets.items() if bucket.is_over(now)]:
            del self._buckets[name]
        return now
