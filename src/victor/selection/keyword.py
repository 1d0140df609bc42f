"""Tool selection by the words that a task and a tool share."""

from __future__ import annotations

from victor.messages import ToolSpec
from victor.protocols import ScoredTool
from victor.relevance import Bm25, merged, weights

NAME_WEIGHT = 3.0
"""How much more a word in a tool's name counts than one in its description."""
PARAMETER_WEIGHT = 0.5

_REASON_WORDS = 5


class KeywordStrategy:
    """Ranks by BM25 over names, descriptions and parameters."""

    def __init__(self) -> None:
        self._tools: tuple[ToolSpec, ...] | None = None
        self._index = Bm25(())
        self._words: list[dict[str, float]] = []

    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        """Return every tool, best first; equal ones in the given order."""
        self._read(tools)
        query = weights(task)
        scored = [
            ScoredTool(tool, score, self._reason(query, index, score))
            for index, (tool, score) in enumerate(
                zip(tools, self._index.scores(query), strict=True)
            )
        ]
        return tuple(sorted(scored, key=lambda one: -one.score))

    def _read(self, tools: tuple[ToolSpec, ...]) -> None:
        if tools is not self._tools:
            self._words = [words_of(tool) for tool in tools]
            self._index = Bm25(self._words)
            self._tools = tools

    def _reason(self, query: dict[str, float], index: int, score: float) -> str:
        if score <= 0:
            return "shares no word"
        shared = sorted(
            (word for word in query if word in self._words[index]),
            key=lambda word: -self._index.rarity(word),
        )
        return f"shares the words {', '.join(shared[:_REASON_WORDS])}"


def words_of(tool: ToolSpec) -> dict[str, float]:
    """Return a tool's words: of its name, its description and its parameters, weighted."""
    return merged(
        weights(tool.name, NAME_WEIGHT),
        weights(tool.description),
        *(
            weights(f"{name} {schema.get('description', '')}", PARAMETER_WEIGHT)
            for name, schema in tool.parameters.get("properties", {}).items()
            if isinstance(schema, dict)
        ),
    )
