"""Likeness of spelling, where nothing that knows meaning is installed."""

from __future__ import annotations

import math

from victor.relevance import words

_GRAM = 3


class SpellingLikeness:
    """Compares texts by the trigrams of their words, which meet across endings and joined words.

    "config" finds "configuration", and "screenshot" finds "take_screen_shot".
    """

    def index(self, texts: tuple[str, ...]) -> SpellingIndex:
        """Return an index of `texts`."""
        return SpellingIndex(texts)


class SpellingIndex:
    """Texts as sets of trigrams, a rare one worth more than a common one."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._grams = [_grams(text) for text in texts]
        seen: dict[str, int] = {}
        for grams in self._grams:
            for gram in grams:
                seen[gram] = seen.get(gram, 0) + 1
        self._rarity = {gram: math.log(1 + len(texts) / count) for gram, count in seen.items()}

    def scores(self, query: str) -> list[float]:
        """Return how much of the query's trigrams each text has, from 0 for none up to 1."""
        asked = {gram: self._rarity[gram] for gram in _grams(query) if gram in self._rarity}
        total = sum(asked.values()) or 1.0
        return [
            sum(weight for gram, weight in asked.items() if gram in grams)
            / (total * math.sqrt(len(grams) or 1))
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
