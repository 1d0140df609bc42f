"""What a strategy left, made to fit, and with what the model must be told beside it."""

from __future__ import annotations

from victor import plans, steps, todo_list
from victor.left_out import Transcript, pointed
from victor.messages import Message
from victor.protocols.context import KeptText
from victor.steps import Count

TARGET = 0.5
"""Share of the threshold that a compaction aims at, so that the next one is many turns away."""


def cut(messages: tuple[Message, ...], limit: int, room: int, count: Count) -> tuple[Message, ...]:
    """Cut `messages` to `limit` tokens as far as that goes, and to `room` in any case.

    What fits already comes back as the same object. Raises `CompactionError`.
    """
    if size(messages, count) <= limit:
        return messages
    return steps.squeezed(steps.truncated(messages, int(limit * TARGET), count), room, count)


def with_place(
    after: tuple[Message, ...],
    before: tuple[Message, ...],
    room: int,
    count: Count,
    kept: KeptText,
    told: Transcript,
) -> tuple[Message, ...]:
    """Return `after` with where the rest of `before` is `kept`, if that has room."""
    return _chosen(pointed(after, before, kept, told), after, before, room, count)


def with_work(
    after: tuple[Message, ...], before: tuple[Message, ...], room: int, count: Count
) -> tuple[Message, ...]:
    """Return `after` with the plan and the todo list that hold in `before`, if they have room."""
    for reattached in (plans.reattached, todo_list.reattached):
        after = _chosen(reattached(after, before), after, before, room, count)
    return after


def size(messages: tuple[Message, ...], count: Count) -> int:
    """Return the tokens of the messages."""
    return sum(map(count, messages))


def _chosen(
    wished: tuple[Message, ...],
    plain: tuple[Message, ...],
    before: tuple[Message, ...],
    room: int,
    count: Count,
) -> tuple[Message, ...]:
    """Return what is `wished` if it has room and is less than there was `before`, else `plain`."""
    return wished if size(wished, count) <= min(room, size(before, count) - 1) else plain
