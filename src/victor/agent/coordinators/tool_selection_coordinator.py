"""Which tools are worth offering, and why.

The choice is sticky: what was offered stays, in its place, and what comes is added at the end, so
that a vendor's cache of the tools in front of a conversation holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from victor.errors import ConfigError
from victor.messages import ToolSpec
from victor.protocols import IToolSelectionStrategy, ScoredTool
from victor.protocols.selection import register_tool_selection_strategy, tool_selection_strategies

__all__ = ["Candidate", "ToolSelectionCoordinator", "register_tool_selection_strategy"]

StrategyFactory: TypeAlias = Callable[[], IToolSelectionStrategy]

ALL = "all"
"""The strategy that is always there: offers everything, in the given order, up to the limit."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tool that was considered."""

    name: str
    score: float
    """Comparable within one choice only; 0 where nothing was ranked."""
    reason: str
    offered: bool


class ToolSelectionCoordinator:
    """Chooses the tools to offer, by a strategy, once for each task."""

    def __init__(
        self,
        strategy: str | IToolSelectionStrategy = ALL,
        *,
        limit: int = 40,
        strategies: Mapping[str, StrategyFactory] | None = None,
    ) -> None:
        """Offer at most `limit` tools, chosen by `strategy`.

        `strategies` are the known ones by name, beside `all` and what was registered. A strategy
        that is given as an object stays, whatever the settings name.
        Raises `UnknownNameError` and `ConfigError`.
        """
        self._known = dict(strategies or {})
        self._limit = _checked_limit(limit)
        self._fixed = not isinstance(strategy, str)
        self._strategy: IToolSelectionStrategy | None = None
        self._name = ""
        if isinstance(strategy, str):
            self._adopt(strategy)
        else:
            self._strategy, self._name = strategy, type(strategy).__name__
        self._task: str | None = None
        self._tools: tuple[ToolSpec, ...] | None = None
        self._selected: tuple[ToolSpec, ...] = ()
        self._offered: dict[str, None] = {}
        self._ranked: tuple[ScoredTool, ...] = ()

    @property
    def strategy(self) -> str:
        """The name of the strategy in force."""
        return self._name

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `tool_selection_strategy` and `max_tools`.

        Raises `UnknownNameError` or `ConfigError` and then keeps the old ones.
        """
        limit = _checked_limit(config.get("max_tools", self._limit))
        name = config.get("tool_selection_strategy", self._name)
        changed = not self._fixed and name != self._name
        if changed:
            self._adopt(name)
        if changed or limit != self._limit:
            self._limit = limit
            self._tools = None

    def reset(self) -> None:
        """Forget what was offered, as for another session."""
        self._offered = {}
        self._ranked = ()
        self._task = self._tools = None

    async def select(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        """Return the tools to offer for `task`; sticky within a session.

        Where all of them are within the limit, all are offered. Otherwise the first choice takes
        half of the limit, and each later task adds what it needs until the limit is reached.
        Raises what the strategy raises.
        """
        if tools is self._tools and (self._strategy is None or task == self._task):
            return self._selected
        if self._strategy is None or len(tools) <= self._limit:
            self._ranked = ()
            self._offer((tool.name for tool in tools), self._limit, tools)
        else:
            # A strategy may load what it compares with, and that must not hold the loop up.
            ranked = await asyncio.to_thread(self._strategy.rank, task, tools)
            self._choose(ranked, tools)
        by_name = {tool.name: tool for tool in tools}
        selected = tuple(by_name[name] for name in self._offered)
        self._selected = tools if selected == tools else selected
        self._task, self._tools = task, tools
        return self._selected

    def explain(self) -> tuple[Candidate, ...]:
        """Return every tool that was considered for the last task, the best first, and why."""
        if not self._ranked:
            return tuple(self._unranked(tool.name) for tool in self._tools or ())
        return tuple(
            Candidate(one.tool.name, one.score, one.reason, one.tool.name in self._offered)
            for one in self._ranked
        )

    def _unranked(self, name: str) -> Candidate:
        offered = name in self._offered
        reason = "all are offered" if offered else f"more than {self._limit} tools"
        return Candidate(name, 0.0, reason, offered)

    def _choose(self, ranked: tuple[ScoredTool, ...], tools: tuple[ToolSpec, ...]) -> None:
        matching = [one.tool.name for one in ranked if one.score > 0]
        if self._offered:
            best = matching[: max(self._limit // 2, 1)]
            self._offer(best, self._limit, tools)
        else:
            # Half is kept free for later tasks. Tools are given with the most useful ones first.
            given = (tool.name for tool in tools)
            self._offer((*matching, *given), max(self._limit // 2, 1), tools)
        self._ranked = ranked

    def _offer(self, names: Iterable[str], limit: int, tools: tuple[ToolSpec, ...]) -> None:
        """Add `names` behind what is offered, up to `limit`; drop what there is no more."""
        there = {tool.name for tool in tools}
        offered = [name for name in self._offered if name in there][: self._limit]
        kept = dict.fromkeys(offered)
        for name in names:
            if len(kept) >= limit:
                break
            if name in there:
                kept[name] = None
        self._offered = kept

    def _adopt(self, name: str) -> None:
        self._strategy = tool_selection_strategies.make(name, self._known, without=ALL)
        self._name = name


def _checked_limit(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"max_tools must be a whole number of at least 1, not {value!r}.")
    return value
