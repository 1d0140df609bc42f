"""Tool selection by meaning."""

from __future__ import annotations

from victor.messages import ToolSpec
from victor.protocols import ScoredTool
from victor.protocols.likeness import ITextIndex, ITextLikeness


class SemanticStrategy:
    """Ranks tools by how alike what they say of themselves is to the task."""

    def __init__(self, likeness: ITextLikeness) -> None:
        self._likeness = likeness
        self._tools: tuple[ToolSpec, ...] | None = None
        self._index: ITextIndex | None = None

    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        """Return every tool, best first; equal ones in the given order."""
        if self._index is None or tools is not self._tools:
            self._index, self._tools = self._likeness.index(tuple(map(text_of, tools))), tools
        scored = [
            ScoredTool(tool, score, f"alike to {max(score, 0.0):.0%}")
            for tool, score in zip(tools, self._index.scores(task), strict=True)
        ]
        return tuple(sorted(scored, key=lambda one: -one.score))


def text_of(tool: ToolSpec) -> str:
    """Return what a tool says of itself: its name, its description, the names of its arguments."""
    return f"{tool.name} {tool.description} {' '.join(tool.parameters.get('properties', {}))}"
