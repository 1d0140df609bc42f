"""What may be spent, and what was: reserved before a call at its worst, settled after it.

A budget may stand below another: what is spent below counts above as well, so that everything that
runs under one turn, or one session, draws on the same purse. Not thread-safe: one event loop.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from victor.errors import BudgetExceeded
from victor.values import quick

_UNITS_PER_DOLLAR = 10**12
"""Dollars are counted in whole trillionths, so that no sum of them is ever rounded."""

_TIMER_SLACK = 0.01


class Kind(StrEnum):
    """What can run out, beside time."""

    TOKENS = "tokens"
    """Sent and generated, cached or not."""
    USD = "usd"
    """US dollars by list price."""
    MODEL_CALLS = "model_calls"
    TOOL_CALLS = "tool_calls"


_SPOKEN = {
    Kind.TOKENS: "tokens",
    Kind.USD: "US dollars",
    Kind.MODEL_CALLS: "model calls",
    Kind.TOOL_CALLS: "tool calls",
}


@quick
@dataclass(frozen=True, slots=True)
class Amounts:
    """What something takes."""

    tokens: int = 0
    usd: float = 0.0
    model_calls: int = 0
    tool_calls: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.tokens + other.tokens,
            self.usd + other.usd,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
        )

    def beyond(self, other: Amounts) -> Amounts:
        """Return by how much each is more than in `other`; nothing where it is not."""
        return Amounts(
            max(0, self.tokens - other.tokens),
            max(0.0, self.usd - other.usd),
            max(0, self.model_calls - other.model_calls),
            max(0, self.tool_calls - other.tool_calls),
        )

    def counted(self) -> dict[Kind, int]:
        """Return the amounts in whole units, dollars rounded up."""
        return {
            Kind.TOKENS: self.tokens,
            Kind.USD: math.ceil(self.usd * _UNITS_PER_DOLLAR),
            Kind.MODEL_CALLS: self.model_calls,
            Kind.TOOL_CALLS: self.tool_calls,
        }


NOTHING = Amounts()


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What may be spent at most; None leaves it free."""

    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None
    model_calls: int | None = None
    tool_calls: int | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in self.__slots__)


class _Purse:
    """The books of one budget, without those above it."""

    def __init__(self, name: str, limits: BudgetLimits, clock: Callable[[], float]) -> None:
        self.name = name
        self.limits = limits
        self.allowed = {
            kind: int(limit * _UNITS_PER_DOLLAR) if kind is Kind.USD else limit
            for kind in Kind
            if (limit := getattr(limits, kind.value)) is not None
        }
        self.spent = dict.fromkeys(Kind, 0)
        self.reserved = dict.fromkeys(Kind, 0)
        self.waiting: set[asyncio.Future[None]] = set()
        self._clock = clock
        self._seconds = 0.0
        self._running = 0
        self._since = 0.0

    @property
    def seconds(self) -> float:
        return self._seconds + (self._clock() - self._since if self._running else 0.0)

    def room(self, kind: Kind) -> int:
        return max(0, self.allowed[kind] - self.spent[kind] - self.reserved[kind])

    def check(self, wanted: dict[Kind, int]) -> None:
        for kind, allowed in self.allowed.items():
            taken = self.spent[kind] + self.reserved[kind]
            if wanted[kind] and taken + wanted[kind] > allowed:
                unit = _UNITS_PER_DOLLAR if kind is Kind.USD else 1
                raise BudgetExceeded(
                    f"{self.name}_{kind}",
                    limit=allowed / unit,
                    spent=taken / unit,
                    wanted=wanted[kind] / unit,
                    unit=_SPOKEN[kind],
                )

    def reserve(self, wanted: dict[Kind, int]) -> None:
        for kind in Kind:
            self.reserved[kind] += wanted[kind]

    def settle(self, reserved: dict[Kind, int], spent: dict[Kind, int]) -> None:
        for kind in Kind:
            self.reserved[kind] -= reserved[kind]
            self.spent[kind] += spent[kind]
        for waiting in self.waiting:
            if not waiting.done():
                waiting.set_result(None)

    def charge(self, spent: dict[Kind, int], seconds: float) -> None:
        self._seconds += seconds
        for kind in Kind:
            self.spent[kind] += spent[kind]

    def start(self) -> None:
        if not self._running:
            self._since = self._clock()
        self._running += 1

    def stop(self) -> None:
        self._running -= 1
        if not self._running:
            self._seconds += self._clock() - self._since


