"""Tool calls and their results in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from victor.messages import ToolCall, ToolResult
from victor.visible import one_line

_TELLING = ("command", "path", "file_path", "file", "pattern", "query", "url", "name", "message")


def main_argument(call: ToolCall, limit: int = 200) -> str:
    """Return the argument that says best what the call is about, on one line; may be empty."""
    if call.invalid:
        return one_line(call.invalid, limit)
    value = _telling(call.arguments)
    return one_line(value if isinstance(value, str) else "", limit)


def _telling(arguments: Mapping[str, Any]) -> Any:
    for key in _TELLING:
        if isinstance(arguments.get(key), str):
            return arguments[key]
    return next((value for value in arguments.values() if isinstance(value, str)), "")


def summary(result: ToolResult, limit: int = 120) -> str:
    """Return the result in one line: its first words, and how many lines follow."""
    lines = [line for line in result.content.splitlines() if line.strip()]
    if not lines:
        return "no output"
    more = f" (+{len(lines) - 1} lines)" if len(lines) > 1 else ""
    return one_line(lines[0], limit - len(more)) + more


def duration(seconds: float) -> str:
    """Return a time for people: `0.1 s`, `12 s`, `3 min 20 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
