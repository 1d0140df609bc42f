"""Verdicts on tool calls, and the port to the person who approves."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

from victor.messages import Effect, ToolCall
from victor.values import quick


class Mode(StrEnum):
    """What the agent may do now."""

    BUILD = "build"
    """Everything that the rules allow."""
    PLAN = "plan"
    """Read, and think of a plan."""
    EXPLORE = "explore"
    """Read, with a wider budget."""


@quick
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
    rules: tuple[str, ...] = ()
    """What to allow so that this is not asked again, as narrow as can be; none where it always
    is."""
    lasting: bool = False
    """Whether the rules may be kept in settings."""
    hidden: tuple[re.Pattern[str], ...] | None = field(default=None, compare=False)
    """What must not be shown by the call even then, as `Allow.hidden`; None where rules say it."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Another call must run in its place. It is shown, recorded and reviewed, once."""

    call: ToolCall
    """Of the same id."""
    reason: str


Verdict: TypeAlias = Allow | Deny | Ask | Rewrite


@quick
@dataclass(frozen=True, slots=True)
class Access:
    """What a call reaches for, as permission rules see it."""

    paths: tuple[str, ...] = ()
    """Files that it reads or changes, links resolved: relative to the workspace, with `/`;
    absolute where they are outside."""
    command: str = ""
    """The shell command that it runs."""
    hosts: tuple[str, ...] = ()
    """Names or addresses of the machines that it talks to, lower case, without a port."""
    known: bool = True
    """False where it cannot be told; then a rule that forbids some of it forbids it all."""


@dataclass(frozen=True, slots=True)
class PlainCommand:
    """One program with its arguments, as a shell would start it."""

    text: str
    """Its words, each quoted where it needs to be, always in the same way."""
    harmless: bool = False
    """Whether it is known to read files of the workspace at most."""
    risks: tuple[str, ...] = ()
    """Words by which it does more than its name says, such as `-delete` of `find`. A rule with a
    wildcard covers it only where it names them all."""
    caution: str = ""
    """Why no rule is enough, such as a repository whose configuration starts programs."""
    wide: bool = False
    """Whether it shows what is in files that it does not name, as `grep -r` does."""
    kept: bool = False
    """Whether it shows what git keeps of files, which is to be read where they are not."""
    grave: str = ""
    """What it does that a conversation which has read foreign words must not do unasked."""


@dataclass(frozen=True, slots=True)
class CommandFacts:
    """What can be said of a shell command without running it."""

    parts: tuple[str, ...]
    """Every command that may be in it; rather one too many than one too few."""
    commands: tuple[PlainCommand, ...] = ()
    """Everything that it starts, where it is plain words joined by `&&`, `||`, `;` and `|`; else
    nothing."""
    unclear: str = ""
    """Why it is more than plain words; empty where it is not."""

    @property
    def harmless(self) -> bool:
        """Whether all that it starts is harmless."""
        return bool(self.commands) and all(command.harmless for command in self.commands)

    @property
    def caution(self) -> str:
        """Why no rule is enough for one of its commands; empty where there is no reason."""
        return next((command.caution for command in self.commands if command.caution), "")


@quick
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
    plan: bool = False
    """Whether all that it changes is the session's plan."""
    targets: tuple[str, ...] | None = None
    """Whom or what it is aimed at, as its tool tells; None where that does not."""


class Approval(StrEnum):
    """A person's answer where yes and no are not enough."""

    ONCE = "once"
    SESSION = "session"
    """Yes, and to what `Ask.rules` cover for the rest of the session."""
    TOOL = "tool"
    """Yes, and to every call of this tool for the rest of the session that no rule is about and
    nothing else speaks against. No answer to a command."""
    PROJECT = "project"
    """Yes, and the rules are kept in the project's settings."""
    USER = "user"
    """Yes, and the rules are kept in the person's own settings, for all projects."""
    REFUSED = "refused"


@runtime_checkable
class IAnswerer(Protocol):
    """Somebody who answers the model's questions; an approver may be one as well."""

    async def answer(self, question: str, choices: tuple[str, ...]) -> str | None:
        """Return what the person says, one of `choices` or anything else; None if nobody does."""
        ...


@runtime_checkable
class IApprover(Protocol):
    """Asks a person."""

    async def approve(self, call: ToolCall, question: str) -> bool | Approval:
        """Return whether the person lets the call run; True is `Approval.ONCE`."""
        ...


@runtime_checkable
class IRememberingApprover(IApprover, Protocol):
    """Asks a person, and shows what is kept of the answer before it is."""

    async def decide(self, call: ToolCall, ask: Ask) -> Approval | Rewrite:
        """Return the person's answer; a `Rewrite` where they changed the call."""
        ...


@runtime_checkable
class IRuleStore(Protocol):
    """Where rules are kept that a person wants to hold from now on."""

    def keep(self, rules: tuple[str, ...], place: Approval) -> str:
        """Add the rules to the list `allow` of `place`, and return the file they are in.

        Raises `ConfigError` where they cannot be kept.
        """
        ...
