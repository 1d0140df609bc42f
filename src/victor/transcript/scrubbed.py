"""A session with secrets cut out of all that was said and done in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from victor.messages import Message, Part, Text, Thinking, ToolCall, ToolResult
from victor.protocols import Record, SessionInfo

P = TypeVar("P", bound=Part)


class Scrub(Protocol):
    """Cuts secrets out, such as `victor.testing.scrub.Scrubber`."""

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        ...

    def value(self, value: Any) -> Any:
        """Return decoded JSON without secrets."""
        ...


def without_secrets(
    info: SessionInfo, records: tuple[Record, ...], scrub: Scrub
) -> tuple[SessionInfo, tuple[Record, ...]]:
    """Return the session without secrets; pictures and documents stay as they are."""
    cleaned = tuple(_record(record, scrub) for record in records)
    return replace(info, title=scrub.text(info.title)), cleaned


def _record(record: Record, scrub: Scrub) -> Record:
    return replace(
        record,
        message=None if record.message is None else _message(record.message, scrub),
        calls=tuple(_part(call, scrub) for call in record.calls),
        result=None if record.result is None else _part(record.result, scrub),
        context=tuple(_message(message, scrub) for message in record.context),
        data=_mapping(record.data, scrub),
    )


def _message(message: Message, scrub: Scrub) -> Message:
    return replace(message, parts=tuple(_part(part, scrub) for part in message.parts))


def _part(part: P, scrub: Scrub) -> P:
    made: Any = part
    match part:
        case Text(text):
            made = Text(scrub.text(text))
        case Thinking(text):
            made = replace(part, text=scrub.text(text))
        case ToolCall(arguments=arguments, invalid=invalid):
            cleaned = _mapping(arguments, scrub)
            made = replace(part, arguments=cleaned, invalid=scrub.text(invalid))
        case ToolResult(content=content):
            vouched = tuple(map(scrub.text, part.vouched))
            made = replace(part, content=scrub.text(content), vouched=vouched)
    kept: P = made
    return kept


def _mapping(value: Mapping[str, Any], scrub: Scrub) -> Mapping[str, Any]:
    cleaned: Mapping[str, Any] = scrub.value(value)
    return cleaned
