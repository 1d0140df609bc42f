"""Likeness by static word vectors: the mean of what a text's words stand for.

The vectors come inside the wheel of `wordllama` (256 numbers a token) and nothing is fetched. A
static vector costs microseconds where a sentence model costs tens of milliseconds, so that a whole
conversation can be compared, not only a handful of tools.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.relevance import telling_words

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

_REMEMBERED = 20_000
"""Texts whose vectors are kept: about 20 MB."""

_loading = threading.Lock()
_loaded: list[Any] = []
"""The vectors of this process, once loaded; they take 17 MB and never change."""


class StaticVectors:
    """Compares texts by the mean vectors of the words that carry meaning.

    Words such as "the" are left out first: on questions put to several hundred tools that alone
    finds a fifth of the tools that were missed.
    """

    def __init__(self) -> None:
        self._known: dict[str, NDArray[float32]] = {}
        self._lock = threading.Lock()

    def index(self, texts: tuple[str, ...]) -> StaticVectorIndex:
        """Return an index of `texts`; one that was seen lately costs nothing."""
        return StaticVectorIndex(self, self.vectors(texts))

    def vectors(self, texts: tuple[str, ...]) -> NDArray[float32]:
        """Return one row of length 1 for each text; of length 0 where it has no telling word."""
        import numpy as np

        with self._lock:
            missing = tuple(dict.fromkeys(text for text in texts if text not in self._known))
            if missing:
                if len(self._known) + len(missing) > _REMEMBERED:
                    self._known = {text: self._known[text] for text in texts if text in self._known}
                self._known.update(zip(missing, _embed(missing), strict=True))
            if not texts:
                return np.zeros((0, 1), np.float32)
            return np.stack([self._known[text] for text in texts])


class StaticVectorIndex:
    """Texts as rows of vectors."""

    def __init__(self, source: StaticVectors, rows: NDArray[float32]) -> None:
        self._source = source
        self._rows = rows

    def scores(self, query: str) -> list[float]:
        """Return the cosine of each text with `query`, in order."""
        if not len(self._rows):
            return []
        (wanted,) = self._source.vectors((query,))
        scores: list[float] = (self._rows @ wanted).tolist()
        return scores


def _embed(texts: tuple[str, ...]) -> NDArray[float32]:
    import numpy as np

    telling = [" ".join(telling_words(text)) for text in texts]
    # A text of no words has no tokens to take the mean of; a space has one.
    raw = _vectors().embed([text or " " for text in telling], norm=False)
    raw[[not text for text in telling]] = 0
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    rows: NDArray[float32] = raw / np.where(lengths == 0, 1, lengths)
    return rows


def _vectors() -> Any:
    with _loading:
        if not _loaded:
            with _logging_left_alone():
                import wordllama

            folder = Path(wordllama.__file__).parent
            _loaded.append(wordllama.WordLlama.load(cache_dir=folder, disable_download=True))
        return _loaded[0]


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """Keep an import from setting logging up: that is the application's, and nothing is done where
    there is a handler already."""
    root, here = logging.getLogger(), logging.NullHandler()
    root.addHandler(here)
    try:
        yield
    finally:
        root.removeHandler(here)
