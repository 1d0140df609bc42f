"""The port to tool selection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from victor.messages import ToolSpec
from victor.protocols.registry import Registry

FIND_TOOLS = "find_tools"
"""The tool that searches for the others. It is sent to the model only where some are not."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tool that was considered."""

    name: str
    score: float
    """Comparable within one ranking only; 0 where nothing was ranked."""
    reason: str
    offered: bool = True
    """Whether it is sent to the model."""


@dataclass(frozen=True, slots=True)
class ScoredTool:
    """A tool with what speaks for offering it."""

    tool: ToolSpec
    score: float
    """The higher the more relevant; comparable within one query only."""
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for tools came to."""

    tools: tuple[ScoredTool, ...] = ()
    """Those that are sent to the model from the next step on, the best first."""
    further: tuple[str, ...] = ()
    """Names of some that fit less."""


@runtime_checkable
class IToolSelectionStrategy(Protocol):
    """Ranks tools by their worth for a task."""

    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        """Return every tool of `tools`, best first, with its score and the reason.

        It is called in a thread of its own, so that it may take its time.
        """
        ...


tool_selection_strategies: Registry[IToolSelectionStrategy] = Registry(
    "tool selection strategy",
    IToolSelectionStrategy,
    hint=(
        "Register your own with victor.selection.register_tool_selection_strategy(name,"
        " StrategyClass) before the orchestrator is made."
    ),
)
"""What `tool_selection_strategy` may name beside the built-in strategies."""


def register_tool_selection_strategy(
    name: str, factory: Callable[[], IToolSelectionStrategy]
) -> None:
    """Let the setting `tool_selection_strategy` ask for `name`, such as `custom`.

    `factory` is the strategy's class, or a function that makes one. Raises `ConfigError`.
    """
    tool_selection_strategies.register(name, factory)
