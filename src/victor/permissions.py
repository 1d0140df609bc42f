"""Permission rules: `tool`, or `tool(pattern)` of a path, a command or a host.

In paths `*` stays within a folder and `**` crosses folders; in commands and hosts `*` is anything.
A backslash takes the meaning from `*`, `?` and itself. Rules that forbid rather hit too much, rules
that allow rather too little.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from victor.errors import ConfigError
from victor.guarded import PROTECTED, is_protected, plain_path
from victor.messages import Effect
from victor.protocols import CallReview, CommandFacts, PlainCommand

LISTS = ("allow", "ask", "deny")

_RULE = re.compile(r"(?P<tool>[\w.*?:-]+)(?:\((?P<pattern>.+)\))?", re.DOTALL)
_SIGNS = re.compile(r"(\\[*?\\]|\*\*/|\*\*|\*|\?)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    text: str
    tool: re.Pattern[str]
    pattern: str = ""
    """What it names of the tool's calls; empty where it names all."""
    path: re.Pattern[str] = field(default=re.compile(r"(?!)"), repr=False)
    """The pattern as one of paths."""
    loose: re.Pattern[str] = field(default=re.compile(r"(?!)"), repr=False)
    """The same without case, for what must not be got around by another spelling."""
    command: re.Pattern[str] = field(default=re.compile(r"(?!)"), repr=False)
    """The pattern as one of commands and hosts."""
    where: str = ""
    """The file, or whatever else, that it stands in."""

    def __str__(self) -> str:
        return f"{self.text} (in {self.where})" if self.where else self.text

    @property
    def names_protected(self) -> bool:
        """Whether it was written with a protected name in mind."""
        return any(part in PROTECTED for part in self.pattern.split("/"))

    def is_about(self, *tools: str) -> bool:
        """Return whether it is about one of these tools."""
        return any(self.tool.fullmatch(tool) for tool in tools)

    def touches(self, review: CallReview, facts: CommandFacts | None) -> bool:
        """Return whether the call is, or may be, or contains what the rule names."""
        access = review.access
        if not self.is_about(review.call.name):
            return False
        if not self.pattern or not access.known:
            return True
        if facts is not None:
            texts = (*facts.parts, *(command.text for command in facts.commands))
            return any(self.command.fullmatch(text) for text in texts)
        return any(map(self.names, access.paths)) or any(
            self.command.fullmatch(host) for host in access.hosts
        )

    def names(self, path: str) -> bool:
        """Return whether the rule names the file, in whichever spelling."""
        path = path.removeprefix("./")
        return any(self.loose.fullmatch(one) for one in (path, plain_path(path)))

    def covers(self, review: CallReview) -> bool:
        """Return whether a call that is no command is nothing but what the rule names."""
        access = review.access
        if not self.is_about(review.call.name):
            return False
        if not self.pattern:
            return True
        if not access.known or not (access.paths or access.hosts):
            return False
        return all(self.path.fullmatch(path) for path in access.paths) and all(
            self.command.fullmatch(host) for host in access.hosts
        )

    def covers_line(self, line: str) -> bool:
        """Return whether it is about all commands, or spells out this one."""
        return not self.pattern or self.pattern == escaped(line)

    def covers_command(self, command: PlainCommand) -> bool:
        """Return whether it names the command, and every word by which that does more."""
        if not self.command.fullmatch(command.text):
            return False
        return self.pattern == escaped(command.text) or all(
            escaped(risk) in self.pattern.split() for risk in command.risks
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """The three lists."""

    allow: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, permissions: Mapping[str, Any]) -> Rules:
        """Return the rules of the setting `permissions`. Raises `ConfigError`."""
        unknown = [name for name in permissions if name not in LISTS]
        if unknown:
            raise ConfigError(f"permissions has no list {unknown[0]!r}. Known: {', '.join(LISTS)}.")
        return cls(**{name: tuple(map(rule, permissions.get(name, ()))) for name in LISTS})

    def __add__(self, other: Rules) -> Rules:
        return Rules(self.allow + other.allow, self.ask + other.ask, self.deny + other.deny)

    def located(self, places: Mapping[str, Mapping[str, str]]) -> Rules:
        """Return the rules with where they stand: for each list, the place of each text."""

        def placed(name: str) -> tuple[Rule, ...]:
            known = places.get(name, {})
            rules: tuple[Rule, ...] = getattr(self, name)
            return tuple(replace(one, where=known.get(one.text, one.where)) for one in rules)

        return Rules(*map(placed, LISTS))

    def allowing(
        self, review: CallReview, facts: CommandFacts | None, *, reading: bool = True
    ) -> tuple[Rule, ...]:
        """Return the rules that together allow all of the call; none where something is left.

        `reading` says whether commands that only read need no rule.
        """
        about = [rule for rule in self.allow if rule.is_about(review.call.name)]
        if facts is None:
            kept = protected_path(review)
            covering = (rule for rule in about if rule.covers(review))
            return tuple(rule for rule in covering if rule.names_protected or not kept)[:1]
        line = review.access.command.strip(" ")
        if not facts.caution and (exact := [rule for rule in about if rule.covers_line(line)]):
            return tuple(exact[:1])
        found: list[Rule] = []
        for command in facts.commands:
            fitting = [] if command.caution else [r for r in about if r.covers_command(command)]
            if not fitting and not (command.harmless and reading):
                return ()
            found += fitting[:1]
        return tuple(found)

    def hidden_from(self, tool: str, *, asked: bool = False) -> tuple[re.Pattern[str], ...]:
        """Return the files that are denied to `tool` or to `read`, or asked about before `read`.

        The latter only where nobody was `asked`.
        """
        found = [rule for rule in self.deny if rule.pattern and rule.is_about(tool, "read")]
        if tool != "read" and not asked:
            found += [rule for rule in self.ask if rule.pattern and rule.is_about("read")]
        return tuple(rule.loose for rule in found)

    def let_read(self, facts: CommandFacts, *, masked: bool) -> bool:
        """Return whether commands that only read get around no rule that keeps files from that.

        `masked` says that what such rules name cannot be read by the commands.
        """
        limits = [one for one in (*self.deny, *self.ask) if one.is_about("read", "grep")]
        if not limits:
            return True
        if not masked or not all(one.pattern for one in limits):
            return False
        return not any(
            command.kept or any(one.names(word) for one in limits for word in words(command))
            for command in facts.commands
        )


