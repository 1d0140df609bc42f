"""How a session and its turns go: ends, context, parts. Part of `victor.events`."""

from __future__ import annotations

from dataclasses import dataclass

from victor.messages import Response
from victor.values import quick


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A session was opened for writing."""

    session_id: str
    resumed: bool = False


@quick
@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The user's message is on record."""

    session_id: str
    turn_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """What the agent may do has changed."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PlanWritten:
    """The plan of the session was written or changed in `plan` mode, and is on record."""

    path: str
    """The file that it is in."""
    text: str
    """All of it, as Markdown."""


@dataclass(frozen=True, slots=True)
class ContextCompacted:
    """Messages were dropped or shortened so that the context fits."""

    strategy: str
    reason: str
    messages_before: int
    messages_after: int
    tokens_before: int
    tokens_after: int
    what: tuple[str, ...] = ()
    """What was left out, shortened and added, in words."""
    kept: str = ""
    """The file that has what was left out, word for word; empty where it was not kept."""
    summary_tokens: int = 0
    """Tokens of the model calls that it took."""
    cost: float | None = 0.0
    """US dollars of these calls by list price; None where the price is unknown."""


@dataclass(frozen=True, slots=True)
class HistoryRepaired:
    """A history that no vendor would accept was brought to the nearest valid one."""

    source: str
    """Who made it: a strategy's name, `resume`, or `cancel`."""
    repairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoordinatorFailed:
    """A part failed; the turn went on with its fallback unless the part is critical."""

    coordinator: str
    operation: str
    error: str
    critical: bool = False


@dataclass(frozen=True, slots=True)
class CoordinatorRecovered:
    """A part that was switched off after repeated failures works again."""

    coordinator: str


@quick
@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The turn is done and on record."""

    response: Response
    seconds: float


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """The turn ended with an error. What was recorded stays."""

    turn_id: str
    error: str
    error_type: str


@dataclass(frozen=True, slots=True)
class TurnCancelled:
    """The turn was cancelled. The history is valid."""

    turn_id: str
