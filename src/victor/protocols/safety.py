"""Verdicts on tool calls, and the port to the person who approves."""

from __future__ import annotations

import re
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
    hidden: tuple[re.Pattern[str], ...] = ()
    """Names of files, as `Access.paths` has them, that must not be shown by it."""


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
class Access:
    """What a call reaches for, as permission rules see it."""

    paths: tuple[str, ...] = ()
    """Files that it reads or changes, links resolved: relative to the workspace, with `/`;
    absolute where they are outside."""
    command: str = ""
    """The shell command that it runs."""
    known: bool = True
    """False where it cannot be told; then a rule that forbids some of it forbids it all."""


@dataclass(frozen=True, slots=True)
class CommandFacts:
    """What can be said of a shell command without running it."""

    parts: tuple[str, ...]
    """Every command that may be in it; rather one too many than one too few."""
    plain: bool = False
    """One program with its arguments: nothing that the shell would expand, join or redirect."""
    harmless: bool = False
    """Plain, and known to read files of the workspace at most."""


@dataclass(frozen=True, slots=True)
class CallReview:
    """What safety is told of a call."""

    call: ToolCall
    effect: Effect
    known: bool = True
    """False where there is no such tool."""
    undoable: bool = True
    """Whether a checkpoint stands behind it."""
    access: Access = Access(known=False)
    """What it reaches for."""


class Approval(StrEnum):
    """A person's answer where yes and no are not enough."""

    ONCE = "once"
    SESSION = "session"
    """Yes, and to the same call for the rest of the session."""
    REFUSED = "refused"


@runtime_checkable
class IApprover(Protocol):
    """Asks a person."""

    async def approve(self, call: ToolCall, question: str) -> bool | Approval:
        """Return whether the person lets the call run; True is `Approval.ONCE`."""
        ...
