"""The JSON of Anthropic's Messages API: requests written, streamed events read."""

from __future__ import annotations

import base64
import json
import re
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
from victor.providers.json_values import count, word
from victor.providers.output_schema import strict_schema

Json: TypeAlias = dict[str, Any]

REDACTED = "redacted_thinking:"
"""Marks a signature that is a whole redacted block, whose reasoning has no readable text."""

_PROVIDER = "anthropic"
_CACHED: Json = {"type": "ephemeral"}
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_THINKS = re.compile(r"claude-[a-z]+-5(-\d+)?$")
"""Models that reason unless told not to. The later ones bind reasoning to what preceded it."""
_STOP_REASONS = {
    "end_turn": StopReason.END,
    "stop_sequence": StopReason.END,
    "tool_use": StopReason.TOOL_USE,
    "max_tokens": StopReason.MAX_TOKENS,
    "compaction": StopReason.END,
    "pause_turn": StopReason.PAUSE,
    "refusal": StopReason.REFUSAL,
    "model_context_window_exceeded": StopReason.CONTEXT_EXCEEDED,
}


def encode_request(request: Request, max_tokens: int) -> Json:
    """Return the body of a streamed call, with the vendor's four cache breakpoints set.

    They stand after the system prompt, after the tools, and after the last two messages from the
    user's side: the last for the next call, the one before because the vendor looks back only
    20 blocks from a breakpoint for what it has cached, and a step of many calls is longer.
    """
    messages = _encode_messages(request.messages)
    body: Json = {
        "model": request.model,
        "max_tokens": max_tokens,
        "messages": messages,
        "stream": True,
    }
    if request.system:
        body["system"] = [{"type": "text", "text": request.system, "cache_control": _CACHED}]
    if request.tools:
        tools = [_encode_tool(tool) for tool in request.tools]
        tools[-1]["cache_control"] = _CACHED
        body["tools"] = tools
        body["tool_choice"] = {"type": _tool_choice(request)}
    thinking = _thinking(request.model)
    if thinking:
        body["thinking"] = thinking
    if request.output_schema is not None:
        schema = strict_schema(request.output_schema)
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    users = [message for message in messages if message["role"] == "user"]
    for message in users[-2:]:
        message["content"][-1]["cache_control"] = _CACHED
    return body


def beta_headers(model: str) -> dict[str, str]:
    """Return the headers that the body for `model` needs beside the SDK's own."""
    thinking = _thinking(model)
    if thinking and "block_binding" in thinking:
        return {"anthropic-beta": "thinking-binding-controls-2026-08-01"}
    return {}


def joined(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of both; where both name betas, all of them."""
    names = one.keys() | other.keys()
    return {
        name: ",".join(part[name] for part in (one, other) if name in part)
        for name in sorted(names)
    }


def compaction(instructions: str) -> tuple[Json, dict[str, str]]:
    """Return what makes a call one for a summary: what the body has more, and its headers."""
    asked: Json = {"type": "summarize"}
    if instructions:
        asked["instructions"] = instructions
    return {"compaction": asked}, {"anthropic-beta": "compact-2026-09-04"}


def _thinking(model: str) -> Json | None:
    """Return how reasoning is asked for; None leaves it to the vendor.

    The newer models put what they say between tool calls into reasoning, whose text they leave
    out unless a display is asked for. They also refuse reasoning whose prefix has changed since,
    as it does when the context is compacted, unless told to drop it.
    """
    match = _THINKS.match(model)
    if match is None:
        return None
    thinking: Json = {"type": "adaptive", "display": "summarized"}
    if match[1]:
        thinking["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
    return thinking


def _tool_choice(request: Request) -> str:
    """Return the vendor's word; models that reason refuse a forced call, so theirs stays free."""
    match request.tool_choice:
        case ToolChoice.NONE:
            return "none"
        case ToolChoice.REQUIRED if not _THINKS.match(request.model):
            return "any"
    return "auto"


def _encode_tool(tool: ToolSpec) -> Json:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": {"type": "object", **tool.parameters},
    }


