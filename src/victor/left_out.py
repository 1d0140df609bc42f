"""What a compaction took out of a conversation: as a text to keep, and as a pointer to it.

Whatever strategy made the context smaller, the model is told where the rest can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from victor.messages import Message, Part, Role, Text, ToolCall, ToolResult
from victor.protocols.context import KeptText
from victor.steps import LEFT_OUT, LOOK_AGAIN, is_note

_LINE = 1_800
"""Characters of a line: of longer ones, tools show only the beginning."""
_SAID = 60
"""So many messages of the user are named by their lines, the newest."""
_SIGNS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"}
"""For each control character the sign that shows it; one NUL makes a file a binary one."""


def taken_out(before: Iterable[Message], after: Iterable[Message]) -> tuple[Message, ...]:
    """Return the messages of `before` that are not, or not as they were, in `after`.

    Notes that stood for earlier messages are none: what they stand for was taken out before.
    """
    kept = {id(message) for message in after}
    return tuple(one for one in before if id(one) not in kept and not is_note(one))


@dataclass(frozen=True, slots=True)
class Transcript:
    """Messages as a text that can be shown by lines: each call and result under a heading.

    Word for word, but that long lines are broken and control characters have signs.
    """

    text: str
    lines: Mapping[str, tuple[int, int]]
    """The first and the last line of what each call gave, counted from 1, by the call's id."""
    said: tuple[tuple[int, int], ...] = ()
    """The first and the last line of each message of the user."""


def transcript(messages: Iterable[Message]) -> Transcript:
    """Return what the messages say, oldest first."""
    calls: dict[str, ToolCall] = {}
    written: list[str] = []
    lines: dict[str, tuple[int, int]] = {}
    said: list[tuple[int, int]] = []
    line = 1
    for message in messages:
        calls.update((call.id, call) for call in message.tool_calls)
        for part in message.parts:
            heading, text = _told(message, part, calls)
            if not heading:
                continue
            shown = f"{_readable(f'## {heading}')}\n\n{_readable(text)}\n\n"
            span = line + 2, line + shown.count("\n") - 2
            if isinstance(part, ToolResult):
                lines[part.call_id] = span
            elif message.role is Role.USER:
                said.append(span)
            line += shown.count("\n")
            written.append(shown)
    return Transcript("".join(written), lines, tuple(said))


def _told(message: Message, part: Part, calls: Mapping[str, ToolCall]) -> tuple[str, str]:
    """Return the heading and the text of a part; no heading where there is nothing to keep."""
    match part:
        case Text(text) if text.strip():
            return message.role.value, text
        case ToolCall():
            return f"call of {_named(part)}", ""
        case ToolResult(call_id, content):
            return f"result of {_named(calls.get(call_id))}", content
        case _:
            return "", ""


def pointed(
    after: tuple[Message, ...], before: Iterable[Message], kept: KeptText, told: Transcript
) -> tuple[Message, ...]:
    """Return `after` with what leads to what was left out, which is `kept` as `told`.

    A result that was shortened names its lines. One line more says where all of it is: with the
    note that stands for what was left out, else behind the first result that was shortened, else in
    a note of its own in front.
    """
    known = {id(message) for message in before}
    after = tuple(
        message if id(message) in known else _with_lines(message, kept, told.lines)
        for message in after
    )
    place = str(kept.place)
    if not told.said and any(place in text for message in after for text in _texts(message)):
        return after
    line = (
        f"\n(What was left out is kept word for word in {place}: search it, or read it from a line"
        f" on. Each message stands under a heading that begins with ##.{_said(kept, told)})"
    )
    for index, message in enumerate(after):
        if is_note(message):
            said = Message(message.role, (*message.parts, Text(line)))
            return (*after[:index], said, *after[index + 1 :])
    for index, message in enumerate(after):
        if message.role is Role.TOOL and id(message) not in known:
            first, *others = message.tool_results
            longer = replace(first, content=f"{first.content}{line}")
            return (*after[:index], Message(Role.TOOL, (longer, *others)), *after[index + 1 :])
    return (Message(Role.USER, (*LEFT_OUT.parts, Text(line))), *after)


def _said(kept: KeptText, told: Transcript) -> str:
    """Return where the user's own words stand that were left out, the newest of them."""
    if not told.said:
        return ""
    spans = (
        f"{first + kept.line - 1}-{last + kept.line - 1}" for first, last in told.said[-_SAID:]
    )
    return f" What the user said stands in the lines {', '.join(spans)}."


def _with_lines(message: Message, kept: KeptText, lines: Mapping[str, tuple[int, int]]) -> Message:
    """Return the message with the lines of its shortened results in the place of a mere hint."""
    results = []
    for result in message.tool_results:
        if LOOK_AGAIN in result.content and result.call_id in lines:
            first, last = (kept.line - 1 + line for line in lines[result.call_id])
            way = f"lines {first}-{last} of {kept.place.name} have the whole"
            result = replace(result, content=result.content.replace(LOOK_AGAIN, way))
        results.append(result)
    same = tuple(results) == message.tool_results
    return message if same else Message(message.role, tuple(results))


def _readable(text: str) -> str:
    text = text.encode("utf-8", "replace").decode().translate(_SIGNS)
    return "\n".join(piece for line in text.split("\n") for piece in _pieces(line))


def _pieces(line: str) -> Iterable[str]:
    """Give the line in pieces that can be shown, each broken behind a space where there is one."""
    while len(line) > _LINE:
        place = line.rfind(" ", _LINE // 2, _LINE) + 1 or _LINE
        yield line[:place]
        line = line[place:]
    yield line


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
