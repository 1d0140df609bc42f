"""How well texts answer a query, by their words: BM25, offline, in plain Python."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

_WORD = re.compile(
    r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+"  # the parts of fooBar, HTTPServer and foo_bar
    r"|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # scripts without spaces: each sign is a word
    r"|[^\W\d_a-zA-Z]+"
)
_STOP_WORDS = """
    a an and are as at be been but by can could did do does for from had has have how i if in into
    is it its let me my no not now of on one or our please should so some than that the their them
    then there these they this to too up us use want was we were what when which who will
    with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", ""))
_SHORTEST_STEM = 3


def words(text: str) -> list[str]:
    """Return the words of `text` that carry meaning: lower case, split at case, stemmed lightly."""
    return [_stem(word) for word in telling_words(text)]


def telling_words(text: str) -> list[str]:
    """Return the words of `text` that carry meaning, as `words`, but as they are written."""
    found = (word.lower() for word in _WORD.findall(text))
    return [word for word in found if word not in _STOP]


def weights(text: str, weight: float = 1.0) -> dict[str, float]:
    """Return how often each word stands in `text`, times `weight`."""
    counted: dict[str, float] = {}
    # Texts repeat their words, and stemming is what costs.
    for word, times in Counter(_WORD.findall(text)).items():
        lower = word.lower()
        if lower not in _STOP:
            stem = _stem(lower)
            counted[stem] = counted.get(stem, 0.0) + times * weight
    return counted


def merged(*parts: Mapping[str, float]) -> dict[str, float]:
    """Return the weights of several texts, added up."""
    total: dict[str, float] = {}
    for part in parts:
        for word, weight in part.items():
            total[word] = total.get(word, 0.0) + weight
    return total


def _stem(word: str) -> str:
    if not word.isascii():
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            if ending == "s" and word.endswith("ss"):
                return word
            return _undoubled(word[: -len(ending)]) + instead
    return word


def _undoubled(stem: str) -> str:
    # "running" and "run" are one word, "selling" and "sell" too.
    doubled = len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2] and stem[-1] not in "lsz"
    return stem[:-1] if doubled else stem


class Bm25:
    """Scores a fixed set of documents against queries (Robertson and Zaragoza, 2009)."""

    def __init__(
        self, documents: Sequence[Mapping[str, float]], *, k1: float = 1.2, b: float = 0.75
    ) -> None:
        """Index documents given as word to weight; a weight is a count or a multiple of one."""
        self._size = len(documents)
        lengths = [sum(document.values()) for document in documents]
        mean = (sum(lengths) / self._size if self._size else 0.0) or 1.0
        found: dict[str, list[tuple[int, float]]] = {}
        for index, document in enumerate(documents):
            norm = k1 * (1 - b + b * lengths[index] / mean)
            for word, weight in document.items():
                score = weight * (k1 + 1) / (weight + norm)
                found.setdefault(word, []).append((index, score))
        self._postings = {word: (self._rarity(len(hits)), hits) for word, hits in found.items()}

    def scores(self, query: Mapping[str, float]) -> list[float]:
        """Return the score of every document, in order; 0 where no word is shared."""
        scores = [0.0] * self._size
        for word, weight in query.items():
            rarity, hits = self._postings.get(word, (0.0, ()))
            for index, score in hits:
                scores[index] += weight * rarity * score
        return scores

    def rarity(self, word: str) -> float:
        """Return how much a word tells: the fewer documents have it, the more; 0 if none has."""
        return self._postings.get(word, (0.0, ()))[0]

    def _rarity(self, hits: int) -> float:
        return math.log(1 + (self._size - hits + 0.5) / (hits + 0.5))
