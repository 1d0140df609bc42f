"""Strategies that choose which tools to offer.

`STRATEGIES` has the built-in ones by the names that `tool_selection_strategy` takes, beside `all`,
which ranks nothing; each is loaded when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from victor.protocols.selection import (
    IToolSelectionStrategy,
    ScoredTool,
    register_tool_selection_strategy,
)

__all__ = [
    "STRATEGIES",
    "IToolSelectionStrategy",
    "ScoredTool",
    "register_tool_selection_strategy",
]


def _loaded_on_use(module: str, name: str) -> Callable[[], IToolSelectionStrategy]:
    def make() -> IToolSelectionStrategy:
        found = getattr(import_module(f"victor.selection.{module}"), name)
        strategy: IToolSelectionStrategy = found()
        return strategy

    return make


STRATEGIES: Mapping[str, Callable[[], IToolSelectionStrategy]] = MappingProxyType(
    {
        "keyword": _loaded_on_use("keyword", "KeywordStrategy"),
        "hybrid": _loaded_on_use("hybrid", "HybridStrategy"),
    }
)
"""The built-in strategies by name, each a factory."""
