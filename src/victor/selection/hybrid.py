"""Tool selection by words and by likeness of spelling together."""

from __future__ import annotations

import math

from victor.messages import ToolSpec
from victor.protocols import ScoredTool
from victor.relevance import words
from victor.selection.keyword import KeywordStrategy

SPELLING_SHARE = 0.4
"""How much likeness of spelling counts beside shared words, both taken relative to the best."""

_GRAM = 3


class HybridStrategy:
    """Ranks by BM25 and by trigrams of the words, which meet across endings and joined words.

    "config" finds "configuration", and "screenshot" finds "take_screen_shot". Every word of the
    task is asked for in each tool, a rare one more than a common one.
    """

    def __init__(self) -> None:
        self._keyword = KeywordStrategy()
        self._tools: tuple[ToolSpec, ...] | None = None
        self._grams: list[frozenset[str]] = []
        self._rarity: dict[str, float] = {}

    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        """Return every tool, best first; equal ones in the given order."""
        self._read(tools)
        by_words = {id(one.tool): one for one in self._keyword.rank(task, tools)}
        spelling = self._likeness(task)
        best_words = max((one.score for one in by_words.values()), default=0.0) or 1.0
        best_spelling = max(spelling, default=0.0) or 1.0
        scored: list[ScoredTool] = []
        for tool, alike in zip(tools, spelling, strict=True):
            by_word = by_words[id(tool)]
            score = by_word.score / best_words + SPELLING_SHARE * alike / best_spelling
            reason = by_word.reason
            if alike > 0:
                reason += f"; spelling alike to {alike / best_spelling:.0%} of the best"
            scored.append(ScoredTool(tool, score, reason))
        return tuple(sorted(scored, key=lambda one: -one.score))

    def _read(self, tools: tuple[ToolSpec, ...]) -> None:
        if tools is self._tools:
            return
        self._grams = [_grams(f"{tool.name} {tool.description}") for tool in tools]
        seen: dict[str, int] = {}
        for grams in self._grams:
            for gram in grams:
                seen[gram] = seen.get(gram, 0) + 1
        self._rarity = {gram: math.log(1 + len(tools) / count) for gram, count in seen.items()}
        self._tools = tools

    def _likeness(self, task: str) -> list[float]:
        """Return for each tool how much of the task's trigrams it has, by their rarity."""
        asked = {gram: self._rarity[gram] for gram in _grams(task) if gram in self._rarity}
        return [
            sum(weight for gram, weight in asked.items() if gram in grams)
            / math.sqrt(len(grams) or 1)
            for grams in self._grams
        ]


def _grams(text: str) -> frozenset[str]:
    """Return the trigrams of the words of `text`, with their borders."""
    return frozenset(
        padded[start : start + _GRAM]
        for word in words(text)
        for padded in (f"^{word}$",)
        for start in range(len(padded) - _GRAM + 1)
    )
