"""Verdicts on tool calls, and the port to the person who approves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

from victor.messages import Effect, ToolCall


class Mode(StrEnum):
    """What the agent may do now."""

    BUILD = "build"
    """Everything that the rules allow."""
    PLAN = "plan"
    """Read, and think of a plan."""
    EXPLORE = "explore"
    """Read, with a wider budget."""


@dataclass(frozen=True, slots=True)
class Allow:
    """The call may run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deny:
    """The call must not run; the model is told the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must say."""

    question: str
    reason: str


Verdict: TypeAlias = Allow | Deny | Ask


@dataclass(frozen=True, slots=True)
class CallReview:
    """What safety is told of a call."""

    call: ToolCall
    effect: Effect
    known: bool = True
    """False where there is no such tool."""
    undoable: bool = True
    """Whether a checkpoint stands behind it."""


@runtime_checkable
class IApprover(Protocol):
    """Asks a person."""

    async def approve(self, call: ToolCall, question: str) -> bool:
        """Return whether the person lets the call run."""
        ...
