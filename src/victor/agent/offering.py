"""The part of a step that says which tools the model is told of, and searches the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from victor import tokens
from victor.agent.event_bus import EventBus
from victor.agent.fits import NONE
from victor.agent.stages import Stages
from victor.agent.turn import Turn
from victor.messages import ToolCall, ToolSpec
from victor.protocols import Record
from victor.protocols.selection import FIND_TOOLS, Candidate, Found

FALLBACK_TOOLS = 64
"""How many tools are offered when none can be selected."""

SHARE_OF_TOOLS = 3
"""What part of the window tools may take: no more than one in so many."""

SEARCH = "search"
FOUND = "found"
"""What the record of a search's result keeps of it: the query, and the names of what is sent."""


class Offering:
    """Asks for the tools to offer; all of them, capped, where selection fails."""

    def __init__(self, stages: Stages, bus: EventBus) -> None:
        self._stages = stages
        self._guard = bus.guard
        self._known_specs: tuple[object, object] = ((), ())
        """What was seen to be tools: all of them, and those chosen."""
        self._offered: tuple[ToolSpec, ...] | None = None
        self._fitting: tuple[tuple[ToolSpec, ...], int, tuple[ToolSpec, ...]] = ((), 0, ())
        """Tools, a window, and those of them that fit it: they are mostly the same in each step."""
        self._without: tuple[tuple[ToolSpec, ...], tuple[ToolSpec, ...]] = ((), ())
        """All tools, and all but `find_tools`."""
        self._told: tuple[int, int] = (0, 0)
        """The turn and the window that selection was told of."""
        stage: Any = stages.tool_selection
        self._start_turn = getattr(stage, "start_turn", None)
        self._preview = getattr(stage, "preview", None)
        self._find = getattr(stage, "find", None)
        self._called = getattr(stage, "called", None)
        self._restore = getattr(stage, "restore", None)

    async def select(self, turn: Turn, window: int) -> tuple[ToolSpec, ...]:
        """Return the tools to offer; all of them, capped, when selection fails.

        `window` is that of the model that serves, in tokens.
        """
        every = self._every_tool()
        self._tell(turn.number, window)
        selected = await self._guard.optional(
            "tool_selection",
            "select",
            lambda: self._stages.tool_selection.select(turn.text, every),
            every[:FALLBACK_TOOLS],
            fits=self._are_specs,
        )
        self._offered = self._within(selected, window)
        return self._offered

    def offered(self, window: int) -> tuple[ToolSpec, ...]:
        """Return the tools that were offered last; where none were yet, what would be now."""
        if self._offered is not None:
            return self._offered
        every = self._every_tool()
        preview = self._preview
        if preview is not None:
            self._tell(0, window)
            every = self._guard.read(
                "tool_selection", "preview", lambda: preview(every), every, fits=self._are_specs
            )
        return self._within(every, window)

    async def find(self, query: str) -> Found:
        """Return what selection finds for the model; nothing where it fails or cannot search."""
        find, every = self._find, self._every_tool()
        if find is None:
            return Found()
        return await self._guard.optional(
            "tool_selection", "find", lambda: find(query, every), Found(), fits=_found
        )

    def called(self, calls: tuple[ToolCall, ...]) -> None:
        """Let selection take note of what the model calls."""
        tell = self._called
        if tell is not None:
            names = tuple(call.name for call in calls)
            self._guard.read("tool_selection", "called", lambda: tell(names), None, fits=NONE)

    def remember(self, records: Iterable[Record]) -> None:
        """Let selection go on with what was sent in the session that is resumed."""
        tell, sent = self._restore, sent_before(records)
        if tell is not None and sent:
            self._guard.read("tool_selection", "restore", lambda: tell(sent), None, fits=NONE)

    def _tell(self, turn: int, window: int) -> None:
        tell = self._start_turn
        if tell is None or self._told == (turn, window):
            return
        self._told = turn, window
        most = window // SHARE_OF_TOOLS
        self._guard.read(
            "tool_selection",
            "start_turn",
            lambda: tell(turn, window=window, most=most),
            None,
            fits=NONE,
        )

    def _every_tool(self) -> tuple[ToolSpec, ...]:
        none: tuple[ToolSpec, ...] = ()
        tool = self._stages.tool
        every = self._guard.read("tool", "specs", lambda: tool.specs, none, fits=self._are_specs)
        if self._find is not None:
            return every
        # Who cannot search has no use for the tool that lets the model do so.
        known, without = self._without
        if known is not every:
            without = tuple(spec for spec in every if spec.name != FIND_TOOLS)
            self._without = every, without
        return without

    def _within(self, tools: tuple[ToolSpec, ...], window: int) -> tuple[ToolSpec, ...]:
        """Return the first of the tools that leave most of a small window to the conversation."""
        known, of_window, fitting = self._fitting
        if known is not tools or of_window != window:
            fitting = tokens.first_within(tools, window // SHARE_OF_TOOLS)
            self._fitting = tools, window, fitting
        return fitting

    def _are_specs(self, value: object) -> bool:
        first, second = self._known_specs
        if value is first or value is second:
            return True
        if not isinstance(value, tuple) or not all(isinstance(one, ToolSpec) for one in value):
            return False
        # It is mostly the same tuple step after step, and need not be looked through again.
        self._known_specs = value, first
        return True


def sent_before(records: Iterable[Record]) -> tuple[Candidate, ...]:
    """Return the tools that the recorded session sent last, and what it found since, in order;
    behind them those that it did not send."""
    sent: dict[str, Candidate] = {}
    left_out: dict[str, Candidate] = {}
    for record in records:
        if record.kind == "reply" and "tools" in record.data:
            told = [Candidate(*one) for one in record.data.get("tools_because", ())]
            because = {one.name: replace(one, offered=True) for one in told}
            names = [tool["name"] for tool in record.data["tools"]]
            sent = {n: because.get(n, Candidate(n, 0.0, "it was sent before")) for n in names}
            left_out = {one.name: one for one in told if one.name not in sent}
        for name in record.data.get(FOUND, ()):
            why = f"found by the search {record.data.get(SEARCH, '')!r}"
            sent.setdefault(name, Candidate(name, 0.0, why))
    return (*sent.values(), *(one for name, one in left_out.items() if name not in sent))


def _found(value: object) -> bool:
    return isinstance(value, Found)
