"""Which tools are sent to the model, and why.

All of them, as long as they are few. Otherwise the essential ones, what fits the user's words when
it begins, and what the model finds or calls later; the rest is deferred. The choice is sticky: what
was sent stays, in its place, and what comes is added at the end, so that a vendor's cache of the
tools in front of a conversation holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from textwrap import shorten
from typing import Any, TypeAlias

from victor.agent.known_tools import KnownTools
from victor.agent.sent_tools import DeferredTools, SentTools
from victor.agent.tool_room import ToolRoom
from victor.messages import ToolSpec
from victor.protocols import IToolSelectionStrategy, ScoredTool
from victor.protocols.selection import (
    FIND_TOOLS,
    Candidate,
    Found,
    register_tool_selection_strategy,
    tool_selection_strategies,
)

__all__ = ["Candidate", "ToolSelectionCoordinator", "register_tool_selection_strategy"]

StrategyFactory: TypeAlias = Callable[[], IToolSelectionStrategy]

ALL = "all"
"""The strategy that is always there: sends everything, in the given order, up to the limit."""

CHOSEN_AT_ONCE = 10
"""So many tools at most are sent unasked."""
FOUND_AT_ONCE = 5

GOOD = 0.5
"""What of the best score a tool must have to be sent unasked."""

QUERY_SHOWN = 80
"""Characters of a query that a reason repeats."""

_NAMED = "it was asked for by its name"


class ToolSelectionCoordinator:
    """Chooses the tools to send, and searches those that are not sent."""

    def __init__(
        self,
        strategy: str | IToolSelectionStrategy = ALL,
        *,
        limit: int = 128,
        share: float = 0.1,
        essential: tuple[str, ...] = (),
        strategies: Mapping[str, StrategyFactory] | None = None,
    ) -> None:
        """Send all tools, unless they are more than `limit`, or take more than `share` of the
        model's window: then `strategy` ranks them by words of the user and of the model.

        `essential` are names of tools, or patterns with `*`, that are sent in any case, beside
        those that say so themselves. `strategies` are the known ones by name, beside `all` and
        what was registered. A strategy that is given as an object stays, whatever the settings
        name. Raises `UnknownNameError` and `ConfigError`.
        """
        self._strategies = dict(strategies or {})
        self._room = ToolRoom(limit, share)
        self._essential = essential
        self._fixed = not isinstance(strategy, str)
        self._strategy: IToolSelectionStrategy | None = None
        self._name = ""
        if isinstance(strategy, str):
            self._adopt(strategy)
        else:
            self._strategy, self._name = strategy, type(strategy).__name__
        self._turn = 0
        self._tools = KnownTools()
        self._sent = SentTools()
        self._deferring = False
        self._chosen: tuple[ToolSpec, ...] | None = None
        """What is sent; None where it has to be thought over."""
        self._deferred = DeferredTools()

    @property
    def strategy(self) -> str:
        """The name of the strategy in force."""
        return self._name

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `tool_selection_strategy`, `max_tools`, `tool_window_share`, `essential_tools`.

        Raises `UnknownNameError` or `ConfigError` and then keeps the old ones.
        """
        room = self._room.configured(config)
        name = config.get("tool_selection_strategy", self._name)
        if not self._fixed and name != self._name:
            self._adopt(name)
            self._deferring = self._deferring and self._strategy is not None
        self._room = room
        self._essential = tuple(config.get("essential_tools", self._essential))
        self._tools, self._chosen = KnownTools(self._tools.given, self._essential), None

    def reset(self) -> None:
        """Forget what was sent, as for another session."""
        self._sent, self._deferring, self._chosen = SentTools(), False, None
        self._tools, self._deferred = KnownTools(), DeferredTools()

    def start_turn(self, number: int, *, window: int = 0, most: int = 0) -> None:
        """Note that a turn begins, and the tokens of the model's window, and those of them that
        tools may take at most; 0 where that is not known."""
        self._turn = number
        if (window, most) != (self._room.window, self._room.most):
            self._room, self._chosen = replace(self._room, window=window, most=most), None

    def restore(self, candidates: tuple[Candidate, ...]) -> None:
        """Go on with what was sent in the session before, in this order; of what was not, the
        reasons are kept."""
        self._sent.restore(one for one in candidates if one.offered)
        self._deferred.restore(one for one in candidates if not one.offered)
        self._deferring = self._strategy is not None and self._sent.wants(FIND_TOOLS)
        self._chosen = None

    async def select(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        """Return the tools to send; sticky within a session. `task` are the user's words.

        Raises what the strategy raises.
        """
        self._look_at(tools)
        if self._chosen is not None:
            return self._chosen
        picked: tuple[ScoredTool, ...] = ()
        if not self._deferring and self._too_many():
            picked = await self._rank(task, f"the words of turn {self._turn}")
            self._deferring = True
        self._bring_up_to_date(self._sent, deferring=self._deferring)
        self._sent.add(self._picked(picked))
        chosen = self._in_order(self._sent)
        self._chosen = tools if chosen == tools else chosen
        return self._chosen

    def preview(self, tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        """Return what would be sent now, but for what fits words that are not known yet."""
        self._look_at(tools)
        sent = self._sent.copy()
        self._bring_up_to_date(sent, deferring=self._deferring or self._too_many())
        return self._in_order(sent)

    async def find(self, query: str, tools: tuple[ToolSpec, ...]) -> Found:
        """Return the tools that fit the query best, before them those that it names.

        They are sent from the next choice on. Raises what the strategy raises.
        """
        self._look_at(tools)
        known = self._tools
        asked = dict.fromkeys(query.replace(",", " ").split())
        named = [ScoredTool(known.by_name[n], 0.0, _NAMED) for n in asked if known.can_find(n)]
        words = " ".join(word for word in asked if not known.can_find(word))
        short = shorten(query, QUERY_SHOWN, placeholder=" ...")
        ranked = await self._rank(words, f"the search {short!r}") if words else ()
        fitting = [one for one in ranked if one.score > 0 and one.tool.name not in asked]
        places = max(FOUND_AT_ONCE - len(named), 0)
        found = (*named, *fitting[:places])
        said = f"found by the search {short!r} of turn {self._turn}"
        self._want(Candidate(f.tool.name, f.score, f"{said}; {f.reason}") for f in found)
        further = fitting[places : places + FOUND_AT_ONCE]
        return Found(found, tuple(one.tool.name for one in further))

    def called(self, names: tuple[str, ...]) -> None:
        """Note which tools the model has called: one that was not sent is from now on."""
        said = f"called by its name in turn {self._turn}"
        self._want(Candidate(name, 0.0, said) for name in names if self._tools.can_find(name))

    def explain(self) -> tuple[Candidate, ...]:
        """Return every tool that was considered: those that are sent, in order and each with what
        brought it there, then the others, as they were ranked last."""
        others = [one.name for one in self._tools.searched if one.name not in self._sent]
        if self._deferring:
            return (*self._sent.candidates, *self._deferred.of(others))
        why = f"more than {self._room.limit} tools"
        left_out = (Candidate(name, 0.0, why, offered=False) for name in others)
        return (*self._sent.candidates, *left_out)

    def _look_at(self, tools: tuple[ToolSpec, ...]) -> None:
        if tools is self._tools.given:
            return
        known = KnownTools(tools, self._essential)
        if known.searched == self._tools.searched:
            known.searched = self._tools.searched  # strategies know tools by their tuple
        self._tools, self._chosen = known, None

    def _want(self, candidates: Iterator[Candidate]) -> None:
        if self._sent.want(tuple(candidates)):
            self._chosen = None

    def _too_many(self) -> bool:
        return self._strategy is not None and self._room.is_too_small(self._tools)

    def _bring_up_to_date(self, sent: SentTools, *, deferring: bool) -> None:
        """Add what has come and what is sent in any case; let go of what has no room."""
        known, room = self._tools, self._room
        sent.arrive(known.by_name)
        sent.add(self._base(deferring=deferring))
        if deferring:
            sent.let_go(room.limit, room.tokens(known), known.sizes, known.essential)
        else:
            sent.cut(room.limit)

    def _base(self, *, deferring: bool) -> Iterator[Candidate]:
        """Yield what is sent in any case; what finds the others comes last."""
        why = "it is essential" if deferring else "there is room for all"
        for tool in self._tools.searched:
            if not deferring or tool.name in self._tools.essential:
                yield Candidate(tool.name, 0.0, why)
        if deferring and FIND_TOOLS in self._tools.by_name:
            yield Candidate(FIND_TOOLS, 0.0, "it finds the tools that are not sent")

    def _in_order(self, sent: SentTools) -> tuple[ToolSpec, ...]:
        return tuple(self._tools.by_name[name] for name in sent)

    def _picked(self, ranked: tuple[ScoredTool, ...]) -> Iterator[Candidate]:
        """Yield what fits the user's words well, in half of the places and of the room."""
        sizes = self._tools.sizes
        room = self._room.tokens(self._tools) / 2 - sum(sizes[name] for name in self._sent)
        places = max(min(max(self._room.limit // 2, 1) - len(self._sent), CHOSEN_AT_ONCE), 0)
        least = max((one.score for one in ranked), default=0.0) * GOOD
        good = [one for one in ranked if one.score > 0 and one.score >= least]
        for one in [one for one in good if one.tool.name not in self._sent][:places]:
            room -= sizes[one.tool.name]
            if room < 0:
                return
            why = f"chosen by the words of turn {self._turn}; {one.reason}"
            yield Candidate(one.tool.name, one.score, why)

    async def _rank(self, words: str, by: str) -> tuple[ScoredTool, ...]:
        strategy = self._strategy
        if strategy is None:
            return ()
        # A strategy may load what it compares with, and that must not hold the loop up.
        told = await asyncio.to_thread(strategy.rank, words, self._tools.searched)
        ranked = tuple(one for one in told if self._tools.can_find(one.tool.name))
        self._deferred.rank(ranked, by)
        return ranked

    def _adopt(self, name: str) -> None:
        self._strategy = tool_selection_strategies.make(name, self._strategies, without=ALL)
        self._name = name
