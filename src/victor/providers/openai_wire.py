"""The JSON of OpenAI's chat completions: requests written, streamed chunks read."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta
from victor.messages import (
    Document,
    Image,
    JsonObject,
    Message,
    Request,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolSpec,
    Usage,
)
from victor.providers.errors import CallSite, against_protocol
from victor.providers.exchange import sendable_name
from victor.providers.json_values import count, entries, word
from victor.providers.openai_calls import CallFragments
from victor.providers.output_schema import NAME, strict_schema
from victor.providers.presets import Preset
from victor.providers.reasoning_details import ReasoningDetails, details_of
from victor.providers.text_calls import PrintedCall, TextCalls

Json: TypeAlias = dict[str, Any]

_REASONS = re.compile(r"(gpt-([5-9]|\d\d)|o\d)")
_TOOLS_WITHOUT_EFFORT = re.compile(r"gpt-(5\.[4-9]|[6-9])(?!.*astra)(?!\.[12]-sol)")
"""Models that take tools here only with effort `none`; the others named refuse even that."""
_PRINTED = 1_000_000
_NINE = re.compile(r"[a-zA-Z0-9]{9}")
_STOP_REASONS = {
    "stop": StopReason.END,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
    "length": StopReason.MAX_TOKENS,
    "content_filter": StopReason.CONTENT_FILTER,
}


def encode_request(request: Request, preset: Preset) -> Json:
    """Return the body of a streamed call."""
    body: Json = {
        "model": request.model,
        "messages": _encode_messages(request, preset),
        "stream": True,
    }
    if preset.asks_for_usage:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
        if request.tool_choice is not ToolChoice.AUTO:
            body["tool_choice"] = request.tool_choice.value
        if preset.effort_with_tools and _TOOLS_WITHOUT_EFFORT.match(request.model):
            body["reasoning_effort"] = "none"
    if request.output_schema is not None:
        answer = {"name": NAME, "schema": strict_schema(request.output_schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    if request.max_tokens is not None:
        body[preset.max_tokens_key] = request.max_tokens
    if request.temperature is not None and _takes_temperature(body, preset):
        body["temperature"] = request.temperature
    return body


def encode_completion(
    preset: Preset,
    *,
    model: str,
    messages: list[dict[str, str]],
    schema: JsonObject | None,
    max_tokens: int,
    temperature: float,
    stop: tuple[str, ...],
) -> Json:
    """Return the body of a streamed call for text, held to `schema` if there is one."""
    body: Json = {
        "model": model,
        "messages": messages,
        "stream": True,
        "temperature": temperature,
        preset.max_tokens_key: max_tokens,
    }
    if preset.asks_for_usage:
        body["stream_options"] = {"include_usage": True}
    if stop:
        body["stop"] = list(stop)
    if schema is not None:
        answer = {"name": "answer", "schema": schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    return body


def _takes_temperature(body: Json, preset: Preset) -> bool:
    """Return whether the model takes one: a model of OpenAI's that reasons refuses it."""
    if not preset.effort_with_tools or not _REASONS.match(body["model"]):
        return True
    return body.get("reasoning_effort") == "none"


def _encode_tool(tool: ToolSpec) -> Json:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": {"type": "object", **tool.parameters},
        },
    }


def _encode_messages(request: Request, preset: Preset) -> list[Json]:
    encoded: list[Json] = []
    if request.system:
        encoded.append({"role": "system", "content": request.system})
    for message in request.messages:
        match message.role:
            case Role.USER:
                encoded.append({"role": "user", "content": _encode_user(message, preset)})
            case Role.ASSISTANT:
                if any(not isinstance(part, Thinking) for part in message.parts):
                    encoded.append(_encode_assistant(message, request.model, preset))
            case Role.TOOL:
                encoded += (
                    {
                        "role": "tool",
                        "tool_call_id": _encode_id(result.call_id, preset),
                        "content": result.content,
                    }
                    for result in message.tool_results
                )
                shown = [image for result in message.tool_results for image in result.images]
                if shown:
                    # The protocol has no pictures in results: they come as from the user.
                    pictures = Message(Role.USER, (Text("The pictures that were read:"), *shown))
                    encoded.append({"role": "user", "content": _encode_user(pictures, preset)})
    return encoded


def _encode_user(message: Message, preset: Preset) -> str | list[Json]:
    if all(isinstance(part, Text) for part in message.parts):
        return message.text
    content: list[Json] = []
    for part in message.parts:
        if isinstance(part, Text):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, Image):
            content.append({"type": "image_url", "image_url": {"url": _data_url(part)}})
        elif isinstance(part, Document):
            content.append(_encode_document(part, preset))
    return content


def _encode_document(part: Document, preset: Preset) -> Json:
    if preset.documents:
        file = {"filename": part.name, "file_data": _data_url(part)}
        return {"type": "file", "file": file}
    # Refused, it would spoil every later turn of the conversation; left out silently, be missed.
    return {"type": "text", "text": f"({part.name} cannot be shown: this server takes no files.)"}


def _data_url(part: Image | Document) -> str:
    return f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"


def _encode_assistant(message: Message, model: str, preset: Preset) -> Json:
    calls = message.tool_calls
    encoded: Json = {"role": "assistant", "content": message.text or (None if calls else "")}
    if calls:
        encoded["tool_calls"] = [_encode_call(call, preset) for call in calls]
    if preset.returns_reasoning:
        # Empty for what another vendor's model said: the field must be there all the same.
        encoded[preset.returns_reasoning] = "".join(
            part.text
            for part in message.parts
            if isinstance(part, Thinking) and part.provider == preset.name
        )
    if preset.reasoning_details and (details := details_of(message, preset.name, model)):
        encoded["reasoning_details"] = details
    return encoded


