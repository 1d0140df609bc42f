"""Gemini's contents: requests written as the SDK's dictionaries, streamed events read.

Gemini signs parts: a thought's signature hangs on the call, or the text, that followed from it, and
must come back on the same one. In Victor's messages it is a `Thinking` of its own whose signature
begins with what it belongs to: `call:N:` for the Nth call of its message, else `text:`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    Document,
    Image,
    Message,
    Part,
    Request,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
    Usage,
)
from victor.providers.errors import CallSite, against_protocol
from victor.providers.exchange import sendable_name
from victor.providers.json_values import count

Json: TypeAlias = dict[str, Any]

PROVIDER = "google"

_UNSIGNED = base64.urlsafe_b64decode("skip_thought_signature_validator")
"""What the vendor takes, encoded, in place of a signature on a call that it did not make itself."""
_CALL = "call:"
_TEXT = "text:"
_NO_THOUGHTS = ("gemini-1", "gemini-2.0", "gemma", "learnlm")
"""Models that refuse to be asked for their thoughts."""
_STOP_REASONS = {
    "STOP": StopReason.END,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    "SAFETY": StopReason.CONTENT_FILTER,
    "RECITATION": StopReason.CONTENT_FILTER,
    "BLOCKLIST": StopReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": StopReason.CONTENT_FILTER,
    "SPII": StopReason.CONTENT_FILTER,
    "MODEL_ARMOR": StopReason.CONTENT_FILTER,
    "IMAGE_SAFETY": StopReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": StopReason.CONTENT_FILTER,
}
_BROKEN = ("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL")
"""The model's output could not be read; asked again, it mostly can."""


def encode_config(request: Request) -> Json:
    """Return everything of a call but its model and contents."""
    # Nothing here is the SDK's to run: calls go through Victor's own checks.
    config: Json = {"automatic_function_calling": {"disable": True}}
    if request.system:
        config["system_instruction"] = request.system
    if request.tools:
        config["tools"] = [
            {"function_declarations": [_encode_tool(tool) for tool in request.tools]}
        ]
        mode = {ToolChoice.REQUIRED: "ANY", ToolChoice.NONE: "NONE"}.get(request.tool_choice)
        if mode:
            config["tool_config"] = {"function_calling_config": {"mode": mode}}
    if request.output_schema is not None:
        config["response_mime_type"] = "application/json"
        config["response_json_schema"] = dict(request.output_schema)
    if request.max_tokens is not None:
        config["max_output_tokens"] = request.max_tokens
    if request.temperature is not None:
        config["temperature"] = request.temperature
    if not request.model.startswith(_NO_THOUGHTS):
        config["thinking_config"] = {"include_thoughts": True}
    return config


def encode_contents(messages: tuple[Message, ...]) -> list[Json]:
    """Return the messages in turns: consecutive ones of the same side become one."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    contents: list[Json] = []
    for message in messages:
        role = "model" if message.role is Role.ASSISTANT else "user"
        parts = _encode_model(message) if role == "model" else _encode_user(message, names)
        if not parts and role == "model":
            continue
        # A turn without content is refused.
        parts = parts or [{"text": "(empty)"}]
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    return contents


def _encode_tool(tool: ToolSpec) -> Json:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters_json_schema": {"type": "object", **tool.parameters},
    }


def _encode_user(message: Message, names: dict[str, str]) -> list[Json]:
    shown = [image for result in message.tool_results for image in result.images]
    parts = (*message.parts, *shown)
    return [encoded for part in parts if (encoded := _encode_given(part, names))]


def _encode_given(part: Part, names: dict[str, str]) -> Json | None:
    match part:
        case Text():
            return {"text": part.text} if part.text else None
        case Image() | Document():
            return {"inline_data": {"mime_type": part.media_type, "data": part.data}}
        case ToolResult():
            key = "error" if part.is_error else "output"
            answer = {
                "id": part.call_id,
                "name": sendable_name(names.get(part.call_id, "")),
                "response": {key: part.content},
            }
            return {"function_response": answer}
    return None


def _encode_model(message: Message) -> list[Json]:
    """Return the model's own parts, each with the signature that it came with."""
    parts: list[Json] = []
    of_calls = _signatures_of_calls(message)
    number = 0
    for part in message.parts:
        match part:
            case Text() if part.text:
                parts.append({"text": part.text})
            case Thinking() if part.provider == PROVIDER and part.signature.startswith(_TEXT):
                _sign_text(parts, part.signature.removeprefix(_TEXT))
            case ToolCall():
                parts.append(_encode_call(part, of_calls.get(number)))
                number += 1
    first_call = next((part for part in parts if "function_call" in part), None)
    if first_call is not None and not of_calls:
        # Another vendor's call, or the user's own: without a mark the vendor refuses it.
        first_call["thought_signature"] = _UNSIGNED
    return parts


