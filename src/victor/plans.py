"""The plan of a session: how it stands on record, and how the model is told to build it.

An approved plan goes behind the words of a user's message. Where a compaction takes that message
out, the plan stands in a note of its own, so that what is left to do is never planned anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from victor.messages import Message, Role, Text, user
from victor.protocols import Record
from victor.steps import NOTE

KIND = "plan"
"""The kind of record that keeps one."""
APPROVED = "approved"
"""In the data of a record: that a person has handed this text over to be built."""
MOST_CHARACTERS = 100_000
"""Of a plan."""

_BEGINS = "[The user has approved this plan."
_TOLD = (
    f"{_BEGINS} Carry it out, step by step, and do not plan anew; where it proves wrong,"
    " say so. It is in {} as well.]\n\n{}"
)
_STILL = f"{NOTE} the plan that the user approved, which still holds where it is not done yet)\n\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, and whether a person has said that it shall be."""

    text: str
    """Markdown."""
    path: str = ""
    """The file that it is in."""
    approved: bool = False
    """Whether this very text was handed over to be built."""


def record(text: str, turn_id: str = "", *, approved: bool = False) -> Record:
    """Return the entry that keeps the plan."""
    told = {"text": text, APPROVED: True} if approved else {"text": text}
    return Record(KIND, turn_id, data=told)


def recorded(records: Iterable[Record]) -> Plan | None:
    """Return the plan as the records have it; None where there is none."""
    found: Plan | None = None
    for one in records:
        if one.kind == KIND:
            found = Plan(str(one.data.get("text", "")), approved=bool(one.data.get(APPROVED)))
    return found


def not_told_yet(records: Iterable[Record]) -> str:
    """Return the plan that was approved after the last turn began; empty where there is none."""
    text = ""
    for one in records:
        if one.kind == "user":
            text = ""
        elif one.kind == KIND:
            text = str(one.data.get("text", "")) if one.data.get(APPROVED) else ""
    return text


def note(plan: Plan) -> str:
    """Return what the model is told with the turn that begins to build it."""
    return _TOLD.format(plan.path, plan.text)


def reattached(after: tuple[Message, ...], before: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return `after` with the plan that was approved last in `before`, unless it is there still.

    It stands in front of all else that is there. Where nothing changes, `after` comes back.
    """
    told = next((text for text in map(_told, reversed(before)) if text), "")
    if not told or any(_told(message) == told for message in after):
        return after
    return (user(f"{_STILL}{told}"), *(message for message in after if not _is_note(message)))


def _told(message: Message) -> str:
    """Return the note of a plan in the message, with all that it says; empty if there is none."""
    if message.role is not Role.USER:
        return ""
    if _is_note(message):
        return message.text.removeprefix(_STILL)
    # The first part is the user's own words, which may speak of a plan as they like, and so may
    # what they attach and the names of files: none of that is where a part begins.
    for part in message.parts[1:]:
        if isinstance(part, Text) and (told := part.text.lstrip("\n")).startswith(_BEGINS):
            return told
    return ""


def _is_note(message: Message) -> bool:
    return message.role is Role.USER and message.text.startswith(_STILL)
