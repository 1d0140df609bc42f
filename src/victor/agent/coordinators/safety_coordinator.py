"""Whether a tool call may run. Fails closed: what is not understood is asked for or denied.

In this order: the mode, deny rules, what a person allowed for the session, ask rules, allow rules,
and then what the tool declares. The rule that decided is the reason.
"""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from victor.errors import ConfigError
from victor.messages import Effect, ToolCall
from victor.protocols import (
    Allow,
    Approval,
    Ask,
    CallReview,
    CommandFacts,
    Deny,
    IApprover,
    Mode,
    Verdict,
)

_V = TypeVar("_V", bound=Verdict)

Analyze: TypeAlias = Callable[[str], CommandFacts]
"""Says what a shell command is, without running it."""

PROTECTED = (".git", ".victor")
"""Folders whose files can make programs run later; changing them always needs a person's word."""

_BEFOREHAND = "A rule in the setting permissions can allow it beforehand."
QUESTION_CHARACTERS = 2_000

_RULE = re.compile(r"(?P<tool>[\w.*?-]+)(?:\((?P<pattern>.+)\))?", re.DOTALL)
_LISTS = ("allow", "ask", "deny")
_APPROVALS = ("ask", "always", "never")


@dataclass(frozen=True, slots=True)
class _Rule:
    """`tool` or `tool(pattern)`."""

    text: str
    tool: re.Pattern[str]
    path: re.Pattern[str] | None
    """Where there is a pattern: what it is as one of paths, `*` staying within a folder."""
    command: re.Pattern[str] | None
    """Where there is a pattern: what it is as one of commands, `*` being anything."""
    pattern: str = ""
    protected: bool = False
    """Whether it names a protected folder, and so was written with that in mind."""

    def names(self, *tools: str) -> bool:
        """Return whether it is about one of these tools."""
        return any(self.tool.fullmatch(tool) for tool in tools)

    def touches(self, review: CallReview, facts: CommandFacts | None) -> bool:
        """Return whether the call is, or may be, or contains what the rule names."""
        if not self.tool.fullmatch(review.call.name):
            return False
        if self.path is None or self.command is None or not review.access.known:
            return True
        if facts is not None:
            return any(self.command.fullmatch(part) for part in facts.parts)
        return any(self.path.fullmatch(path) for path in review.access.paths)

    def covers(self, review: CallReview, facts: CommandFacts | None) -> bool:
        """Return whether the call is nothing but what the rule names."""
        if not self.tool.fullmatch(review.call.name):
            return False
        if self.path is None or self.command is None:
            return True
        access = review.access
        if not access.known:
            return False
        if facts is not None:
            command = access.command.strip()
            return command == self.pattern or (
                facts.plain and self.command.fullmatch(command) is not None
            )
        return bool(access.paths) and all(self.path.fullmatch(path) for path in access.paths)


