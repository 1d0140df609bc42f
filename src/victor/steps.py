"""A conversation as blocks that stand or fall together, and its deterministic truncation.

A block is a user message, a note that stands in for what was left out, or a step: an assistant
message with the results of its calls. Leaving out whole blocks never parts a call from its result.

What truncation keeps, in this order: the newest user message; the last step; the first user
message; the other user messages, newest first, and the last summary, while they fit the
allowance; then the newest steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from victor.errors import CompactionError
from victor.messages import Message, Role, ToolCall, ToolResult, user
from victor.pairing import LEFT_OUT as LEFT_OUT_OF_HISTORY

Count: TypeAlias = Callable[[Message], int]
"""Tokens of a message."""

NOTE = "(Victor:"
"""What a note begins with."""
SUMMARY = f"{NOTE} summary of the earlier messages that were left out)"
"""What a summary begins with."""
LEFT_OUT = user(
    f"{NOTE} messages of this conversation were left out here to save space. Look with your tools"
    " again, or ask, before you rely on what you no longer see.)"
)
"""The note that stands where messages were."""
GAP = user(f"{NOTE} more was left out here.)")
"""The note at further such places, where two assistant messages would meet."""

LOOK_AGAIN = "look again if you need it"
"""What the line in a result's place ends with where the result is kept nowhere, as far as known."""

FIRST_USER_TOKENS = 2_000
"""The first user message is kept up to this size where space is short."""
USER_TOKENS = 20_000
"""User messages beside the newest are kept up to this size together."""

_EXCERPT = 80
_ARGUMENTS = 120
_WORTH_ELIDING = 3 * (_EXCERPT + _ARGUMENTS)
"""Characters from which on the line that takes a result's place is clearly the shorter."""
_CAPS = (8_000, 2_000, 600)
"""Characters that the results of the kept steps are cut to, one after the other, until they fit."""


class Kind(StrEnum):
    """What a block is."""

    USER = "user"
    STEP = "step"
    NOTE = "note"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Block:
    """Messages that stand or fall together."""

    kind: Kind
    messages: tuple[Message, ...]
    tokens: int


def blocks(messages: Iterable[Message], count: Count) -> tuple[Block, ...]:
    """Return the conversation as blocks, oldest first."""
    found: list[Block] = []
    for message in messages:
        if message.role is Role.TOOL and found and found[-1].kind is Kind.STEP:
            step = found[-1]
            tokens = step.tokens + count(message)
            found[-1] = Block(Kind.STEP, (*step.messages, message), tokens)
        else:
            found.append(Block(_kind(message), (message,), count(message)))
    return tuple(found)


def _kind(message: Message) -> Kind:
    if message.role is not Role.USER:
        return Kind.STEP
    if message.text.startswith(SUMMARY):
        return Kind.SUMMARY
    return Kind.NOTE if is_note(message) else Kind.USER


def is_note(message: Message) -> bool:
    """Return whether it stands for other messages, or tells of them; no person has written it."""
    # What stands for the beginning of a history that was repaired counts as well.
    return message.role is Role.USER and message.text.startswith((NOTE, LEFT_OUT_OF_HISTORY))


def essential(parts: tuple[Block, ...]) -> set[int]:
    """Return the indices of the newest user message and of the step after it that came last."""
    kept = set(_of_kind(parts, Kind.USER)[-1:])
    last = next((i for i in reversed(range(len(parts))) if parts[i].kind is not Kind.NOTE), None)
    if last is not None and parts[last].kind is Kind.STEP:
        kept.add(last)
    return kept


