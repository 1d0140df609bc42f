"""Tool calls and their results in a few words."""

from __future__ import annotations

from victor.messages import ToolResult
from victor.transcript.words import about as main_argument
from victor.transcript.words import counted, duration
from victor.visible import one_line

__all__ = ["duration", "main_argument", "summary"]


def summary(result: ToolResult, limit: int = 120) -> str:
    """Return the result in one line: its first words, and how many lines follow."""
    lines = [line for line in result.content.splitlines() if line.strip()]
    if not lines:
        return "no output"
    more = f" (+{counted(len(lines) - 1, 'line')})" if len(lines) > 1 else ""
    return one_line(lines[0], limit - len(more)) + more