def rule(text: Any) -> Rule:
    """Return the rule that is written so. Raises `ConfigError`."""
    match = _RULE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(
            f"permissions: {text!r} is no rule. Write a tool's name, or one with a pattern, as in"
            " shell(git status*), write(docs/**) or web_fetch(*.python.org)."
        )
    tool = re.compile(_expression(match["tool"], any_character="."))
    if match["pattern"] is None:
        return Rule(text, tool)
    pattern = match["pattern"].strip().removeprefix("./")
    command = _expression(pattern, any_character=".")
    if pattern.endswith(" *"):
        # `git *` means git with or without arguments.
        command = f"{_expression(pattern[:-2], any_character='.')}(?:\\s.*)?"
    path = _expression(pattern, any_character="[^/]")
    return Rule(
        text,
        tool,
        pattern,
        re.compile(path, re.DOTALL),
        re.compile(path, re.DOTALL | re.IGNORECASE),
        re.compile(command, re.DOTALL),
    )


def escaped(text: str) -> str:
    """Return the pattern that means this very text."""
    return re.sub(r"([*?\\])", r"\\\1", text)


def words(command: PlainCommand) -> tuple[str, ...]:
    """Return the words of the command, and what stands behind `=` or `:` in them."""
    found = shlex.split(command.text)
    return (*found, *(piece for word in found for piece in re.split("[=:]", word)[1:]))


def narrowest(review: CallReview, facts: CommandFacts | None) -> tuple[tuple[str, ...], bool]:
    """Return the rules that cover this call and as few others as can be.

    And whether they may be kept in settings; those that may not are keys to this very call, as of
    one that is aimed at somebody: its files say nothing of that.
    """
    call, access = review.call, review.access
    if facts is not None:
        line = access.command.strip(" ")
        if not facts.commands:
            return (f"{call.name}({escaped(line)})",), True
        needed = [command for command in facts.commands if not command.harmless]
        texts = dict.fromkeys(command.text for command in needed or facts.commands)
        lasting = not any(command.caution for command in facts.commands)
        return tuple(f"{call.name}({escaped(text)})" for text in texts), lasting
    if access.known and (access.paths or access.hosts) and review.targets is None:
        named = (*access.paths, *access.hosts)
        return tuple(f"{call.name}({escaped(name)})" for name in named), True
    arguments = json.dumps(dict(call.arguments), sort_keys=True, default=repr)
    return (f"{call.name}({arguments})",), False


def rule_places(
    source: str, merged: Any, others: tuple[tuple[str, Any], ...]
) -> dict[str, dict[str, str]]:
    """Return where each rule stands: `merged` is of `source` but for what `others` say."""
    places: dict[str, dict[str, str]] = {name: {} for name in LISTS}
    for where, permissions in (*others, (source, merged)):
        for name in LISTS if isinstance(permissions, Mapping) else ():
            for text in permissions.get(name) or ():
                places[name].setdefault(text, where)
    return places


def protected_path(review: CallReview) -> str:
    """Return the first path with a protected name in it that the call changes; empty if none."""
    if review.effect is Effect.READ_ONLY:
        return ""
    paths = review.access.paths
    return next((path for path in paths if any(map(is_protected, path.split("/")))), "")


def _expression(pattern: str, *, any_character: str) -> str:
    """Return the expression of a pattern where `**` crosses what `any_character` leaves out."""
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": f"{any_character}*", "?": any_character}
    return "".join(
        signs.get(piece) or re.escape(piece[1:] if _is_escape(piece) else piece)
        for piece in _SIGNS.split(pattern)
        if piece
    )


def _is_escape(piece: str) -> bool:
    return len(piece) == 2 and piece[0] == "\\" and piece[1] in "*?\\"
