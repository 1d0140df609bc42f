"""Compaction strategies: how a context that grew too large is made smaller.

`strategies` gives the built-in ones by the names that `context_compaction_strategy` takes; each is
loaded when it is asked for. `register_compaction_strategy` adds one of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from victor.protocols.context import (
    BaseCompactionStrategy,
    CompactionRequest,
    ICompactionStrategy,
    register_compaction_strategy,
)
from victor.protocols.likeness import ITextLikeness

__all__ = [
    "BaseCompactionStrategy",
    "CompactionRequest",
    "ICompactionStrategy",
    "register_compaction_strategy",
    "strategies",
]


def strategies(
    likeness: Callable[[], ITextLikeness | None] = lambda: None,
) -> Mapping[str, Callable[[], ICompactionStrategy]]:
    """Return the built-in strategies by name, each a factory.

    `likeness` gives what knows meaning, or None: then relevance goes by words alone.
    """

    def loaded(module: str, name: str, *given: Callable[[], Any]) -> ICompactionStrategy:
        make = getattr(import_module(f"victor.context.{module}"), name)
        strategy: ICompactionStrategy = make(*(give() for give in given))
        return strategy

    return {
        "truncation": partial(loaded, "truncation", "TruncationStrategy"),
        "tool_results": partial(loaded, "tool_results", "ToolResultsStrategy"),
        "semantic": partial(loaded, "semantic", "SemanticStrategy", likeness),
        "summarization": partial(loaded, "summarization", "SummarizationStrategy"),
        "hybrid": partial(loaded, "hybrid", "HybridStrategy", likeness),
        "native": partial(loaded, "native", "NativeStrategy", likeness),
    }
