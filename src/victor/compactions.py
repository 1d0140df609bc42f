"""What compactions did to a conversation: told from its messages, and taken back by its record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from victor import todo_list
from victor.history import in_force, restored
from victor.messages import Message, Role, ToolResult
from victor.protocols import Record
from victor.steps import SUMMARY, is_note

UNDONE = "undone"
"""Marks the record of a compaction that takes the last one back, in its data."""


def difference(before: Iterable[Message], after: Iterable[Message]) -> tuple[str, ...]:
    """Return what happened between the two, in words: what was left out, shortened and added."""
    before, after = tuple(before), tuple(after)
    kept, known = {id(message) for message in after}, {id(message) for message in before}
    gone = [message for message in before if id(message) not in kept]
    there = _results(after)
    results = _results(message for message in gone if message.role is Role.TOOL)
    missing = sum(call_id not in there for call_id in results)
    shorter = sum(call_id in there and there[call_id] != one for call_id, one in results.items())
    words = sum(one.role is Role.USER and not is_note(one) for one in gone)
    answers = sum(one.role is Role.ASSISTANT for one in gone)
    lists = sum(id(one) not in known and todo_list.is_note(one) for one in after)
    summaries = sum(id(one) not in known and one.text.startswith(SUMMARY) for one in after)
    counted = (
        (words, "message of the user left out", "messages of the user left out"),
        (answers, "message of the assistant left out", "messages of the assistant left out"),
        (missing, "tool result left out", "tool results left out"),
        (shorter, "tool result shortened", "tool results shortened"),
        (summaries, "summary written", "summaries written"),
        (lists, "open todo list told again", "open todo lists told again"),
    )
    return tuple(f"{many} {one if many == 1 else more}" for many, one, more in counted if many)


def lost(before: Iterable[Message], after: Iterable[Message]) -> tuple[tuple[Message, bool], ...]:
    """Return what of `before` is not in `after`, each with whether a shorter one has its place.

    Messages are told apart by what they hold, as both may come out of a record. Notes are none.
    """
    after = tuple(after)
    kept, there = Counter(map(_held, after)), _results(after)
    found = []
    for message in before:
        if kept[_held(message)]:
            kept[_held(message)] -= 1
        elif not is_note(message):
            found.append((message, any(one.call_id in there for one in message.tool_results)))
    return tuple(found)


def _held(message: Message) -> tuple[object, ...]:
    calls = tuple(call.id for call in message.tool_calls)
    results = tuple((one.call_id, one.content) for one in message.tool_results)
    return message.role, message.text, calls, results


def before_last(records: tuple[Record, ...]) -> tuple[Message, ...] | None:
    """Return the conversation as it would be without its last compaction; None without one.

    What was said since then is there. Compactions that were taken back already do not count.
    """
    kept: list[Record] = []
    for record in in_force(records):
        if record.kind == "compacted" and record.data.get(UNDONE):
            _drop_last(kept)
        else:
            kept.append(record)
    if not _drop_last(kept):
        return None
    messages, _ = restored(tuple(kept))
    return messages


def _drop_last(records: list[Record]) -> bool:
    for index in range(len(records) - 1, -1, -1):
        if records[index].kind == "compacted":
            del records[index]
            return True
    return False


def _results(messages: Iterable[Message]) -> dict[str, ToolResult]:
    return {one.call_id: one for message in messages for one in message.tool_results}
