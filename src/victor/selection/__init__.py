"""Strategies that choose which tools to offer.

`strategies` gives the built-in ones by the names that `tool_selection_strategy` takes, beside
`all`, which ranks nothing; each is loaded when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from victor.errors import ConfigError
from victor.protocols.likeness import ITextLikeness
from victor.protocols.selection import (
    IToolSelectionStrategy,
    ScoredTool,
    register_tool_selection_strategy,
)

__all__ = [
    "IToolSelectionStrategy",
    "ScoredTool",
    "register_tool_selection_strategy",
    "strategies",
]


def strategies(
    likeness: Callable[[], ITextLikeness | None] = lambda: None,
) -> Mapping[str, Callable[[], IToolSelectionStrategy]]:
    """Return the built-in strategies by name, each a factory.

    `likeness` gives what knows meaning, or None: then `hybrid` compares the spelling, and asking
    for `semantic` raises `ConfigError`.
    """

    def keyword() -> IToolSelectionStrategy:
        from victor.selection.keyword import KeywordStrategy

        return KeywordStrategy()

    def semantic() -> IToolSelectionStrategy:
        from victor.selection.semantic import SemanticStrategy

        found = likeness()
        if found is None:
            raise ConfigError(
                "Tool selection `semantic` needs word embeddings, which are not installed.",
                hint="pip install 'victor-ai[embeddings]', or choose `hybrid`, which does without.",
            )
        return SemanticStrategy(found)

    def hybrid() -> IToolSelectionStrategy:
        from victor.selection.hybrid import HybridStrategy
        from victor.selection.spelling import SpellingLikeness

        return HybridStrategy(likeness() or SpellingLikeness())

    return {"keyword": keyword, "semantic": semantic, "hybrid": hybrid}