class SafetyCoordinator:
    """Decides by rules, modes and declared effects, and lets a person decide the rest.

    `rules` are as the setting `permissions`, and hold beside it. Without `approver` nobody
    can be asked. Without `analyze` no command counts as harmless. `trusted` names the tools that
    the application itself handed over: they run without asking unless a rule says otherwise.
    """

    def __init__(
        self,
        rules: Mapping[str, tuple[str, ...]] | None = None,
        approver: IApprover | None = None,
        *,
        analyze: Analyze | None = None,
        trusted: tuple[str, ...] = (),
    ) -> None:
        self._approver = approver
        self._analyze = analyze or _unknown_command
        self._trusted = frozenset(trusted)
        self._own_rules = self._rules = _compiled(rules or {})
        self._approve = "ask"
        self._granted: dict[str, str] = {}
        self._asked: dict[str, str] = {}

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `permissions` and `approve`. Raises `ConfigError` and then keeps what holds."""
        configured = _compiled(config.get("permissions") or {})
        approve = str(config.get("approve") or self._approve)
        if approve not in _APPROVALS:
            raise ConfigError(f"approve must be one of {', '.join(_APPROVALS)}, not {approve!r}.")
        self._rules = {name: self._own_rules[name] + configured[name] for name in _LISTS}
        self._approve = approve

    @property
    def granted(self) -> tuple[str, ...]:
        """What a person has allowed for the rest of the session, as rules."""
        return tuple(self._granted.values())

    def forget_granted(self) -> None:
        """Take back what was allowed for the session."""
        self._granted.clear()

    async def review(self, reviews: tuple[CallReview, ...], mode: Mode) -> tuple[Verdict, ...]:
        """Return one verdict for each call, in order.

        What a rule keeps from being read is hidden from calls that may run, such as a search.
        """
        self._asked = {}
        return tuple(self._hiding(review.call, self._verdict(review, mode)) for review in reviews)

    async def ask(self, call: ToolCall, verdict: Ask) -> Allow | Deny:
        """Let a person decide; without one, or when asking fails, deny."""
        return self._hiding(call, await self._answer(call, verdict))

    async def _answer(self, call: ToolCall, verdict: Ask) -> Allow | Deny:
        if self._approver is None:
            return self._unasked(verdict)
        try:
            answer = await self._approver.approve(call, verdict.question)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Deny("the question was not answered")
        except Exception as error:  # noqa: BLE001  # an approver of anybody's; then nothing runs
            return Deny(f"the question could not be asked: {type(error).__name__}: {error}")
        rule = self._asked.pop(call.id, "")
        match answer:
            case Approval.SESSION if rule:
                self._granted[rule] = rule
                return Allow(f"you allowed {rule} for this session")
            case True | Approval.ONCE | Approval.SESSION:
                return Allow("you allowed it")
            case _:
                return Deny("the person refused it")

    def _unasked(self, verdict: Ask) -> Allow | Deny:
        if self._approve == "always":
            return Allow("approve = always")
        return Deny(f"{verdict.reason}, and there is nobody to ask. {_BEFOREHAND}")

    def _verdict(self, review: CallReview, mode: Mode) -> Verdict:
        if not review.known:
            return Deny("there is no such tool")
        if mode is not Mode.BUILD and review.effect is not Effect.READ_ONLY:
            return Deny(f"{review.call.name} changes things, and the mode is {mode}")
        facts = self._analyze(review.access.command) if review.access.command else None
        for rule in self._rules["deny"]:
            if rule.touches(review, facts):
                return Deny(f"rule deny {rule.text}")
        key = _narrowest(review)
        if key in self._granted:
            return Allow(f"you allowed {key} for this session")
        for rule in self._rules["ask"]:
            if rule.touches(review, facts):
                return self._ask(review, f"rule ask {rule.text}")
        for rule in self._rules["allow"]:
            if rule.covers(review, facts) and (rule.protected or not _protected(review)):
                return Allow(f"rule allow {rule.text}")
        return self._by_nature(review, facts)

    def _by_nature(self, review: CallReview, facts: CommandFacts | None) -> Verdict:
        """Decide by what the tool declares, where no rule does."""
        if review.effect is Effect.READ_ONLY:
            return Allow("it only reads")
        if protected := _protected(review):
            return self._ask(review, f"{protected} is protected")
        if review.call.name in self._trusted:
            return Allow("the application's own tool")
        if facts is not None and facts.harmless and not self._limits_reading():
            return Allow("a command that only reads")
        return self._ask(review, "it runs a command" if facts is not None else "it changes things")

    def _hiding(self, call: ToolCall, verdict: _V) -> _V | Allow:
        if not isinstance(verdict, Allow):
            return verdict
        hidden = self._hidden(call.name)
        return Allow(verdict.reason, hidden) if hidden else verdict

    def _hidden(self, tool: str) -> tuple[re.Pattern[str], ...]:
        """Return the files that are denied to `tool` or to `read`, or asked about before `read`."""
        found = [rule.path for rule in self._rules["deny"] if rule.names(tool, "read")]
        if tool != "read":
            found += [rule.path for rule in self._rules["ask"] if rule.names("read")]
        return tuple(path for path in found if path is not None)

    def _limits_reading(self) -> bool:
        """Return whether a rule keeps files from being read, which a command would get around."""
        limits = (*self._rules["deny"], *self._rules["ask"])
        return any(rule.names("read", "grep") for rule in limits)

    def _ask(self, review: CallReview, reason: str) -> Verdict:
        if self._approve == "always" and not _protected(review):
            return Allow(f"approve = always ({reason})")
        if self._approve == "never":
            return Deny(f"{reason}, and approve = never")
        if self._approver is None:
            return Deny(f"{reason}, and there is nobody to ask. {_BEFOREHAND}")
        self._asked[review.call.id] = _narrowest(review)
        return Ask(_question(review), reason)


def _compiled(permissions: Mapping[str, Any]) -> Mapping[str, tuple[_Rule, ...]]:
    unknown = [name for name in permissions if name not in _LISTS]
    if unknown:
        raise ConfigError(f"permissions has no list {unknown[0]!r}. Known: {', '.join(_LISTS)}.")
    return {name: tuple(map(_rule, permissions.get(name, ()))) for name in _LISTS}


def _rule(text: Any) -> _Rule:
    match = _RULE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(
            f"permissions: {text!r} is no rule. Write a tool's name, or one with a pattern, as in"
            " shell(git status*) or write(docs/**)."
        )
    tool = re.compile(_glob(match["tool"], any_character="."))
    pattern = match["pattern"]
    if pattern is None:
        return _Rule(text, tool, None, None)
    path = pattern.strip().removeprefix("./")
    command = _glob(path, any_character=".")
    if path.endswith(" *"):
        # `git *` means git with or without arguments.
        command = f"{_glob(path[:-2], any_character='.')}(?:\\s.*)?"
    return _Rule(
        text,
        tool,
        re.compile(_glob(path, any_character="[^/]"), re.DOTALL),
        re.compile(command, re.DOTALL),
        path,
        protected=any(folder in path for folder in PROTECTED),
    )


def _glob(pattern: str, *, any_character: str) -> str:
    """Return the expression of a pattern where `**` crosses what `any_character` leaves out."""
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": f"{any_character}*", "?": any_character}
    return "".join(
        pieces.get(piece, re.escape(piece))
        for piece in re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
        if piece
    )


def _protected(review: CallReview) -> str:
    """Return the first path of a protected folder that the call changes; empty if none."""
    if review.effect is Effect.READ_ONLY:
        return ""
    paths = review.access.paths
    return next(
        (p for p in paths if any(part.casefold() in PROTECTED for part in p.split("/"))), ""
    )


def _narrowest(review: CallReview) -> str:
    """Return the rule that names this call and as few others as can be."""
    call, access = review.call, review.access
    if access.command:
        return f"{call.name}({access.command})"
    if access.known and access.paths:
        return f"{call.name}({', '.join(access.paths)})"
    return f"{call.name}({json.dumps(dict(call.arguments), sort_keys=True, default=repr)})"


def _question(review: CallReview) -> str:
    call, access = review.call, review.access
    if access.command:
        what = f"Run this command?\n{visible(access.command)}"
    elif access.known and access.paths:
        what = f"Let {visible(call.name)} change {visible(', '.join(access.paths))}?"
    else:
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False, default=repr)
        what = f"Run {visible(call.name)} with {visible(arguments)}?"
    if len(what) > QUESTION_CHARACTERS:
        half = QUESTION_CHARACTERS // 2
        left_out = len(what) - 2 * half
        what = f"{what[:half]}\n[... {left_out:,} characters not shown ...]\n{what[-half:]}"
    return what if review.undoable else f"{what}\nIt cannot be undone."


def visible(text: str) -> str:
    """Return `text` with what a terminal would obey or hide, such as escapes, spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character == "\n" or character.isprintable() or character == " "
        else _spelled(character)
        for character in text
    )


def _spelled(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode()


def _unknown_command(command: str) -> CommandFacts:
    return CommandFacts((command,))