def _signatures_of_calls(message: Message) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for part in message.parts:
        if isinstance(part, Thinking) and part.provider == PROVIDER:
            kind, _, rest = part.signature.partition(":")
            number, _, encoded = rest.partition(":")
            if f"{kind}:" == _CALL and number.isdigit() and (proof := _bytes(encoded)):
                found[int(number)] = proof
    return found


def _sign_text(parts: list[Json], encoded: str) -> None:
    proof = _bytes(encoded)
    if not proof:
        return
    if not parts or set(parts[-1]) != {"text"}:
        parts.append({"text": ""})
    parts[-1]["thought_signature"] = proof


def _encode_call(call: ToolCall, proof: bytes | None) -> Json:
    arguments = dict(call.arguments)
    asked = {"id": call.id, "name": sendable_name(call.name), "args": arguments}
    part: Json = {"function_call": asked}
    if proof:
        part["thought_signature"] = proof
    return part


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""


class ResponseReader:
    """Turns one stream's events into deltas. Raises `BadReply` for what is none."""

    def __init__(self, site: CallSite) -> None:
        self._site = site
        self._calls = 0
        self._usage: Json = {}
        self._model = ""
        self._finish_reason = ""

    @property
    def finished(self) -> bool:
        """Whether the reply came to an end, or was blocked."""
        return bool(self._finish_reason)

    def read(self, event: object) -> Iterator[ReplyDelta]:
        """Yield the deltas that a `GenerateContentResponse` carries."""
        event = self._object(event, "an event")
        self._model = str(event.get("modelVersion") or self._model)
        usage = event.get("usageMetadata")
        if isinstance(usage, dict):
            self._usage = usage
        feedback = event.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self._finish_reason = "SAFETY"
        for candidate in self._list(event.get("candidates"), "candidates")[:1]:
            candidate = self._object(candidate, "a candidate")
            content = self._object(candidate.get("content") or {}, "content")
            for part in self._list(content.get("parts"), "parts"):
                yield from self._part(self._object(part, "a part"))
            self._note_end(str(candidate.get("finishReason") or ""))

    def result(self) -> ReplyFinished:
        """Return the last delta of a whole stream."""
        reason = _STOP_REASONS.get(self._finish_reason, StopReason.UNKNOWN)
        if reason is StopReason.END and self._calls:
            reason = StopReason.TOOL_USE
        return ReplyFinished(reason, _usage(self._usage), self._model)

    def _part(self, part: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        # A ready client's SDK writes the other alphabet.
        proof = str(part.get("thoughtSignature") or "").replace("-", "+").replace("_", "/")
        call = part.get("functionCall")
        if isinstance(call, dict):
            if proof:
                yield ThinkingDelta("", f"{_CALL}{self._calls}:{proof}")
            yield self._call(call)
            return
        text = part.get("text")
        if text and isinstance(text, str):
            yield ThinkingDelta(text) if part.get("thought") else TextDelta(text)
        if proof:
            yield ThinkingDelta("", f"{_TEXT}{proof}")

    def _call(self, call: Mapping[str, Any]) -> ToolCallDelta:
        number = self._calls
        self._calls += 1
        arguments = json.dumps(call.get("args") or {}, ensure_ascii=False)
        return ToolCallDelta(
            number, str(call.get("id") or ""), str(call.get("name") or ""), arguments
        )

    def _note_end(self, reason: str) -> None:
        if reason in _BROKEN:
            raise against_protocol(f"the model's output was unreadable ({reason})", self._site)
        if reason != "FINISH_REASON_UNSPECIFIED":
            self._finish_reason = reason or self._finish_reason

    def _object(self, value: object, what: str) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        raise against_protocol(f"{what} that is no JSON object", self._site)

    def _list(self, value: object, what: str) -> list[Any]:
        if value is None or isinstance(value, list):
            return value or []
        raise against_protocol(f"{what} that are no list", self._site)


def _usage(usage: Json) -> Usage:
    """Return the tokens; the vendor counts thoughts beside the answer."""
    thoughts = count(usage, "thoughtsTokenCount")
    return Usage(
        input=count(usage, "promptTokenCount") + count(usage, "toolUsePromptTokenCount"),
        output=count(usage, "candidatesTokenCount") + thoughts,
        cache_read=count(usage, "cachedContentTokenCount"),
        reasoning=thoughts,
    )
