"""What a compaction took out of a conversation: as a text to keep, and as a pointer to it.

Whatever strategy made the context smaller, one line tells the model where the rest can be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from victor.messages import Message, Role, Text, Thinking, ToolCall, ToolResult
from victor.pairing import LEFT_OUT as LEFT_OUT_OF_HISTORY
from victor.steps import NOTE


def taken_out(before: Iterable[Message], after: Iterable[Message]) -> tuple[Message, ...]:
    """Return the messages of `before` that are not, or not as they were, in `after`.

    Notes that stood for earlier messages are none: what they stand for was taken out before.
    """
    kept = {id(message) for message in after}
    return tuple(one for one in before if id(one) not in kept and not _is_note(one))


def transcript(messages: Iterable[Message]) -> str:
    """Return the messages word for word, each call and result under a heading that names it."""
    calls: dict[str, ToolCall] = {}
    parts: list[str] = []
    for message in messages:
        calls.update((call.id, call) for call in message.tool_calls)
        for part in message.parts:
            match part:
                case Text(text) if text.strip():
                    parts.append(f"## {message.role.value}\n\n{text}")
                case ToolCall():
                    parts.append(f"## call of {_named(part)}")
                case ToolResult(call_id, content):
                    parts.append(f"## result of {_named(calls.get(call_id))}\n\n{content}")
                case Thinking() | _:
                    pass
    return "".join(f"{part}\n\n" for part in parts)


def pointed(
    after: tuple[Message, ...], before: Iterable[Message], place: str
) -> tuple[Message, ...]:
    """Return `after` with one line more: that what was left out can be read at `place`.

    It stands with the note that stands for what was left out, else behind the first result that was
    shortened. Where there is neither, or the line is there already, `after` comes back.
    """
    if any(place in text for message in after for text in _texts(message)):
        return after
    line = f"\n(What was left out is kept word for word in {place}: search it, or read it.)"
    known = {id(message) for message in before}
    for index, message in enumerate(after):
        if _is_note(message):
            said = Message(message.role, (*message.parts, Text(line)))
            return (*after[:index], said, *after[index + 1 :])
    for index, message in enumerate(after):
        if message.role is Role.TOOL and id(message) not in known:
            first, *others = message.tool_results
            told = replace(first, content=f"{first.content}{line}")
            return (*after[:index], Message(Role.TOOL, (told, *others)), *after[index + 1 :])
    return after


def _is_note(message: Message) -> bool:
    return message.role is Role.USER and message.text.startswith((NOTE, LEFT_OUT_OF_HISTORY))


def _texts(message: Message) -> Iterable[str]:
    for part in message.parts:
        match part:
            case Text(text):
                yield text
            case ToolResult(_, content):
                yield content
            case _:
                pass


def _named(call: ToolCall | None) -> str:
    if call is None:
        return "a tool"
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return f"{call.name}({arguments})"
