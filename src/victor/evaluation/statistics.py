"""What a number of passes says: intervals, pass@k, and the difference of two runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

_Z: Final = 1.959964
"""Two-sided 95 %."""


class Interval(NamedTuple):
    """Where a true value lies, with 95 % confidence."""

    low: float
    high: float


def wilson(passed: float, tried: float) -> Interval:
    """Return the interval of a pass rate (Wilson 1927); 0 to 1 where nothing was tried."""
    if tried <= 0:
        return Interval(0.0, 1.0)
    rate = passed / tried
    square = _Z * _Z
    centre = (rate + square / (2 * tried)) / (1 + square / tried)
    spread = rate * (1 - rate) / tried + square / (4 * tried * tried)
    half = _Z * math.sqrt(spread) / (1 + square / tried)
    # The rate lies in it whatever is lost in rounding.
    return Interval(max(0.0, min(centre - half, rate)), min(1.0, max(centre + half, rate)))


def effective_tries(groups: Sequence[Sequence[bool]]) -> float:
    """Return how many independent tries the tries of several tasks are worth.

    Tries of one task resemble each other, so ten tasks tried three times say less than thirty
    tasks. The number is divided by Kish's design effect, with the correlation within tasks from
    the analysis of variance: between the number of tasks (they always agree) and of tries.
    """
    tasks = [group for group in groups if group]
    tried = sum(map(len, tasks))
    if len(tasks) < 2 or tried == len(tasks):
        return float(tried)
    mean = sum(map(sum, tasks)) / tried
    rates = [sum(task) / len(task) for task in tasks]
    size = (tried - sum(len(task) ** 2 for task in tasks) / tried) / (len(tasks) - 1)
    pairs = list(zip(tasks, rates, strict=True))
    between = sum(len(task) * (rate - mean) ** 2 for task, rate in pairs) / (len(tasks) - 1)
    within = sum(len(task) * rate * (1 - rate) for task, rate in pairs) / (tried - len(tasks))
    total = between + (size - 1) * within
    # Where every try came out the same, nothing tells the tasks from their tries: be careful.
    correlation = max(0.0, (between - within) / total) if total else 1.0
    return tried / (1 + (tried / len(tasks) - 1) * correlation)


def pass_at_k(passed: int, tried: int, k: int) -> float | None:
    """Return the chance that at least one of `k` tries passes; None for fewer than `k` tries.

    The unbiased estimate of Chen et al. (2021).
    """
    if not 1 <= k <= tried:
        return None
    return 1.0 - math.comb(tried - passed, k) / math.comb(tried, k)


def difference(before: tuple[float, float], after: tuple[float, float]) -> tuple[float, Interval]:
    """Return after minus before of two pass rates, and its interval.

    Each is (rate, effective tries). The interval is Newcombe's hybrid score (1998, method 10).
    """
    (old, old_tries), (new, new_tries) = before, after
    old_low, old_high = wilson(old * old_tries, old_tries)
    new_low, new_high = wilson(new * new_tries, new_tries)
    gap = new - old
    low = gap - math.hypot(new - new_low, old_high - old)
    high = gap + math.hypot(new_high - new, old - old_low)
    return gap, Interval(max(-1.0, low), min(1.0, high))
