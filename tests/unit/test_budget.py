"""Budgets: what may be spent is never exceeded, wherever below it is spent."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor.budget import NOTHING, Amounts, Budget, BudgetLimits, Kind, Reservation
from victor.errors import BudgetExceeded

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_reserved_cannot_be_reserved_again() -> None:
    budget = Budget(BudgetLimits(tokens=100))
    budget.reserve(Amounts(tokens=60))
    with pytest.raises(BudgetExceeded):
        budget.reserve(Amounts(tokens=41))
    budget.reserve(Amounts(tokens=40))


def test_settling_gives_back_what_was_not_taken() -> None:
    budget = Budget(BudgetLimits(usd=1.0))
    budget.reserve(Amounts(usd=1.0)).settle(Amounts(usd=0.25))
    assert budget.spent.usd == 0.25
    assert budget.room(Kind.USD) == 0.75


def test_settling_twice_counts_once() -> None:
    budget = Budget(BudgetLimits(tokens=100))
    reservation = budget.reserve(Amounts(tokens=50))
    reservation.settle(Amounts(tokens=10))
    reservation.settle(Amounts(tokens=10))
    assert budget.spent.tokens == 10
    assert budget.room(Kind.TOKENS) == 90


def test_the_error_says_which_budget_how_much_and_how_to_raise_it() -> None:
    budget = Budget(BudgetLimits(usd=0.5), name="budget_turn")
    budget.spend(Amounts(usd=0.4))
    with pytest.raises(BudgetExceeded) as failure:
        budget.reserve(Amounts(usd=0.25))
    error = failure.value
    assert (error.budget, error.limit, error.spent, error.wanted) == (
        "budget_turn_usd",
        0.5,
        0.4,
        0.25,
    )
    assert "0.4 of 0.5 US dollars" in str(error)
    assert "setting budget_turn_usd" in error.hint
    assert not error.retryable


def test_what_is_spent_below_counts_above() -> None:
    session = Budget(BudgetLimits(model_calls=3), name="budget_session")
    first, second = (Budget(BudgetLimits(model_calls=2), parent=session) for _ in range(2))
    first.spend(Amounts(model_calls=2))
    second.spend(Amounts(model_calls=1))
    with pytest.raises(BudgetExceeded) as failure:
        second.spend(Amounts(model_calls=1))
    assert failure.value.budget == "budget_session_model_calls"
    assert session.spent.model_calls == 3


def test_a_refusal_above_leaves_nothing_reserved_below() -> None:
    session = Budget(BudgetLimits(tokens=10))
    turn = Budget(BudgetLimits(tokens=100), parent=session)
    with pytest.raises(BudgetExceeded):
        turn.reserve(Amounts(tokens=50))
    assert not turn.contended
    assert turn.room(Kind.TOKENS) == 10


def test_a_kind_that_is_spent_up_does_not_stop_another() -> None:
    budget = Budget(BudgetLimits(tool_calls=1))
    budget.spend(Amounts(tool_calls=1))
    budget.spend(Amounts(tokens=1_000_000, model_calls=1))
    assert math.isinf(budget.room(Kind.TOKENS))


def test_what_was_spent_before_counts_even_over_the_limit() -> None:
    budget = Budget(BudgetLimits(tokens=100, seconds=60))
    budget.remember(Amounts(tokens=150), seconds=70)
    assert budget.room(Kind.TOKENS) == 0
    assert budget.seconds_left() == 0
    with pytest.raises(BudgetExceeded):
        budget.spend(Amounts(tokens=1))


def test_time_counts_while_something_runs_and_once_for_all_of_it() -> None:
    clock = Clock()
    session = Budget(BudgetLimits(seconds=10), clock=clock)
    one, two = (Budget(BudgetLimits(), parent=session, clock=clock) for _ in range(2))
    clock.now = 100
    with one.running():
        clock.now += 2
        with two.running():
            clock.now += 3
        assert session.seconds_left() == 5
    clock.now += 1000
    assert session.seconds == 5
    assert one.seconds_left() == 5
    assert two.seconds == 3


def test_only_time_that_is_over_is_out_of_time() -> None:
    clock = Clock()
    session = Budget(BudgetLimits(seconds=10), name="budget_session", clock=clock)
    turn = Budget(BudgetLimits(seconds=20), name="budget_turn", parent=session, clock=clock)
    with turn.running():
        assert turn.out_of_time() is None
        clock.now += 10
        error = turn.out_of_time()
    assert error is not None
    assert error.budget == "budget_session_seconds"
    assert "10 of 10 seconds" in str(error)


def test_without_limits_nothing_is_limited_and_all_is_counted() -> None:
    budget = Budget(BudgetLimits())
    assert not budget.limits
    assert budget.seconds_left() is None
    assert budget.out_of_time() is None
    assert budget.holds(Kind.USD) == ""
    budget.spend(Amounts(1, 2.0, 3, 4))
    assert budget.spent == Amounts(1, 2.0, 3, 4)


def test_the_nearest_limit_is_named() -> None:
    session = Budget(BudgetLimits(usd=1), name="budget_session")
    turn = Budget(BudgetLimits(tokens=1), name="budget_turn", parent=session)
    assert turn.holds(Kind.USD) == "budget_session_usd"
    assert turn.holds(Kind.TOKENS) == "budget_turn_tokens"


async def test_one_that_waits_is_woken_by_a_settlement_of_another() -> None:
    session = Budget(BudgetLimits(tokens=100))
    reservation = Budget(BudgetLimits(), parent=session).reserve(Amounts(tokens=100))
    waiting = asyncio.create_task(Budget(BudgetLimits(), parent=session).changed())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert session.contended
    reservation.settle(NOTHING)
    await waiting
    assert not session.contended


amounts = st.builds(
    Amounts,
    tokens=st.integers(0, 60),
    usd=st.floats(0, 0.6, allow_nan=False),
    model_calls=st.integers(0, 2),
    tool_calls=st.integers(0, 3),
)
moves = st.lists(st.tuples(st.integers(0, 2), amounts, st.floats(0, 1), st.booleans()), max_size=60)
LIMITS = (
    BudgetLimits(tokens=200, usd=1.0, model_calls=9, tool_calls=10),
    BudgetLimits(tokens=90, usd=0.7),
    BudgetLimits(model_calls=5, tool_calls=4),
)


@given(moves)
def test_the_sum_never_exceeds_any_budget(steps: list[tuple[int, Amounts, float, bool]]) -> None:
    session = Budget(LIMITS[0])
    turn = Budget(LIMITS[1], parent=session)
    below = Budget(LIMITS[2], parent=turn)
    budgets = (session, turn, below)
    open_ones: list[tuple[Reservation, Amounts]] = []
    for which, most, share, settles in steps:
        if settles and open_ones:
            reservation, reserved = open_ones.pop(int(share * (len(open_ones) - 1)))
            reservation.settle(_part(reserved, share))
        else:
            try:
                open_ones.append((budgets[which].reserve(most), most))
            except BudgetExceeded:
                assert _over(budgets[which], most)
        for budget in budgets:
            _assert_held(budget)
    for reservation, reserved in open_ones:
        reservation.settle(reserved)
    for budget in budgets:
        _assert_held(budget)
        assert not budget.contended


def _part(most: Amounts, share: float) -> Amounts:
    return Amounts(
        int(most.tokens * share),
        most.usd * share,
        int(most.model_calls * share),
        int(most.tool_calls * share),
    )


def _over(budget: Budget, wanted: Amounts) -> bool:
    return any(getattr(wanted, kind.value) > budget.room(kind) - 1e-12 for kind in Kind)


def _assert_held(budget: Budget) -> None:
    for kind in Kind:
        limit = getattr(budget.limits, kind.value)
        if limit is not None:
            assert getattr(budget.spent, kind.value) <= limit
            assert budget.room(kind) >= 0