def _encode_messages(messages: tuple[Message, ...]) -> list[Json]:
    """Return the messages in turns: consecutive ones of the same side become one."""
    encoded: list[Json] = []
    ids: dict[str, str] = {}
    for message in messages:
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = [block for part in message.parts if (block := _encode_part(part, ids))]
        if not blocks and role == "assistant":
            continue
        if not blocks:
            # The vendor refuses a turn without content, and text of nothing but spaces.
            blocks = [{"type": "text", "text": "(empty)"}]
        if encoded and encoded[-1]["role"] == role:
            encoded[-1]["content"] += blocks
        else:
            encoded.append({"role": role, "content": blocks})
    if encoded and encoded[-1]["role"] == "assistant" and "text" in encoded[-1]["content"][-1]:
        # A reply that the vendor is to go on with may not end with a space.
        last = encoded[-1]["content"][-1]
        last["text"] = last["text"].rstrip()
    return encoded


def _encode_part(part: Part, ids: dict[str, str]) -> Json | None:
    """Return the part as a content block; None for what this vendor must not be sent."""
    match part:
        case Text():
            return {"type": "text", "text": part.text} if part.text.strip() else None
        case Image():
            return {
                "type": "image",
                "source": {
                    "type": "base64",
                    "media_type": part.media_type,
                    "data": base64.b64encode(part.data).decode(),
                },
            }
        case Document():
            return {
                "type": "document",
                "title": part.name,
                "source": {
                    "type": "base64",
                    "media_type": part.media_type,
                    "data": base64.b64encode(part.data).decode(),
                },
            }
        case Thinking():
            return _encode_thinking(part)
        case ToolCall():
            return {
                "type": "tool_use",
                "id": _encode_id(part.id, ids),
                "name": sendable_name(part.name),
                "input": dict(part.arguments),
            }
        case ToolResult():
            block: Json = {"type": "tool_result", "tool_use_id": _encode_id(part.call_id, ids)}
            if part.content:
                block["content"] = part.content
            if part.images:
                parts: tuple[Part, ...] = (Text(part.content), *part.images)
                block["content"] = [shown for one in parts if (shown := _encode_part(one, ids))]
            if part.is_error:
                block["is_error"] = True
            return block


def _encode_thinking(part: Thinking) -> Json | None:
    if part.provider != _PROVIDER or not part.signature:
        return None
    if part.signature.startswith(REDACTED):
        return {"type": "redacted_thinking", "data": part.signature.removeprefix(REDACTED)}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _encode_id(call_id: str, ids: dict[str, str]) -> str:
    """Return an id in the vendor's alphabet, the same for the same id and for no other."""
    known = ids.get(call_id)
    if known is not None:
        return known
    encoded = plain = _NOT_IN_ID.sub("_", call_id) or "call"
    taken = set(ids.values())
    count = 1
    while encoded in taken:
        count += 1
        encoded = f"{plain}_{count}"
    ids[call_id] = encoded
    return encoded


