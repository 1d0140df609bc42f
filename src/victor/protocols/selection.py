"""The port to tool selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from victor.messages import ToolSpec


@dataclass(frozen=True, slots=True)
class ScoredTool:
    """A tool with what speaks for offering it."""

    tool: ToolSpec
    score: float
    """The higher the more relevant; comparable within one query only."""
    reason: str


@runtime_checkable
class IToolSelectionStrategy(Protocol):
    """Ranks tools by their worth for a task."""

    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        """Return every tool of `tools`, best first, with its score and the reason."""
        ...
