"""Figures against published ones, and what must hold of any."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.evaluation.statistics import difference, effective_tries, pass_at_k, wilson

TRIES = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("passed", "tried", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(
    passed: int, tried: int, low: float, high: float
) -> None:
    assert wilson(passed, tried) == pytest.approx((low, high), abs=5e-5)


def test_where_nothing_was_tried_anything_may_be_true() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(TRIES)
def test_the_rate_lies_in_its_interval(tries: tuple[int, int]) -> None:
    passed, tried = tries
    low, high = wilson(passed, tried)
    assert 0 <= low <= passed / tried <= high <= 1


@pytest.mark.parametrize(
    ("before", "after", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17, 873-890), table II, method 10.
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((2, 7), (6, 7), 0.0582, 0.8062),
        ((0, 29), (5, 56), -0.0381, 0.1926),
    ],
)
def test_newcombes_interval_is_the_published_one(
    before: tuple[int, int], after: tuple[int, int], low: float, high: float
) -> None:
    old, new = (passed / tried for passed, tried in (before, after))
    gap, interval = difference((old, before[1]), (new, after[1]))
    assert gap == pytest.approx(new - old)
    assert interval == pytest.approx((low, high), abs=5e-5)


@settings(max_examples=30)
@given(
    st.integers(1, 7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n)))
)
def test_pass_at_k_is_the_share_of_choices_with_a_pass(case: tuple[int, int, int]) -> None:
    passed, tried, k = case
    tries = [number < passed for number in range(tried)]
    choices = list(combinations(tries, k))
    expected = sum(map(any, choices)) / len(choices)
    assert pass_at_k(passed, tried, k) == pytest.approx(expected)


@pytest.mark.parametrize("k", [0, 4])
def test_pass_at_k_of_fewer_tries_is_unknown(k: int) -> None:
    assert pass_at_k(1, 3, k) is None


def test_tries_that_always_agree_are_worth_one_each_task() -> None:
    assert effective_tries([[True] * 5, [False] * 5, [True] * 5]) == pytest.approx(3)


def test_where_all_tries_came_out_the_same_only_the_tasks_count() -> None:
    assert effective_tries([[True] * 5] * 4) == pytest.approx(4)


def test_tries_that_do_not_resemble_each_other_all_count() -> None:
    assert effective_tries([[True, False]] * 10) == pytest.approx(20)


def test_single_tries_and_a_single_task_count_as_they_are() -> None:
    assert effective_tries([[True], [False], []]) == 2
    assert effective_tries([[True, False, True]]) == 3
    assert effective_tries([]) == 0


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=2, max_size=8))
def test_tries_are_worth_no_more_than_they_are(groups: list[list[bool]]) -> None:
    assert 0 < effective_tries(groups) <= sum(map(len, groups)) + 1e-9