def _encode_id(call_id: str, preset: Preset) -> str:
    """Return the id as the server takes it, the same for the same id."""
    if not preset.nine_letter_ids or _NINE.fullmatch(call_id):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]


def _encode_call(call: ToolCall, preset: Preset) -> Json:
    # Arguments that were no JSON go back as none: several servers parse them, and fail.
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False, separators=(",", ":"))
    function = {"name": sendable_name(call.name), "arguments": arguments}
    return {"id": _encode_id(call.id, preset), "type": "function", "function": function}


class ChunkReader:
    """Turns one stream's chunks into deltas. Raises `BadReply` for what is no chunk.

    A call of one of `printed_tools` that is printed as text becomes a call.
    """

    def __init__(
        self,
        site: CallSite,
        taken_ids: frozenset[str] = frozenset(),
        printed_tools: frozenset[str] = frozenset(),
        *,
        reasoning_details: bool = False,
    ) -> None:
        self._site = site
        self._text = TextCalls(printed_tools) if printed_tools else None
        self._calls = CallFragments(taken_ids)
        self._details = ReasoningDetails() if reasoning_details else None
        self._usage: Json = {}
        self._model = ""
        self._finish_reason = ""
        self._refused = False

    @property
    def finished(self) -> bool:
        """Whether the chunk that ends a whole reply was read; only usage may follow."""
        return bool(self._finish_reason)

    def read(self, chunk: object) -> Iterator[ReplyDelta]:
        """Yield the deltas that the chunk carries."""
        if not isinstance(chunk, dict):
            raise against_protocol("a chunk is no JSON object", self._site)
        self._model = word(chunk, "model") or self._model
        groq = chunk.get("x_groq")
        self._note_usage(chunk.get("usage") or (groq.get("usage") if isinstance(groq, dict) else 0))
        choices = chunk.get("choices")
        if not choices:
            return
        choice = choices[0] if isinstance(choices, list) else None
        if not isinstance(choice, dict):
            raise against_protocol("a chunk's choice is no JSON object", self._site)
        self._note_usage(choice.get("usage"))
        # A server that does not stream sends the whole message in one chunk.
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            yield from self._delta(delta)
        reason = word(choice, "finish_reason")
        if reason == "error":
            raise against_protocol("the server broke the reply off with an error", self._site)
        if reason and not self._finish_reason:
            yield from self._last()
        self._finish_reason = reason or self._finish_reason

    def result(self) -> ReplyFinished:
        """Return the last delta of a whole stream."""
        reason = _STOP_REASONS.get(self._finish_reason, StopReason.UNKNOWN)
        if reason is StopReason.END and self._calls:
            reason = StopReason.TOOL_USE
        if reason is StopReason.END and self._refused:
            reason = StopReason.REFUSAL
        return ReplyFinished(reason, _usage(self._usage), self._model)

    def _last(self) -> Iterator[ReplyDelta]:
        """Yield what is known at the end alone."""
        if self._text:
            yield from self._found(self._text.finish())
        if self._details and (signature := self._details.signature(self._site.model)):
            yield ThinkingDelta("", signature)

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        if self._details:
            self._details.add(entries(delta, "reasoning_details"))
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            yield ThinkingDelta(reasoning)
        content = delta.get("content")
        if isinstance(content, str):
            if content and self._text:
                yield from self._found(self._text.feed(content))
            elif content:
                yield TextDelta(content)
        elif isinstance(content, list):
            yield from _content_parts(content)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            yield TextDelta(refusal)
        for fragment in entries(delta, "tool_calls"):
            if not isinstance(fragment, dict):
                raise against_protocol("a tool call is no JSON object", self._site)
            yield from self._calls.add(fragment)

    def _found(self, found: Iterator[str | PrintedCall]) -> Iterator[ReplyDelta]:
        for piece in found:
            if isinstance(piece, str):
                yield TextDelta(piece)
            else:
                function = {"name": piece.name, "arguments": piece.arguments}
                # An index of its own keeps it apart from the call before, whole or not.
                yield from self._calls.add(
                    {"index": _PRINTED + len(self._calls), "function": function}
                )

    def _note_usage(self, usage: object) -> None:
        if isinstance(usage, dict):
            self._usage = usage


def _content_parts(parts: list[Any]) -> Iterator[ReplyDelta]:
    """Yield the deltas of content that is a list of parts, as Mistral's reasoning models send."""
    for part in parts:
        match part:
            case {"type": "text", "text": str(text)}:
                yield TextDelta(text)
            case {"type": "thinking", "thinking": str(text)}:
                yield ThinkingDelta(text)
            case {"type": "thinking", "thinking": list(inner)}:
                yield ThinkingDelta("".join(word(piece, "text") for piece in inner))


def _usage(usage: Json) -> Usage:
    """Return the tokens; zeros where the server did not tell."""
    sent = count(usage, "prompt_tokens")
    prompt = usage.get("prompt_tokens_details")
    completion = usage.get("completion_tokens_details")
    return Usage(
        input=sent,
        # Some leave reasoning out of completion_tokens, but in the total.
        output=max(count(usage, "completion_tokens"), count(usage, "total_tokens") - sent),
        cache_read=count(prompt, "cached_tokens") or count(usage, "prompt_cache_hit_tokens"),
        cache_write=count(prompt, "cache_write_tokens"),
        reasoning=count(completion, "reasoning_tokens"),
    )
