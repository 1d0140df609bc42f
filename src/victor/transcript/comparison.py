"""Two sessions side by side, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from victor.history import RecordedTurn, turns
from victor.messages import ToolCall
from victor.protocols import Record
from victor.transcript import words
from victor.visible import one_line, readable


@dataclass(frozen=True, slots=True)
class Side:
    """A turn as one of the two had it."""

    asked: str
    """What the user said."""
    lines: tuple[str, ...]
    """What the model said and did, each call on one line, marked by an asterisk."""
    took: str
    """Model, tokens, dollars and seconds, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn of both."""

    turn: int
    """Counted from 1."""
    first: Side | None
    """None where the first session has no such turn."""
    second: Side | None

    @property
    def same(self) -> bool:
        """Whether the same was said and done in both."""
        one, other = self.first, self.second
        if one is None or other is None:
            return False
        return (one.asked, one.lines) == (other.asked, other.lines)


def compared(first: tuple[Record, ...], second: tuple[Record, ...]) -> tuple[Pair, ...]:
    """Return the turns of both, by their number."""
    mine, its = turns(first), turns(second)
    return tuple(
        Pair(number + 1, _side(mine, number), _side(its, number))
        for number in range(max(len(mine), len(its)))
    )


def _side(had: tuple[RecordedTurn, ...], index: int) -> Side | None:
    if index >= len(had):
        return None
    turn = had[index]
    return Side(readable(turn.words), tuple(_lines(turn)), words.took(turn))


def _lines(turn: RecordedTurn) -> Iterator[str]:
    results = {result.call_id: result for result in turn.results}
    for record in turn.records:
        if record.kind == "reply" and record.message is not None:
            yield from readable(record.message.text).splitlines()
            for call in record.calls:
                result = results.get(call.id)
                failed = " (failed)" if result is None or result.is_error else ""
                yield f"* {_call(call)}{failed}"
    if said := words.outcome(turn):
        yield f"({said})"


def _call(call: ToolCall) -> str:
    return f"{one_line(call.name)} {words.about(call)}".rstrip()
