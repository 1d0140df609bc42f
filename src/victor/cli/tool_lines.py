"""Tool calls and their results in a few words."""

from __future__ import annotations

import re

from victor.messages import ToolResult
from victor.transcript.words import about as main_argument
from victor.transcript.words import counted, duration
from victor.visible import one_line

_SUCCESS = "[exit code 0]"
_EXIT = re.compile(r"\[exit code -?\d+\]")

__all__ = ["duration", "main_argument", "summary"]


def summary(result: ToolResult, limit: int = 120, *, command: bool = False) -> str:
    """Return the result in one line: its first words, and how many lines follow.

    Of a `command` it is the last words, as they say how it ended.
    """
    lines = [line for line in result.content.splitlines() if line.strip()]
    if not lines:
        return "no output"
    ended = ""
    if command and len(lines) > 1 and _EXIT.fullmatch(lines[-1]):
        ended = lines.pop()
    others = counted(len(lines) - 1, "line") + (" before" if command else "")
    more = f" (+{others})" if len(lines) > 1 else ""
    more += f" {ended}" if ended and ended != _SUCCESS else ""
    return one_line(lines[-1 if command else 0], limit - len(more)) + more
