"""What can be said of a shell command without running it, for permission rules.

Conservative on both sides: `parts` rather names a command too many, so that a rule against one
finds it; `harmless` is only what is wholly understood.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from victor.protocols import CommandFacts

_SYNTAX = re.compile(r"[\n\r;&|<>()`${}*?\[\]~#!\\\x00-\x08\x0b-\x1f\x7f]")
"""Signs by which a shell does more than start one program; also inside quotes, to be sure."""

_SEPARATORS = re.compile(r"[\n\r;&|<>()`{}\"']|\$\(")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*\s+")
_WRAPPERS = frozenset(
    {
        "builtin",
        "command",
        "do",
        "doas",
        "else",
        "env",
        "eval",
        "exec",
        "if",
        "ionice",
        "nice",
        "nohup",
        "setsid",
        "stdbuf",
        "sudo",
        "then",
        "time",
        "timeout",
        "until",
        "while",
        "xargs",
    }
)
_FLAGS_AND_NUMBERS = re.compile(r"-\S*|\d[\d.]*[smhd]?")


@dataclass(frozen=True, slots=True)
class _Harmless:
    """What a program may be given and still only reads."""

    options: re.Pattern[str]
    paths: bool = True
    """Whether it may be given names of files."""


def _options(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


_ANY_LETTERS = _options(r"-[A-Za-z0-9]+")
_FILTER = _Harmless(
    _options(r"-[A-Za-z0-9]+|--(?:lines|bytes|words|number|unified|brief)(?:=\d+)?")
)
_PROGRAMS: Mapping[str, _Harmless] = {
    "basename": _FILTER,
    "cat": _FILTER,
    "cmp": _FILTER,
    "cut": _FILTER,
    "diff": _FILTER,
    "dirname": _FILTER,
    "du": _FILTER,
    "echo": _FILTER,
    "false": _FILTER,
    "grep": _Harmless(
        _options(r"-[A-QS-Za-z0-9]*|--(?:include|exclude|exclude-dir|count|line-number)(?:=[^/]*)?")
    ),
    "head": _FILTER,
    "id": _Harmless(_ANY_LETTERS, paths=False),
    "ls": _Harmless(_options(r"-[A-Za-z0-9]+|--(?:all|almost-all|human-readable|recursive)")),
    "nl": _FILTER,
    "pwd": _Harmless(_ANY_LETTERS, paths=False),
    "stat": _FILTER,
    "tail": _Harmless(_options(r"-[cnqvz]?\d*|--(?:lines|bytes)=\d+")),
    "true": _FILTER,
    "uname": _Harmless(_ANY_LETTERS, paths=False),
    "wc": _FILTER,
    "which": _FILTER,
    "whoami": _Harmless(_ANY_LETTERS, paths=False),
}
_GIT_OPTIONS = _options(
    r"-\d+|-[abnpqsuvw]|-n\d+|--(?:oneline|stat|shortstat|numstat|name-only|name-status|cached"
    r"|staged|short|branch|porcelain|graph|all|decorate|patch|no-patch|summary|list|verbose"
    r"|abbrev-commit|reverse|follow|show-current|others|modified|no-color|no-pager|merges"
    r"|no-merges|first-parent|max-count=\d+|(?:author|grep|since|until|after|before)=[^/]*)"
)
_GIT = frozenset(
    {"blame", "describe", "diff", "log", "ls-files", "rev-parse", "shortlog", "show", "status"}
)
_GIT_WITHOUT_NAMES = frozenset({"branch", "remote", "tag"})
"""These list when given options only, and change something when given a name."""

_TELL_VERSION = frozenset(
    {
        "cargo",
        "gcc",
        "git",
        "go",
        "java",
        "make",
        "node",
        "npm",
        "pip",
        "python",
        "python3",
        "rustc",
    }
)


class CommandAnalyst:
    """Looks at commands that would run in `workspace`."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = Path(os.path.realpath(workspace))

    def __call__(self, command: str) -> CommandFacts:
        """Return what can be said of `command`."""
        words = _words(command)
        harmless = bool(words) and self._is_harmless(words)
        return CommandFacts(_parts(command), plain=bool(words), harmless=harmless)

    def _is_harmless(self, words: list[str]) -> bool:
        program, *arguments = words
        if arguments in (["--version"], ["-V"]) and program in _TELL_VERSION:
            return True
        if program == "git":
            return self._is_harmless_git(arguments)
        known = _PROGRAMS.get(program)
        if known is None:
            return False
        names = [word for word in arguments if not known.options.fullmatch(word)]
        return self._are_inside(names) and (known.paths or not names)

    def _is_harmless_git(self, arguments: list[str]) -> bool:
        if not arguments:
            return False
        action, *rest = arguments
        names = [word for word in rest if word != "--" and not _GIT_OPTIONS.fullmatch(word)]
        if action in _GIT_WITHOUT_NAMES:
            return not names
        return action in _GIT and self._are_inside(names)

    def _are_inside(self, names: list[str]) -> bool:
        """Return whether these can be names of nothing but what is in the workspace."""
        for name in names:
            if name.startswith(("-", "/")) or ".." in name:
                return False
            try:
                found = Path(os.path.realpath(self._workspace / name))
            except (OSError, ValueError):
                return False
            if not found.is_relative_to(self._workspace):
                return False
        return True


def _words(command: str) -> list[str]:
    """Return the program and its arguments; nothing where the shell would do more than that."""
    if _SYNTAX.search(command):
        return []
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    if not words or "=" in words[0] or "/" in words[0]:
        return []
    return words


def _parts(command: str) -> tuple[str, ...]:
    """Return the whole, everything between two signs of syntax, and each without its wrappers."""
    found: dict[str, None] = {command.strip(): None}
    for piece in (*_SEPARATORS.split(command), *_SEPARATORS.split(_unquoted(command))):
        part = piece.strip()
        while part:
            found[part] = None
            found[_without_folder(part)] = None
            part = _unwrapped(part)
    return tuple(found)


def _unquoted(command: str) -> str:
    """Return the command as the shell reads words such as `r'm'` and `r\\m`."""
    return re.sub(r"[\"'\\]", "", command)


def _unwrapped(part: str) -> str:
    """Return what a wrapper, an assignment or an option in front of it starts; empty if nothing."""
    assignment = _ASSIGNMENT.match(part)
    if assignment:
        return part[assignment.end() :].strip()
    first, _, rest = part.partition(" ")
    if first.rpartition("/")[2] in _WRAPPERS or _FLAGS_AND_NUMBERS.fullmatch(first) or first == "!":
        return rest.strip()
    return ""


def _without_folder(part: str) -> str:
    first, space, rest = part.partition(" ")
    return f"{first.rpartition('/')[2]}{space}{rest}"