class ReplyReader:
    """Turns one stream's events into deltas. Raises `BadReply` for what is no event."""

    def __init__(self, site: CallSite) -> None:
        self._site = site
        self._calls: dict[object, int] = {}
        """Position of a block in the reply to the number of its call."""
        self._started = 0
        """How many calls there are: two may claim the same place."""
        self._open: object = None
        """The place of the block that started last, for fragments that do not name theirs."""
        self._started_with: dict[object, str] = {}
        self._usage: Json = {}
        self._model = ""
        self._stop_reason = ""
        self.finished = False
        """Whether the event that ends a whole stream was read."""

    def read(self, event: object) -> Iterator[ReplyDelta]:
        """Yield the deltas that the event carries."""
        event = self._object(event, "an event")
        match event.get("type"):
            case "content_block_delta":
                yield from self._delta(event)
            case "content_block_start":
                yield from self._start(event)
            case "content_block_stop":
                yield from self._stop(event)
            case "message_start":
                message = self._object(event.get("message"), "message_start")
                self._model = str(message.get("model") or "")
                self._count(message)
            case "message_delta":
                delta = self._object(event.get("delta"), "message_delta")
                self._stop_reason = str(delta.get("stop_reason") or self._stop_reason)
                self._count(event)
            case "message_stop":
                self.finished = True
            case "message":
                yield from self._whole(event)
            case _:
                # The vendor adds kinds of events and asks to pass over unknown ones.
                return

    def result(self) -> ReplyFinished:
        """Return the last delta of a whole stream."""
        usage = self._usage
        read = count(usage, "cache_read_input_tokens")
        written = count(usage, "cache_creation_input_tokens")
        details = usage.get("output_tokens_details")
        return ReplyFinished(
            _STOP_REASONS.get(self._stop_reason, StopReason.UNKNOWN),
            Usage(
                input=count(usage, "input_tokens") + read + written,
                output=count(usage, "output_tokens"),
                cache_read=read,
                cache_write=written,
                reasoning=count(details, "thinking_tokens"),
            ),
            self._model,
        )

    def _delta(self, event: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        delta = self._object(event.get("delta"), "content_block_delta")
        match delta.get("type"):
            case "text_delta":
                yield TextDelta(self._text(delta, "text"))
            case "input_json_delta":
                index = self._place(event)
                if index in self._calls:
                    self._started_with.pop(index, None)
                    yield ToolCallDelta(
                        self._calls[index], arguments=self._text(delta, "partial_json")
                    )
            case "thinking_delta":
                yield ThinkingDelta(self._text(delta, "thinking"))
            case "signature_delta":
                yield ThinkingDelta("", self._text(delta, "signature"))

    def _start(self, event: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        block = self._object(event.get("content_block"), "content_block_start")
        self._open = event.get("index") if isinstance(event.get("index"), int) else object()
        match block.get("type"):
            case "text" if block.get("text"):
                yield TextDelta(self._text(block, "text"))
            case "thinking" if block.get("thinking"):
                yield ThinkingDelta(self._text(block, "thinking"))
            case "compaction" if block.get("content"):
                yield TextDelta(self._text(block, "content"))
            case "redacted_thinking":
                yield ThinkingDelta("", REDACTED + self._text(block, "data"))
            case "tool_use":
                position = self._open
                number = self._calls[position] = self._started
                self._started += 1
                if block.get("input"):
                    self._started_with[position] = json.dumps(block["input"])
                yield ToolCallDelta(number, word(block, "id"), word(block, "name"))

    def _place(self, event: Mapping[str, Any]) -> object:
        """Return which block the event belongs to: where it does not say, the last one."""
        index = event.get("index")
        return index if isinstance(index, int) else self._open

    def _whole(self, message: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        """Yield the deltas of a message that was not streamed."""
        content = message.get("content")
        if not isinstance(content, list):
            raise against_protocol("a message without content", self._site)
        yield from self.read({"type": "message_start", "message": message})
        for index, block in enumerate(content):
            yield from self._start({"index": index, "content_block": block})
            if isinstance(block, dict) and block.get("signature") and "thinking" in block:
                yield ThinkingDelta("", self._text(block, "signature"))
            yield from self._stop({"index": index})
        self._stop_reason = str(message.get("stop_reason") or "")
        self.finished = True

    def _stop(self, event: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        # Servers that imitate the vendor send a call's arguments whole, with its start.
        place = self._place(event)
        arguments = self._started_with.pop(place, "")
        if arguments:
            yield ToolCallDelta(self._calls[place], arguments=arguments)

    def _count(self, source: Mapping[str, Any]) -> None:
        """Keep the latest figures: they are cumulative, and a null means no news."""
        usage = source.get("usage")
        if isinstance(usage, dict):
            self._usage.update((key, value) for key, value in usage.items() if value is not None)

    def _object(self, value: object, where: str) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        raise against_protocol(f"{where} is no JSON object", self._site)

    def _text(self, source: Mapping[str, Any], key: str) -> str:
        value = source.get(key)
        if isinstance(value, str):
            return value
        raise against_protocol(f"{source.get('type')} without {key}", self._site)
