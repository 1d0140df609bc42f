"""Where two records of the same turns part: what was asked, answered, given, and set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from victor.history import RecordedTurn, turns
from victor.messages import Message, Text, ToolResult
from victor.protocols import Record
from victor.testing.record_form import Json, plain_form
from victor.testing.replay_provider import first_difference

_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_PLAN_FILE = re.compile(r"(?:/|\b[A-Z]:\\)[^\n]*?[/\\]plan\.md\b")
_NOTED = ("system", "tools", "options", "settings", "model", "mode")


@dataclass(frozen=True, slots=True)
class Divergence:
    """A place where the second record is not as the first."""

    turn: int
    """Counted from 1."""
    step: int
    """The model call in the turn, counted from 1; 0 before the first."""
    part: str
    """One of `victor.history.PARTS`."""
    shown: str
    """The place, and what stands there in both, in three lines."""


def divergences(
    recorded: tuple[Record, ...], replayed: tuple[Record, ...]
) -> tuple[Divergence, ...]:
    """Return the places in order; of what goes on from step to step, only where it begins.

    Dates in the system prompt are not compared, nor where the plan lies, nor what a record does
    not hold.
    """
    found: dict[tuple[str, str], Divergence] = {}
    before: Json = {}
    now: Json = {}
    pairs = zip(turns(recorded), turns(replayed), strict=False)
    for mine, its in pairs:
        for divergence in _in_turn(mine, its, before, now):
            lasting = divergence.part in _NOTED
            key = (divergence.part, divergence.shown if lasting else f"{mine.number}")
            found.setdefault(key, divergence)
    return tuple(found.values())


def _in_turn(
    mine: RecordedTurn, its: RecordedTurn, before: Json, now: Json
) -> Iterator[Divergence]:
    number = mine.number
    yield from _compared(
        number, 0, "user", _words(mine.asked, its.asked), _words(its.asked, mine.asked)
    )
    old, new = _replies(mine), _replies(its)
    for step, (one, other) in enumerate(zip(old, new, strict=False), start=1):
        before |= one.data
        now |= other.data
        for part in _NOTED:
            if part in before and part in now:
                yield from _compared(
                    number, step, part, _undated(before[part]), _undated(now[part])
                )
        yield from _compared(number, step, "reply", _form(one.message), _form(other.message))
        yield from _compared(number, step, "result", _given(mine, one), _given(its, other))
    if len(old) != len(new):
        calls = (f"{len(old)} model calls", f"{len(new)} model calls")
        yield from _compared(number, min(len(old), len(new)) + 1, "end", *calls)
    yield from _compared(number, len(old), "end", _end(mine), _end(its))


def _compared(turn: int, step: int, part: str, old: Any, new: Any) -> Iterator[Divergence]:
    if shown := first_difference(old, new, part):
        yield Divergence(turn, step, part, shown.replace("  asked:    ", "  now:      "))


def _replies(turn: RecordedTurn) -> list[Record]:
    return [record for record in turn.records if record.kind == "reply"]


def _words(message: Message | None, other: Message | None) -> Any:
    """Return the texts of a user message, as far as both have them.

    A resumed session tells the mode once more; a replay goes through in one.
    """
    said = [part.text for part in _parts(message) if isinstance(part, Text)]
    texts = [*said[:1], *(_PLAN_FILE.sub("PLAN", text) for text in said[1:])]
    shared = sum(isinstance(part, Text) for part in _parts(other))
    return texts[: max(shared, 1)]


def _parts(message: Message | None) -> tuple[Any, ...]:
    return message.parts if message is not None else ()


def _undated(value: Any) -> Any:
    return _DATE.sub("DATE", value) if isinstance(value, str) else value


def _form(message: Message | None) -> Any:
    return plain_form(message) if message is not None else None


def _given(turn: RecordedTurn, reply: Record) -> dict[str, list[Any]]:
    """Return what the calls of a reply gave, by call: name, text, and whether it failed."""
    names = {call.id: call.name for call in reply.calls}
    results: Mapping[str, ToolResult] = {r.call_id: r for r in turn.results}
    return {
        f"{name} ({call_id})": [results[call_id].is_error, results[call_id].content]
        for call_id, name in names.items()
        if call_id in results
    }


def _end(turn: RecordedTurn) -> str:
    end = turn.end
    if end is None or end.kind != "ended":
        return "no answer"
    return f"answered ({end.data.get('stop_reason', 'end')})"
