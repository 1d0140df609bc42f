"""What a session may spend, what it has spent, and the share of each of its turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from victor.budget import NOTHING, Amounts, Budget, BudgetLimits
from victor.protocols import Record

_ENDS = frozenset({"ended", "failed", "cancelled"})
"""The kinds of records that say what a turn took."""


class SessionBudget:
    """Makes the budgets of turns, each below the session's, below the one that was given."""

    def __init__(self, parent: Budget | None, config: Mapping[str, Any]) -> None:
        self._parent = parent
        self._session: Budget | None = None
        self._before = (NOTHING, 0.0)
        self.configure(config)

    @property
    def current(self) -> Budget | None:
        """What everything in the session draws on; None where nothing limits it."""
        return self._session or self._parent

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt the settings `budget_...`. What was spent stays spent."""
        self._turn = turn_limits(config) or None
        limits = session_limits(config)
        if self._session is not None and self._session.limits == limits:
            return
        spent, seconds = self._spent()
        self._before = (spent, seconds)
        if not limits:
            self._session = None
            return
        # Only the session's own books: those above have counted all of it already.
        self._session = Budget(limits, name="budget_session", parent=self._parent)
        self._session.remember(spent, seconds)

    def restore(self, records: Iterable[Record]) -> None:
        """Count what the recorded turns of the session took."""
        for record in records:
            if record.kind in _ENDS and record.data:
                taken, seconds = _taken(record.data)
                self._before = (self._before[0] + taken, self._before[1] + seconds)
                if self._session is not None:
                    self._session.remember(taken, seconds)

    def of_turn(self) -> Budget | None:
        """Return the budget of the next turn; None where nothing limits it."""
        if self._turn is None:
            return self.current
        return Budget(self._turn, name="budget_turn", parent=self.current)

    def _spent(self) -> tuple[Amounts, float]:
        if self._session is None:
            return self._before
        return self._session.spent, self._session.seconds


def turn_limits(config: Mapping[str, Any]) -> BudgetLimits:
    """Return the limits on a turn among the settings."""
    return BudgetLimits(
        tokens=config.get("budget_turn_tokens"),
        usd=config.get("budget_turn_usd"),
        seconds=config.get("budget_turn_seconds"),
        model_calls=config.get("budget_turn_model_calls"),
        tool_calls=config.get("budget_turn_tool_calls"),
    )


def session_limits(config: Mapping[str, Any]) -> BudgetLimits:
    """Return the limits on a session among the settings."""
    return BudgetLimits(
        tokens=config.get("budget_session_tokens"),
        usd=config.get("budget_session_usd"),
        seconds=config.get("budget_session_seconds"),
        model_calls=config.get("budget_session_model_calls"),
        tool_calls=config.get("budget_session_tool_calls"),
    )


def _taken(data: Mapping[str, Any]) -> tuple[Amounts, float]:
    amounts = Amounts(
        tokens=data.get("input_tokens", 0) + data.get("output_tokens", 0),
        usd=data.get("cost_usd") or 0.0,
        model_calls=data.get("model_calls", 0),
        tool_calls=data.get("tool_calls", 0),
    )
    failed = Amounts(
        tokens=data.get("failed_tokens", 0),
        usd=data.get("failed_cost_usd", 0.0),
        model_calls=data.get("failed_model_calls", 0),
    )
    return amounts + failed, data.get("seconds", 0.0)
