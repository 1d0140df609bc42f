"""Compaction strategies: how a context that grew too large is made smaller.

`STRATEGIES` has the built-in ones by the names that `context_compaction_strategy` takes; each is
loaded when it is asked for. `register_compaction_strategy` adds one of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from victor.protocols.context import (
    BaseCompactionStrategy,
    CompactionRequest,
    ICompactionStrategy,
    register_compaction_strategy,
)

__all__ = [
    "STRATEGIES",
    "BaseCompactionStrategy",
    "CompactionRequest",
    "ICompactionStrategy",
    "register_compaction_strategy",
]


def _loaded_on_use(module: str, name: str) -> Callable[[], ICompactionStrategy]:
    def make() -> ICompactionStrategy:
        strategy: ICompactionStrategy = getattr(import_module(f"victor.context.{module}"), name)()
        return strategy

    return make


STRATEGIES: Mapping[str, Callable[[], ICompactionStrategy]] = MappingProxyType(
    {
        "truncation": _loaded_on_use("truncation", "TruncationStrategy"),
        "tool_results": _loaded_on_use("tool_results", "ToolResultsStrategy"),
        "semantic": _loaded_on_use("semantic", "SemanticStrategy"),
        "summarization": _loaded_on_use("summarization", "SummarizationStrategy"),
        "hybrid": _loaded_on_use("hybrid", "HybridStrategy"),
    }
)
"""The built-in strategies by name, each a factory."""
