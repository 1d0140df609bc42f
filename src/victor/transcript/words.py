"""What pages say of sessions, turns and calls, in words: the same in every form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from victor.history import RecordedTurn
from victor.messages import ToolCall
from victor.protocols import Record, SessionInfo
from victor.visible import one_line, visible

_TELLING = ("command", "path", "file_path", "file", "pattern", "query", "url", "name", "message")


def title(info: SessionInfo) -> str:
    """Return the title, or what stands for one."""
    return one_line(info.title) or f"Session {visible(info.id)}"


def facts(info: SessionInfo, *, cut_off: int = 0) -> tuple[tuple[str, str], ...]:
    """Return what is known of the session: names with values.

    `cut_off` is how many turns have no end on record; what they took is not known.
    """
    more = f", and {cut_off} cut off or still running" if cut_off else ""
    rows = [
        ("Session", info.id),
        ("Model", f"{info.provider} · {info.model}"),
        ("Folder", info.workspace),
        ("Began", moment(info.created)),
        ("Last used", moment(info.updated)),
        ("Turns", f"{info.turns:,}{more}"),
        ("Tokens", f"{info.input_tokens:,} in, {info.output_tokens:,} out"),
        ("Cost", cost(info)),
        ("Time", duration(info.seconds)),
    ]
    if info.tags:
        rows.append(("Tags", ", ".join(info.tags)))
    if info.parent:
        rows.append(("Forked from", f"{info.parent} after turn {info.parent_turn}"))
    return tuple((name, visible(value)) for name, value in rows)


def cost(info: SessionInfo) -> str:
    """Return what the session cost, and how much of it is not known."""
    known = f"${info.cost_usd:,.4f}"
    if not info.unpriced_turns:
        return known
    some = counted(info.unpriced_turns, "turn")
    return f"{known}, without {some} of unknown price" if info.cost_usd else "unknown"


def moment(seconds: float) -> str:
    """Return a time, in UTC, as people write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(seconds: float) -> str:
    """Return a time for people: `0.1 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def counted(number: int, thing: str) -> str:
    """Return how many there are: `1 turn`, `1,200 turns`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def compacted(record: Record) -> str:
    """Return what became of the context where the record says that it was compacted."""
    return f"The context was compacted to {counted(len(record.context), 'message')}."


TAKEN_BACK = "This turn was taken back: the model no longer sees it."


def outcome(turn: RecordedTurn) -> str:
    """Return how the turn ended where that was not with an answer; else an empty text."""
    end = turn.end
    if end is None:
        return "The record breaks off here."
    match end.kind:
        case "cancelled":
            return "Cancelled."
        case "failed":
            return f"Failed: {one_line(str(_data(end).get('error', '')), 400)}"
    return ""


def took(turn: RecordedTurn) -> str:
    """Return what the turn took: model, tokens, dollars, seconds; empty where nobody noted it."""
    end = turn.end
    data = _data(end) if end is not None else {}
    said = []
    if model := data.get("model"):
        said.append(visible(str(model)))
    sent, received = data.get("input_tokens"), data.get("output_tokens")
    if isinstance(sent, int) and isinstance(received, int):
        said.append(f"{sent:,} in, {received:,} out")
    dollars, seconds = data.get("cost_usd"), data.get("seconds")
    if isinstance(dollars, int | float):
        said.append(f"${dollars:,.4f}")
    if isinstance(seconds, int | float):
        said.append(duration(seconds))
    return " · ".join(said)


def about(call: ToolCall, limit: int = 200) -> str:
    """Return the argument that says best what the call is about, on one line; may be empty."""
    if call.invalid:
        return one_line(call.invalid, limit)
    arguments = call.arguments
    named = (arguments[key] for key in _TELLING if isinstance(arguments.get(key), str))
    other = (value for value in arguments.values() if isinstance(value, str))
    return one_line(next(named, next(other, "")), limit)


def argument(value: Any) -> str:
    """Return the value of an argument as a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _data(end: Record) -> Mapping[str, Any]:
    """Return the figures of a turn, also of one that a fork has from its parent."""
    inherited = end.data.get("of_parent")
    return inherited if isinstance(inherited, Mapping) else end.data