class Budget:
    """A purse with limits, and the budgets above it that it draws on as well.

    `name` begins the names of its limits in errors: that of the settings, `budget_turn`, or your
    own. Its seconds are those in which something runs under it: the time between turns is free.
    """

    def __init__(
        self,
        limits: BudgetLimits,
        *,
        name: str = "budget",
        parent: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._own = _Purse(name, limits, clock)
        self.purses: tuple[_Purse, ...] = (self._own, *(parent.purses if parent else ()))
        """Its own books and those above."""

    @property
    def spent(self) -> Amounts:
        """What was settled, of itself and of everything below it."""
        spent = self._own.spent
        dollars = spent[Kind.USD] / _UNITS_PER_DOLLAR
        return Amounts(spent[Kind.TOKENS], dollars, spent[Kind.MODEL_CALLS], spent[Kind.TOOL_CALLS])

    @property
    def seconds(self) -> float:
        """For how long something has run under it."""
        return self._own.seconds

    @property
    def contended(self) -> bool:
        """Whether something is reserved, here or above, and may yet come back."""
        return any(any(purse.reserved.values()) for purse in self.purses)

    def holds(self, kind: Kind) -> str:
        """Return the name of the nearest limit on `kind`; empty where there is none."""
        names = (f"{purse.name}_{kind}" for purse in self.purses if kind in purse.allowed)
        return next(names, "")

    def room(self, kind: Kind) -> float:
        """Return what is neither spent nor reserved of `kind`; infinity where nothing limits it."""
        rooms = [purse.room(kind) for purse in self.purses if kind in purse.allowed]
        room = min(rooms, default=math.inf)
        return room / _UNITS_PER_DOLLAR if kind is Kind.USD else room

    def seconds_left(self) -> float | None:
        """Return for how long something may still run; None where nothing limits it."""
        left = [
            purse.limits.seconds - purse.seconds
            for purse in self.purses
            if purse.limits.seconds is not None
        ]
        return max(0.0, min(left)) if left else None

    def reserve(self, most: Amounts) -> Reservation:
        """Set `most` aside, here and above. Raises `BudgetExceeded`, and then nothing is."""
        wanted = most.counted()
        for purse in self.purses:
            purse.check(wanted)
        for purse in self.purses:
            purse.reserve(wanted)
        return Reservation(self.purses, wanted)

    def spend(self, amounts: Amounts) -> None:
        """Take `amounts` at once. Raises `BudgetExceeded`, and then nothing is taken."""
        self.reserve(amounts).settle(amounts)

    def remember(self, amounts: Amounts, seconds: float = 0.0) -> None:
        """Count what was spent before, such as until a session was resumed, here and not above."""
        self._own.charge(amounts.counted(), seconds)

    def out_of_time(self) -> BudgetExceeded | None:
        """Return the error for a budget here or above whose seconds are over; None if none is."""
        for purse in self.purses:
            limit, taken = purse.limits.seconds, purse.seconds
            # A timer may fire a little before its time.
            if limit is not None and taken >= limit - _TIMER_SLACK:
                name = f"{purse.name}_seconds"
                return BudgetExceeded(name, limit=limit, spent=taken, wanted=0, unit="seconds")
        return None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time within, once however much runs at the same time."""
        for purse in self.purses:
            purse.start()
        try:
            yield
        finally:
            for purse in self.purses:
                purse.stop()

    async def changed(self) -> None:
        """Wait until something that was reserved, here or above, is settled."""
        waiting = asyncio.get_running_loop().create_future()
        for purse in self.purses:
            purse.waiting.add(waiting)
        try:
            await waiting
        finally:
            for purse in self.purses:
                purse.waiting.discard(waiting)


class Reservation:
    """What was set aside, until it is settled."""

    __slots__ = ("_purses", "_reserved")

    def __init__(self, purses: tuple[_Purse, ...], reserved: dict[Kind, int]) -> None:
        self._purses = purses
        self._reserved: dict[Kind, int] | None = reserved

    def settle(self, actual: Amounts) -> None:
        """Put back what was set aside and count `actual` instead. A second call does nothing."""
        reserved, self._reserved = self._reserved, None
        if reserved is not None:
            for purse in self._purses:
                purse.settle(reserved, actual.counted())
