"""What the drivers, workflows and evaluations, are handed: ways into the conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from victor.messages import JsonObject, Response, ToolResult

RunTurn: TypeAlias = Callable[[str], Awaitable[Response]]
"""Runs one turn: (the user's text) to its response. Raises `VictorError`."""

RunTool: TypeAlias = Callable[[str, JsonObject], Awaitable[ToolResult]]
"""Runs one tool, reviewed as the model's calls are: (name, arguments) to its result."""
