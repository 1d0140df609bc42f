"""Records, messages and their parts as compact JSON, and back, unchanged.

Each record carries the version of its form. What a later Victor wrote, and this one does not know,
is refused and not guessed at.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from victor.errors import SessionError
from victor.messages import (
    Document,
    Effect,
    Image,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from victor.protocols import Intent, Record

VERSION = 1
"""The form of a record that this module writes; it reads every form up to it."""

KINDS = frozenset(
    {
        "user",
        "reply",
        "result",
        "tool",
        "plan",
        "cancelled",
        "failed",
        "compacted",
        "ended",
        "rewound",
    }
)
"""The kinds of record there are."""

_NEWER = "It was written by a newer version of Victor: update Victor to read it."


def encode(record: Record) -> str:
    """Return the record as JSON, without its kind, turn and time, which stand beside it.

    Raises `SessionError` for a kind that could not be read back, and for data that is no JSON.
    """
    if record.kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise SessionError(f"There is no kind of record {record.kind!r}. Known: {known}.")
    form: dict[str, Any] = {"v": VERSION}
    message = record.message
    if message is not None:
        form["message"] = _message_form(message)
    if record.calls:
        same = message is not None and record.calls == message.tool_calls
        form["calls"] = True if same else [_part_form(call) for call in record.calls]
    if record.result is not None:
        form["result"] = _part_form(record.result)
    if record.context:
        form["context"] = [_message_form(message) for message in record.context]
    if record.data:
        form["data"] = dict(record.data)
    if record.intents:
        form["intents"] = [
            [intent.call_id, intent.arguments_sha256, intent.effect] for intent in record.intents
        ]
    return _dumps(form, record.kind)


def decode(kind: str, turn_id: str, time: float, body: str) -> Record:
    """Return the record that `encode` was given. Raises `SessionError` for what it cannot read."""
    try:
        form = json.loads(body)
        version = form["v"]
        if version > VERSION or kind not in KINDS:
            raise _unknown(f"a record of kind {kind!r}, form {version}")
        message = _message(form["message"]) if "message" in form else None
        calls = form.get("calls", ())
        if calls is True:
            calls = message.tool_calls if message else ()
        else:
            calls = tuple(_call(call) for call in calls)
        return Record(
            kind,
            turn_id,
            message,
            calls,
            _result(form["result"]) if "result" in form else None,
            tuple(_message(part) for part in form.get("context", ())),
            form.get("data", {}),
            time,
            tuple(_intent(*intent) for intent in form.get("intents", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SessionError(
            f"A {kind!r} record of turn {turn_id!r} is damaged ({type(error).__name__}: {error})."
        ) from error


def _dumps(form: Mapping[str, Any], kind: str) -> str:
    try:
        text = json.dumps(form, ensure_ascii=False, separators=(",", ":"), default=_plain)
        text.encode()
    except UnicodeEncodeError:
        # A lone surrogate, as broken tool output has them, is no UTF-8: escape everything.
        return json.dumps(form, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError) as error:
        raise SessionError(f"A {kind!r} record holds what is no JSON: {error}.") from error
    return text


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be recorded")


def _message_form(message: Message) -> dict[str, Any]:
    return {"role": message.role, "parts": [_part_form(part) for part in message.parts]}


def _part_form(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"text": text}
        case ToolCall():
            form: dict[str, Any] = {"call": part.id, "name": part.name}
            if part.arguments:
                form["arguments"] = part.arguments
            if part.invalid:
                form["invalid"] = part.invalid
            return form
        case ToolResult():
            return _result_form(part)
        case Thinking(text, signature, provider):
            return {"thinking": text, "signature": signature, "provider": provider}
        case Image() | Document():
            return _file_form(part)


def _result_form(result: ToolResult) -> dict[str, Any]:
    form: dict[str, Any] = {"answers": result.call_id, "content": result.content}
    if result.is_error:
        form["error"] = True
    if result.full_output:
        form["full"] = result.full_output
    if result.images:
        form["images"] = [_file_form(image) for image in result.images]
    if result.source:
        form["source"] = result.source
    if result.vouched:
        form["vouched"] = list(result.vouched)
    if result.private:
        form["private"] = result.private
    return form


def _file_form(part: Image | Document) -> dict[str, Any]:
    encoded = b64encode(part.data).decode("ascii")
    if isinstance(part, Image):
        return {"image": encoded, "type": part.media_type}
    return {"document": encoded, "type": part.media_type, "name": part.name}


def _message(form: Mapping[str, Any]) -> Message:
    try:
        role = Role(form["role"])
    except ValueError:
        raise _unknown(f"a message of role {form['role']!r}") from None
    return Message(role, tuple(_part(part) for part in form["parts"]))


def _intent(call_id: str, arguments_sha256: str, effect: str) -> Intent:
    if effect not in tuple(Effect):
        raise _unknown(f"an effect {effect!r}")
    return Intent(call_id, arguments_sha256, Effect(effect))


def _part(form: Mapping[str, Any]) -> Part:
    if not isinstance(form, dict):
        raise TypeError("a part is no object")
    # The first key is the kind: that is how `_part_form` writes it.
    kind = next(iter(form), "")
    make = _PARTS.get(kind)
    if make is None:
        raise _unknown(f"a part of kind {kind!r}")
    return make(form)


def _text(form: Mapping[str, Any]) -> Text:
    return Text(form["text"])


def _call(form: Mapping[str, Any]) -> ToolCall:
    return ToolCall(form["call"], form["name"], form.get("arguments", {}), form.get("invalid", ""))


def _result(form: Mapping[str, Any]) -> ToolResult:
    images = tuple(map(_image, form.get("images", ())))
    return ToolResult(
        form["answers"],
        form["content"],
        form.get("error", False),
        form.get("full", ""),
        images,
        form.get("source", ""),
        tuple(form.get("vouched", ())),
        form.get("private", ""),
    )


def _thinking(form: Mapping[str, Any]) -> Thinking:
    return Thinking(form["thinking"], form["signature"], form["provider"])


def _image(form: Mapping[str, Any]) -> Image:
    return Image(b64decode(form["image"], validate=True), form["type"])


def _document(form: Mapping[str, Any]) -> Document:
    return Document(b64decode(form["document"], validate=True), form["type"], form["name"])


_PARTS: dict[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text,
    "call": _call,
    "answers": _result,
    "thinking": _thinking,
    "image": _image,
    "document": _document,
}


def _unknown(what: str) -> SessionError:
    return SessionError(f"The session holds {what}, which this Victor does not know.", hint=_NEWER)