def pinned(parts: tuple[Block, ...], target: int) -> set[int]:
    """Return the indices of what is kept whatever its relevance, in a context of `target` tokens.

    Beside the essential: the first user message, then the last summary and the other user messages,
    newest first, as far as three quarters of the target reach.
    """
    kept = essential(parts)
    room = min(USER_TOKENS, target * 3 // 4)
    users = _of_kind(parts, Kind.USER)
    first = [i for i in users[:1] if parts[i].tokens <= FIRST_USER_TOKENS]
    for index in (*first, *_of_kind(parts, Kind.SUMMARY)[-1:], *reversed(users)):
        if index not in kept and parts[index].tokens <= room:
            kept.add(index)
            room -= parts[index].tokens
    return kept


def _of_kind(parts: tuple[Block, ...], kind: Kind) -> list[int]:
    return [i for i, part in enumerate(parts) if part.kind is kind]


def joined(
    parts: tuple[Block, ...], kept: set[int], note: Message = LEFT_OUT
) -> tuple[Message, ...]:
    """Return the messages of the kept blocks, with `note` where the first gap is.

    Notes that stood there before are replaced by it. Where the blocks around a further gap would
    not form a valid history, a short note stands between them.
    """
    messages: list[Message] = []
    noted = gap = False
    for index, part in enumerate(parts):
        if index not in kept or part.kind is Kind.NOTE:
            gap = True
            continue
        if gap and not noted:
            messages.append(note)
            noted = True
        elif gap and messages[-1].role is Role.ASSISTANT and part.kind is Kind.STEP:
            messages.append(GAP)
        gap = False
        messages.extend(part.messages)
    if gap and not noted:
        messages.append(note)
    return tuple(messages)


def dropped_from_front(parts: tuple[Block, ...], target: int, keep: set[int]) -> set[int]:
    """Return the indices that are left after dropping the oldest blocks that are not in `keep`.

    Blocks are dropped until the rest takes at most `target` tokens, or only `keep` is left.
    """
    kept = set(range(len(parts)))
    total = sum(part.tokens for part in parts)
    for index, part in enumerate(parts):
        if total <= target:
            break
        if index not in keep:
            kept.discard(index)
            total -= part.tokens
    return kept


def truncated(messages: tuple[Message, ...], target: int, count: Count) -> tuple[Message, ...]:
    """Return `messages` without its oldest steps, of at most `target` tokens where that can be.

    Messages that fit already come back as the same object.
    """
    parts = blocks(messages, count)
    if sum(part.tokens for part in parts) <= target:
        return messages
    room = target - count(LEFT_OUT)
    return joined(parts, dropped_from_front(parts, room, pinned(parts, target)))


def squeezed(messages: tuple[Message, ...], limit: int, count: Count) -> tuple[Message, ...]:
    """Return `messages` cut to `limit` tokens, whatever it takes of all but the newest.

    First the tool results are shortened, then older messages are left out.
    Raises `CompactionError` when the newest user message and the last step alone are too large.
    """
    if _total(messages, count) <= limit:
        return messages
    for cap in _CAPS:
        messages = tuple(_capped(message, cap) for message in messages)
        if _total(messages, count) <= limit:
            return messages
    parts = blocks(messages, count)
    must = essential(parts)
    room = limit - count(LEFT_OUT) - sum(count(GAP) for _ in must)
    messages = joined(parts, dropped_from_front(parts, room, must))
    total = _total(messages, count)
    if total > limit:
        raise CompactionError(
            f"The newest message takes about {total:,} tokens, and the model has room for"
            f" {max(limit, 0):,} beside its prompt, its tools and its answer.",
            hint="Send less text at once, put it in a file and name the file, or use a model with"
            " a larger window.",
        )
    return messages


def _total(messages: Iterable[Message], count: Count) -> int:
    return sum(map(count, messages))


def _capped(message: Message, cap: int) -> Message:
    if message.role is not Role.TOOL or all(
        len(result.content) <= cap for result in message.tool_results
    ):
        return message
    return Message(Role.TOOL, tuple(_cut(result, cap) for result in message.tool_results))


def _cut(result: ToolResult, cap: int) -> ToolResult:
    content = result.content
    if len(content) <= cap:
        return result
    half = cap // 2
    missing = len(content) - 2 * half
    mark = f"\n[... {missing:,} characters left out to save space; {_way_back(result)} ...]\n"
    return replace(result, content=f"{content[:half]}{mark}{content[-half:]}")


def elided(result: ToolResult, call: ToolCall | None) -> ToolResult:
    """Return the result as one line that says what it was and how to get it again.

    A result that is hardly longer than that line comes back as it is.
    """
    content = result.content
    if len(content) <= _WORTH_ELIDING and result.images:
        note = "[The picture was left out to save space; look again if you need it.]"
        return replace(result, content=f"{content}\n{note}", images=())
    if len(content) <= _WORTH_ELIDING:
        return result
    begin = " ".join(content[: 2 * _EXCERPT].split())[:_EXCERPT]
    line = f"[{_named(call)}: {len(content):,} characters left out to save space."
    return replace(result, content=f"{line} It began: {begin} ... {_way_back(result)}.]", images=())


def _named(call: ToolCall | None) -> str:
    if call is None:
        return "Result"
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    if len(arguments) > _ARGUMENTS:
        arguments = f"{arguments[:_ARGUMENTS]}..."
    return f"Result of {call.name}({arguments})"


def _way_back(result: ToolResult) -> str:
    if result.full_output:
        return f"read {result.full_output} for the whole"
    return LOOK_AGAIN
