"""The one form of recorded model calls: JSON lines, the same for every vendor.

    {"recording": 1}
    {"call": 1, "provider": "anthropic", "request": {...}, "model": {...}}
    {"call": 1, "at": 0.41, "text": "Hel"}
    {"call": 1, "at": 0.52, "finished": {"stop_reason": "end", ...}}

`at` counts seconds from the request. A call ends with `finished`, with `error`, or with `left`
where its reader did not wait for the end. Calls may overlap, so each line says which it is of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeAlias

from victor import errors
from victor.errors import BadReply, ConfigError, ProviderError
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import Request, StopReason, Usage
from victor.protocols import Ability, LongPromptPrices, ModelInfo

VERSION = 1

Json: TypeAlias = dict[str, Any]


def request_form(request: Request) -> Json:
    """Return the request as JSON; of pictures and files, their digest."""
    form = plain_form(request)
    assert isinstance(form, dict)  # noqa: S101  # a dataclass becomes an object
    return form


def info_form(info: ModelInfo) -> Json:
    """Return what is known of a model as JSON."""
    form = plain_form(info)
    assert isinstance(form, dict)  # noqa: S101  # a dataclass becomes an object
    return form


def info_of(form: Mapping[str, Any]) -> ModelInfo:
    """Return what `info_form` was given. Raises `KeyError`, `TypeError` or `ValueError`."""
    known = {field.name for field in fields(ModelInfo)}
    values = {key: value for key, value in form.items() if key in known}
    values["abilities"] = frozenset(map(Ability, values.get("abilities", ())))
    if values.get("long_prompt") is not None:
        values["long_prompt"] = LongPromptPrices(**values["long_prompt"])
    return ModelInfo(**values)


def delta_form(delta: ReplyDelta) -> Json:
    """Return a delta as JSON; its first key says what it is."""
    match delta:
        case TextDelta():
            return {"text": delta.content}
        case ThinkingDelta():
            signed = {"signature": delta.signature} if delta.signature else {}
            return {"thinking": delta.content, **signed}
        case ToolCallDelta():
            named = {key: part for key in ("id", "name") if (part := getattr(delta, key))}
            return {"tool": delta.index, **named, "arguments": delta.arguments}
        case ReplyFinished():
            form = plain_form(delta)
            return {"finished": form}


def delta_of(form: Mapping[str, Any]) -> ReplyDelta:
    """Return what `delta_form` was given. Raises `KeyError`, `TypeError` or `ValueError`."""
    match form:
        case {"text": str(text)}:
            return TextDelta(text)
        case {"thinking": str(text)}:
            return ThinkingDelta(text, form.get("signature", ""))
        case {"tool": int(index)}:
            return ToolCallDelta(
                index, form.get("id", ""), form.get("name", ""), form.get("arguments", "")
            )
        case {"finished": dict(end)}:
            return ReplyFinished(
                StopReason(end["stop_reason"]), Usage(**end["usage"]), end["model"]
            )
    raise ValueError(f"it holds {', '.join(form) or 'nothing'}")


def error_form(error: ProviderError) -> Json:
    """Return a provider's error as JSON."""
    return {
        "error": type(error).__name__,
        "message": str(error).removesuffix(error.hint).rstrip(),
        "hint": error.hint,
        "status": error.status,
        "retry_after": error.retry_after,
    }


def error_of(form: Mapping[str, Any]) -> ProviderError:
    """Return the error that `error_form` was given, as the same class where it is Victor's own."""
    kind = getattr(errors, str(form["error"]), BadReply)
    if not (isinstance(kind, type) and issubclass(kind, ProviderError)):
        kind = BadReply
    made: ProviderError = kind(
        form["message"],
        status=form.get("status"),
        retry_after=form.get("retry_after"),
        hint=form.get("hint", ""),
    )
    return made


def unreadable(path: object, line: int, why: str) -> ConfigError:
    """Return the error for a line that is no part of a recording."""
    return ConfigError(
        f"{path}, line {line}: this is no recording of Victor's, or a damaged one: {why}.",
        hint="Record it again with `victor chat --record`, or name another file.",
    )


def plain_form(value: object) -> Any:
    """Return messages, their parts and what they hold as JSON; of bytes, their digest."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case str():
            return value
        case bytes():
            return f"sha256:{hashlib.sha256(value).hexdigest()}"
        case Mapping():
            return {str(key): plain_form(item) for key, item in value.items()}
        case frozenset() | set():
            return sorted(map(plain_form, value))
        case tuple() | list():
            return [plain_form(item) for item in value]
    if not is_dataclass(value):
        return str(value)
    form = {field.name: plain_form(getattr(value, field.name)) for field in fields(value)}
    # Parts of a message differ in kind, and some have the same fields.
    return {"kind": type(value).__name__, **form} if type(value).__name__ in _PARTS else form


_PARTS = frozenset({"Text", "Image", "Document", "Thinking", "ToolCall", "ToolResult"})
