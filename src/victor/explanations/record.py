"""Explain a turn by the record of its session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from victor import tokens
from victor.compactions import UNDONE, lost
from victor.errors import SessionError
from victor.explanations import Explanation, Part, Topic
from victor.explanations.parts import (
    begins,
    message_parts,
    model_facts,
    prompt_parts,
    said,
    sent_figures,
    spec_of,
)
from victor.history import RecordedTurn, restored, turns, until
from victor.messages import Message
from victor.protocols import Record
from victor.visible import one_line


def from_record(
    topic: Topic, session_id: str, records: tuple[Record, ...], turn: int | None = None
) -> Explanation:
    """Explain a turn of a session, by default the last one. Raises `SessionError`."""
    had = turns(records)
    number = len(had) if turn is None else turn
    if not 1 <= number <= len(had):
        raise SessionError(
            f"Session {session_id!r} has no turn {number}: it has {len(had)}.",
            hint="`victor sessions show` lists its turns.",
        )
    told = _TOLD[topic](_Past(session_id, number, had[number - 1], until(records, number)))
    facts, parts, unknown = told
    return Explanation(
        topic, f"turn {number} of session {one_line(session_id)}", facts, parts, unknown
    )


_Told = tuple[Mapping[str, Any], tuple[Part, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Past:
    """A turn, and everything up to its end."""

    session_id: str
    number: int
    turn: RecordedTurn
    records: tuple[Record, ...]

    def noted(self, part: str) -> tuple[Any, int]:
        """Return what was noted last of a part of the requests, and in which turn; None and 0."""
        for one in reversed(turns(self.records)):
            for record in reversed(one.records):
                if record.kind == "reply" and part in record.data:
                    return record.data[part], one.number
        return None, 0

    def known(self) -> Mapping[str, Any]:
        """Return what was known of the model then; nothing where that was not noted."""
        return self.noted("known_model")[0] or {}

    def spent(self) -> Mapping[str, Any]:
        """Return what the last model call of the turn took."""
        for record in reversed(self.turn.records):
            if record.kind == "reply" and "usage" in record.data:
                usage: Mapping[str, Any] = record.data["usage"]
                return usage
        return {}


def _prompt(past: _Past) -> _Told:
    system, since = past.noted("system")
    if system is None:
        return {}, (), ("The prompt of this turn is not on record.",)
    because, _ = past.noted("system_because")
    spent = past.spent()
    offered, _ = past.noted("tools")
    before = sum(map(tokens.of_tool, map(spec_of, offered or ())))
    read = spent.get("cache_read")
    facts = {"tokens": tokens.of_text(system), "noted in turn": since}
    known = past.known()
    unknown = [] if because else ["Who wrote which part of it is not on record."]
    if read is None:
        unknown.append("What of it came from the vendor's cache is not on record.")
    else:
        facts["tokens from the vendor's cache, of the whole request"] = read
    return facts, prompt_parts(system, because or (), read, before, known), tuple(unknown)


def _context(past: _Past) -> _Told:
    messages, _ = restored(past.records)
    compacted = _compactions(past.records)
    unknown = []
    if any(not part.figures.get("strategy") and not part.figures.get(UNDONE) for part in compacted):
        unknown.append("Of some compactions only the result is on record, not the reason.")
    spent = past.spent()
    before = sum(map(tokens.of_tool, map(spec_of, past.noted("tools")[0] or ())))
    before += tokens.of_text(past.noted("system")[0] or "")
    facts: dict[str, Any] = {
        "messages": len(messages),
        "tokens": sum(map(tokens.of_message, messages)),
    }
    if spent:
        facts["last request, as expected"] = spent.get("estimate")
        facts["last request, as the vendor counted"] = spent.get("input")
    there = message_parts(messages, spent.get("cache_read"), before, past.known())
    return facts, (*compacted, *there), tuple(unknown)


def _compactions(records: tuple[Record, ...]) -> tuple[Part, ...]:
    """Return the compactions, oldest first, each followed by what it left out and shortened."""
    parts: list[Part] = []
    for place, record in enumerate(records):
        if record.kind != "compacted":
            continue
        parts.append(_compaction(record))
        if not record.data.get(UNDONE):
            before, _ = restored(records[:place])
            parts += (
                _dropped(record, message, shortened=shortened)
                for message, shortened in lost(before, record.context)
            )
    return tuple(parts)


def _compaction(record: Record) -> Part:
    """Return what a `compacted` record tells: what, when, why, by which strategy, and where."""
    data = {name: value for name, value in record.data.items() if name != "reason"}
    why = "taken back" if record.data.get(UNDONE) else record.data.get("reason", "")
    return Part("compaction", why, {"time": _when(record), **data})


def _dropped(record: Record, message: Message, *, shortened: bool) -> Part:
    told = {name: record.data.get(name, "") for name in ("strategy", "reason", "kept")}
    figures = {"tokens": tokens.of_message(message), **told, "time": _when(record)}
    name = f"{'shortened' if shortened else 'left out'}: {message.role}"
    return Part(name, begins(said(message)), figures)


def _when(record: Record) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(record.time, UTC).isoformat(timespec="seconds")


def _tools(past: _Past) -> _Told:
    offered, since = past.noted("tools")
    if offered is None:
        return {}, (), ("Which tools were offered is not on record.",)
    because, chosen = past.noted("tools_because")
    size = sum(map(tokens.of_tool, map(spec_of, offered)))
    strategy = (past.noted("settings")[0] or {}).get("tool_selection_strategy")
    facts = {"offered": len(offered), "tokens": size, "noted in turn": since}
    if strategy:
        facts["strategy"] = strategy
    if because and chosen == since:
        sent = {one["name"] for one in offered}
        facts["not offered"] = sum(one[0] not in sent for one in because)
        sizes = _sizes(past, offered)
        return facts, tuple(_candidate(*one, sent=sent, sizes=sizes) for one in because), ()
    sizes = _sizes(past, offered)
    named = tuple(Part(one["name"], "", {"offered": True, **sizes[one["name"]]}) for one in offered)
    return facts, named, ("Why these were chosen is not on record.",)


def _sizes(past: _Past, offered: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what each tool took, by name. The vendors read tools before all else."""
    read, known, place = past.spent().get("cache_read"), past.known(), 0
    sizes = {}
    for one in offered:
        size = tokens.of_tool(spec_of(one))
        place += size
        sizes[one["name"]] = sent_figures(size, place, read, known)
    return sizes


