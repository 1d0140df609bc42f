"""A session as a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from victor.history import RecordedTurn, taken_back, turns
from victor.messages import Document, Image, Message, Text, Thinking, ToolCall, ToolResult
from victor.protocols import Record, SessionInfo
from victor.transcript import words
from victor.visible import one_line, readable, visible

_FENCES = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def as_markdown(info: SessionInfo, records: tuple[Record, ...]) -> str:
    """Return the session as Markdown: what was said, and each call with its result."""
    lines = [f"# {_plain(words.title(info))}", ""]
    lines += [f"- **{name}:** {_plain(value)}" for name, value in words.facts(info)]
    gone = taken_back(records)
    for turn in turns(records):
        lines += ["", f"## Turn {turn.number}"]
        lines += ["", f"*{words.TAKEN_BACK}*"] if turn.id in gone else []
        lines += _turn(turn)
    return "\n".join((*lines, ""))


def _turn(turn: RecordedTurn) -> Iterator[str]:
    calls: dict[str, ToolCall] = {}
    for record in turn.records:
        calls |= {call.id: call for call in record.calls}
        match record.kind:
            case "user" | "reply" if record.message is not None:
                yield from _message(record.message, quoted=record.kind == "user")
            case "result" | "tool" if record.result is not None:
                yield from _result(record.result, calls.get(record.result.call_id))
            case "compacted":
                yield from ("", f"*{words.compacted(record)}*")
    if said := words.outcome(turn):
        yield from ("", f"*{_plain(said)}*")
    if said := words.took(turn):
        yield from ("", f"<sub>{_plain(said)}</sub>")


def _message(message: Message, *, quoted: bool) -> Iterator[str]:
    for part in message.parts:
        match part:
            case Text(text) if quoted:
                yield ""
                yield from (f"> {line}" for line in readable(text).splitlines())
            case Text(text):
                yield from ("", readable(text))
            case Thinking(text) if text:
                yield from ("", "<details><summary>Thinking</summary>", "", *_fenced(text))
                yield from ("", "</details>")
            case Image():
                yield from ("", f"*(a picture, {_plain(part.media_type)})*")
            case Document():
                yield from ("", f"*(a document, {_plain(part.name)})*")
            case ToolCall():
                yield from ("", f"**{_plain(part.name)}** {_plain(words.about(part))}".rstrip())


def _result(result: ToolResult, call: ToolCall | None) -> Iterator[str]:
    name = one_line(call.name) if call else "a workflow's call"
    state = "failed" if result.is_error else "gave"
    yield from ("", f"<details><summary>{_plain(name)} {state}</summary>", "")
    if call is not None:
        for key, value in call.arguments.items():
            yield from (f"`{one_line(key)}`:", "", *_fenced(words.argument(value)), "")
    yield from (*_fenced(result.content), "")
    for image in result.images:
        yield from (f"*(a picture, {_plain(image.media_type)})*", "")
    yield "</details>"


def _fenced(text: str) -> tuple[str, ...]:
    """Return the text as a block of code that nothing in it can end."""
    shown = visible(text)
    longest = max((len(fence) for fence in _FENCES.findall(shown)), default=2)
    fence = "`" * (longest + 1)
    return (fence, *shown.split("\n"), fence)


def _plain(text: str) -> str:
    """Return the text so that nothing in it is Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", text)
