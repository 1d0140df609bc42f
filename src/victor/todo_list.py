"""The todo list that the model works by, as it stands in a conversation, so that none is lost.

The list is in the calls that wrote it. Where a compaction takes the last of them out, a note says
what is still open, behind everything that was said before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from victor.messages import Message, Role, TodoItem, TodoStatus, ToolCall, user
from victor.steps import NOTE

TOOL = "todo"
"""The tool that writes the list."""
MARKS = {TodoStatus.DONE: "[x]", TodoStatus.IN_PROGRESS: "[>]", TodoStatus.PENDING: "[ ]"}

_STATUSES = tuple(TodoStatus)
_BEGINS = f"{NOTE} your todo list as it stands"
_ITEM_CHARACTERS = 200
_CHARACTERS = 4_000
"""What the items of a note may take together."""


def lines(items: Iterable[TodoItem]) -> list[str]:
    """Return one line for each item, its status in front."""
    return [f"{MARKS[item.status]} {item.text}" for item in items]


def reattached(after: tuple[Message, ...], before: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return `after` with a note of what was open in `before`, where nothing else tells it.

    The note stands behind the last step. Older such notes go. Where no list is open, or the call
    that wrote it is still there, nothing is added; where nothing changes, `after` comes back.
    """
    note = _told(before, {call.id for message in after for call in message.tool_calls})
    others = tuple(message for message in after if not is_note(message))
    if note is None:
        return after if len(others) == len(after) else others
    # What the user asked, and the model has not answered yet, stays the last word.
    asked = bool(others) and others[-1].role is Role.USER
    place = len(others) - asked
    return (*others[:place], note, *others[place:])


def is_note(message: Message) -> bool:
    """Return whether the message is a note of what is open."""
    return message.role is Role.USER and message.text.startswith(_BEGINS)


def _told(messages: tuple[Message, ...], there: set[str]) -> Message | None:
    """Return the note that stands for the newest list, unless its call is one of those `there`."""
    failed: set[str] = set()
    for message in reversed(messages):
        failed.update(result.call_id for result in message.tool_results if result.is_error)
        if is_note(message):
            return message
        for call in reversed(message.tool_calls):
            if call.name == TOOL and call.id not in failed:
                return None if call.id in there else _note(_items(call))
    return None


def _note(items: tuple[TodoItem, ...]) -> Message | None:
    undone = [item for item in items if item.status is not TodoStatus.DONE]
    if not undone:
        return None
    shown: list[str] = []
    room = _CHARACTERS
    for line in lines(undone):
        line = line if len(line) <= _ITEM_CHARACTERS else f"{line[:_ITEM_CHARACTERS]}..."
        room -= len(line)
        if room < 0:
            break
        shown.append(line)
    if len(shown) < len(undone):
        shown.append(f"and {len(undone) - len(shown)} more")
    done = len(items) - len(undone)
    told = f"{_BEGINS}, {done} of {len(items)} items done; these are open)"
    return user("\n".join((told, *shown)))


def _items(call: ToolCall) -> tuple[TodoItem, ...]:
    found: Any = call.arguments.get("items")
    items = []
    for one in found if isinstance(found, list | tuple) else ():
        # The schema was checked when the call ran; a tool of that name may be somebody else's.
        match one:
            case {"text": str(text), "status": str(status)} if status in _STATUSES:
                items.append(TodoItem(" ".join(text.split()), TodoStatus(status)))
    return tuple(items)