def _candidate(
    name: str,
    score: float,
    reason: str,
    chosen: Any,
    *,
    sent: set[str],
    sizes: Mapping[str, Mapping[str, Any]],
) -> Part:
    if chosen and name not in sent:
        reason = f"{reason}; the tools before it took the room that this window has for tools"
    return Part(name, reason, {"score": score, "offered": name in sent, **sizes.get(name, {})})


def _config(past: _Past) -> _Told:
    settings, since = past.noted("settings")
    if settings is None:
        return {}, (), ("The settings of this turn are not on record.",)
    parts = tuple(Part(name, "on record", {"value": value}) for name, value in settings.items())
    return {"noted in turn": since}, parts, ("Of the other settings there is no record.",)


def _safety(past: _Past) -> _Told:
    given = {one.result.call_id: one for one in past.turn.records if one.result is not None}
    parts, unknown = [], False
    for record in past.turn.records:
        effects = {intent.call_id: str(intent.effect) for intent in record.intents}
        for call in record.calls:
            result = given.get(call.id)
            data = result.data if result is not None else {}
            unknown = unknown or "because" not in data
            figures = {"effect": effects.get(call.id), "allowed": data.get("allowed")}
            figures["arguments"] = dict(call.arguments)
            parts.append(Part(call.name, data.get("because", "not on record"), figures))
    mode, _ = past.noted("mode")
    missing = ("What decided of some calls is not on record.",) if unknown else ()
    return {"mode": mode, "calls": len(parts)}, tuple(parts), missing


def _model(past: _Past) -> _Told:
    parts: list[Part] = []
    last: tuple[str, str] | None = None
    for one in turns(past.records):
        for record in one.records:
            data = record.data
            if record.kind != "reply" or not {"provider", "model"} & data.keys():
                continue
            known = last or ("", "")
            now = (data.get("provider", known[0]), data.get("model", known[1]))
            why = data.get("model_because") or ("the first of the session" if not last else "")
            if now != last:
                figures = {"turn": one.number, "provider": now[0], "model": now[1]}
                parts.append(Part(":".join(now), why or "asked for", figures))
            last = now
    ended = past.turn.end
    facts = model_facts(past.known())
    unknown = () if facts else ("What was known of the model then is not on record.",)
    figures = {**facts, **(ended.data if ended is not None else {})}
    if not last:
        return figures, (), ("Which model served is not on record.",)
    return {**figures, "provider": last[0], "model": last[1]}, tuple(parts), unknown


_TOLD = {
    Topic.PROMPT: _prompt,
    Topic.CONTEXT: _context,
    Topic.TOOLS: _tools,
    Topic.CONFIG: _config,
    Topic.SAFETY: _safety,
    Topic.MODEL: _model,
}
"""Of settings, a record keeps only what shapes a request."""
