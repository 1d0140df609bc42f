"""The port to likeness of meaning between texts."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class ITextIndex(Protocol):
    """A fixed list of texts, ready to be compared with queries."""

    def scores(self, query: str) -> list[float]:
        """Return how alike in meaning each text is to `query`, in order: -1 to 1, 0 for unrelated.

        The same texts and query give the same scores.
        """
        ...


@runtime_checkable
class ITextLikeness(Protocol):
    """Compares texts by meaning, offline. What it needs is loaded when it is first asked."""

    def index(self, texts: tuple[str, ...]) -> ITextIndex:
        """Return an index of `texts`. Safe to call from any thread."""
        ...
