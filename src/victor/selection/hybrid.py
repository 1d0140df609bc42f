"""Tool selection by words and by likeness together."""

from __future__ import annotations

from victor.messages import ToolSpec
from victor.protocols import ScoredTool
from victor.protocols.likeness import ITextLikeness
from victor.selection.keyword import KeywordStrategy
from victor.selection.semantic import SemanticStrategy


class HybridStrategy:
    """Ranks by shared words and by likeness, each from 0 for the worst tool to 1 for the best.

    Words find the tool that is called by its name, likeness the one that is spoken of otherwise.
    """

    def __init__(self, likeness: ITextLikeness) -> None:
        self._by_words = KeywordStrategy()
        self._by_likeness = SemanticStrategy(likeness)

    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        """Return every tool, best first; equal ones in the given order. A score is 0 to 2."""
        words = {id(one.tool): one for one in self._by_words.rank(task, tools)}
        alike = {id(one.tool): one for one in self._by_likeness.rank(task, tools)}
        by_words = _spread(words)
        by_likeness = _spread(alike)
        scored = [
            ScoredTool(
                tool,
                by_words[id(tool)] + by_likeness[id(tool)],
                f"{words[id(tool)].reason}; {alike[id(tool)].reason}",
            )
            for tool in tools
        ]
        return tuple(sorted(scored, key=lambda one: -one.score))


def _spread(ranked: dict[int, ScoredTool]) -> dict[int, float]:
    """Return the scores between 0 and 1; all 0 where none is better than another."""
    scores = [one.score for one in ranked.values()]
    lowest, highest = min(scores, default=0.0), max(scores, default=0.0)
    width = highest - lowest or 1.0
    return {tool: (one.score - lowest) / width for tool, one in ranked.items()}
