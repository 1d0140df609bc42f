"""What a record adds to its session as listed, in every store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from victor.protocols import Record

LAST = frozenset({"ended", "failed", "cancelled"})
"""The kinds that end a turn and carry its figures."""

_MOST = 2**53
"""Figures beyond this are nonsense, and would not fit everywhere."""


class Figures(NamedTuple):
    """What records add to the totals; named as in `SessionInfo`."""

    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_turns: int = 0
    seconds: float = 0.0

    def plus(self, other: Figures) -> Figures:
        """Return the sum of both."""
        return Figures(
            self.turns + other.turns,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.unpriced_turns + other.unpriced_turns,
            self.seconds + other.seconds,
        )


def figures(record: Record) -> Figures:
    """Return what the record adds.

    Only a turn that ended counts as one; what the others took was spent all the same.
    """
    if record.kind not in LAST:
        return Figures()
    data = record.data
    cost = _number(data, "cost_usd")
    return Figures(
        turns=1 if record.kind == "ended" else 0,
        input_tokens=int(_number(data, "input_tokens") or 0),
        output_tokens=int(_number(data, "output_tokens") or 0),
        cost_usd=float(cost or 0),
        unpriced_turns=1 if cost is None and _number(data, "model_calls") else 0,
        seconds=float(_number(data, "seconds") or 0),
    )


def totals(records: Iterable[Record]) -> Figures:
    """Return what the records add up to."""
    total = Figures()
    for record in records:
        total = total.plus(figures(record))
    return total


def _number(data: Mapping[str, Any], key: str) -> float | None:
    """Return the figure, or None where there is none that can be one."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and 0 <= value <= _MOST else None
