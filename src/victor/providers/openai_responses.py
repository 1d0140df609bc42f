"""The JSON of OpenAI's Responses API: requests written, streamed events read.

Nothing is stored at the vendor's: each call carries the whole conversation, and reasoning comes
and goes encrypted. A reasoning item goes back without its id, which the vendor would look up in
the store that it was told not to keep.
"""

from __future__ import annotations

import base64
import hashlib
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
from victor.providers.errors import CallSite, against_protocol, stream_error
from victor.providers.exchange import sendable_name
from victor.providers.json_values import count, entries, word
from victor.providers.openai_items import ItemPlaces
from victor.providers.output_schema import NAME, strict_schema

Json: TypeAlias = dict[str, Any]

PATH = "/responses"

_REASONS = re.compile(r"(gpt-([5-9]|\d\d)|o\d)")
"""Models that reason: they take no temperature, and their reasoning can be had encrypted."""
_LONGEST_ID = 64
_INCOMPLETE = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.CONTENT_FILTER,
}


def encode_response_request(request: Request, provider: str) -> Json:
    """Return the body of a streamed call, with the reasoning that `provider` once gave."""
    reasons = bool(_REASONS.match(request.model))
    body: Json = {
        "model": request.model,
        "input": _encode_input(request.messages, provider),
        "store": False,
        "stream": True,
    }
    if request.system:
        body["instructions"] = request.system
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
        if request.tool_choice is not ToolChoice.AUTO:
            body["tool_choice"] = request.tool_choice.value
    if request.output_schema is not None:
        schema = strict_schema(request.output_schema)
        form = {"type": "json_schema", "name": NAME, "schema": schema, "strict": True}
        body["text"] = {"format": form}
    if reasons:
        body["include"] = ["reasoning.encrypted_content"]
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    if request.temperature is not None and not reasons:
        body["temperature"] = request.temperature
    return body


def _encode_tool(tool: ToolSpec) -> Json:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": {"type": "object", **tool.parameters},
        # Strict is this protocol's default, and it makes optional arguments required.
        "strict": False,
    }


def _encode_input(messages: tuple[Message, ...], provider: str) -> list[Json]:
    encoded: list[Json] = []
    for message in messages:
        match message.role:
            case Role.USER:
                content = [item for part in message.parts if (item := _encode_content(part))]
                encoded.append({"role": "user", "content": content})
            case Role.ASSISTANT:
                encoded += _encode_assistant(message, provider)
            case Role.TOOL:
                encoded += map(_encode_result, message.tool_results)
    return encoded


def _encode_content(part: Part) -> Json | None:
    match part:
        case Text():
            return {"type": "input_text", "text": part.text}
        case Image():
            return {"type": "input_image", "image_url": _data_url(part)}
        case Document():
            return {"type": "input_file", "filename": part.name, "file_data": _data_url(part)}
    return None


def _data_url(part: Image | Document) -> str:
    return f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"


def _encode_assistant(message: Message, provider: str) -> Iterator[Json]:
    """Yield the items of a message; reasoning that nothing follows is left out."""
    if not any(isinstance(part, Text | ToolCall) for part in message.parts):
        return
    for part in message.parts:
        match part:
            case Text():
                yield {"role": "assistant", "content": part.text}
            case Thinking() if part.provider == provider and part.signature:
                summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                yield {
                    "type": "reasoning",
                    "summary": summary,
                    "encrypted_content": part.signature,
                }
            case ToolCall():
                arguments = json.dumps(dict(part.arguments), ensure_ascii=False)
                yield {
                    "type": "function_call",
                    "call_id": _encode_id(part.id),
                    "name": sendable_name(part.name),
                    "arguments": arguments,
                }


def _encode_result(result: ToolResult) -> Json:
    output: str | list[Json | None] = result.content
    if result.images:
        parts: tuple[Part, ...] = (Text(result.content), *result.images)
        output = [_encode_content(part) for part in parts]
    return {
        "type": "function_call_output",
        "call_id": _encode_id(result.call_id),
        "output": output,
    }


def _encode_id(call_id: str) -> str:
    """Return the id, or what stands for it: another vendor's may be longer than this one takes."""
    if len(call_id) <= _LONGEST_ID:
        return call_id
    return f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:32]}"


class ResponseReader:
    """Turns one stream's events into deltas.

    Raises `BadReply` for what is no event, and the `ProviderError` that a reported failure means.
    """

    def __init__(self, site: CallSite) -> None:
        self._site = site
        self._places = ItemPlaces()
        self._calls: dict[int, int] = {}
        """Place of an item in the reply to the number of its call."""
        self._arguments: dict[int, str] = {}
        self._told: set[int] = set()
        """Places whose text, refusal or reasoning came in pieces, or whose item came whole."""
        self._refused = False
        self._end: Mapping[str, Any] = {}
        self.finished = False
        """Whether the event that ends a whole reply was read."""

    def read(self, event: object) -> Iterator[ReplyDelta]:
        """Yield the deltas that the event carries."""
        if not isinstance(event, dict):
            raise against_protocol("an event is no JSON object", self._site)
        kind = event.get("type") or event.get("object")
        match kind:
            case (
                "response.output_text.delta"
                | "response.refusal.delta"
                | "response.reasoning_summary_text.delta"
                | "response.reasoning_text.delta"
            ):
                yield from self._piece(kind, event)
            case "response.function_call_arguments.delta":
                yield from self._add_arguments(self._places.of(event), self._delta(event))
            case "response.reasoning_summary_part.added" if event.get("summary_index"):
                yield ThinkingDelta("\n\n")
            case "response.output_item.added":
                yield from self._item_starts(event)
            case "response.output_item.done":
                item = self._item(event)
                yield from self._item_ends(self._places.end(event, item), item)
            case "response.completed" | "response.incomplete" | "response":
                yield from self._finish(event)
            case "response.failed" | "error":
                raise self._failure(event)
            case _:
                # Hosted tools and later additions have events of their own.
                return

    def result(self) -> ReplyFinished:
        """Return the last delta of a whole stream."""
        return ReplyFinished(
            self._stop_reason(), _usage(self._end.get("usage")), word(self._end, "model")
        )

    def _stop_reason(self) -> StopReason:
        if self._end.get("status") == "incomplete":
            reason = word(self._end.get("incomplete_details"), "reason")
            return _INCOMPLETE.get(reason, StopReason.UNKNOWN)
        if self._calls:
            return StopReason.TOOL_USE
        return StopReason.REFUSAL if self._refused else StopReason.END

    def _piece(self, kind: str, event: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        self._told.add(self._places.of(event))
        words = self._delta(event)
        if "reasoning" in kind:
            yield ThinkingDelta(words)
            return
        self._refused = self._refused or kind == "response.refusal.delta"
        yield TextDelta(words)

    def _item_starts(self, event: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        item = self._item(event)
        place = self._places.start(event, item)
        if item.get("type") == "function_call":
            yield from self._call_starts(place, item)

    def _call_starts(self, place: int, item: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        number = self._calls[place] = len(self._calls)
        arguments = self._arguments[place] = str(item.get("arguments") or "")
        call_id = str(item.get("call_id") or item.get("id") or "")
        yield ToolCallDelta(number, call_id, str(item.get("name") or ""), arguments)

    def _add_arguments(self, place: int, arguments: str) -> Iterator[ReplyDelta]:
        if place not in self._calls:
            raise against_protocol("arguments of no tool call", self._site)
        if arguments:
            self._arguments[place] += arguments
            yield ToolCallDelta(self._calls[place], arguments=arguments)

    def _item_ends(self, place: int, item: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        """Yield what the whole item holds and its pieces did not."""
        match item.get("type"):
            case "function_call":
                if place not in self._calls:
                    yield from self._call_starts(place, item)
                    return
                whole, had = str(item.get("arguments") or ""), self._arguments[place]
                if len(whole) > len(had) and whole.startswith(had):
                    yield from self._add_arguments(place, whole[len(had) :])
            case "reasoning":
                told = place in self._told
                text = "" if told else "\n\n".join(_texts(item.get("summary")))
                signature = str(item.get("encrypted_content") or "")
                if text or signature:
                    yield ThinkingDelta(text, signature)
            case "message" if place not in self._told:
                yield from self._message(item)
        self._told.add(place)

    def _message(self, item: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        for part in entries(item, "content"):
            match part:
                case {"type": "output_text", "text": str(text)} if text:
                    yield TextDelta(text)
                case {"type": "refusal", "refusal": str(text)}:
                    self._refused = True
                    yield TextDelta(text)

    def _finish(self, event: Mapping[str, Any]) -> Iterator[ReplyDelta]:
        # An answer that was not streamed is the response itself.
        response = event if event.get("object") == "response" else event.get("response")
        if not isinstance(response, dict):
            raise against_protocol("the last event carries no response", self._site)
        if response.get("status") == "failed":
            raise self._failure({"response": response})
        self._end = response
        self.finished = True
        # Servers that do not really stream send their items with the last event alone.
        for index, item in enumerate(entries(response, "output")):
            if not isinstance(item, dict):
                continue
            place = self._places.listed(index, item)
            if place not in self._told and place not in self._calls:
                yield from self._item_ends(place, item)

    def _failure(self, event: Mapping[str, Any]) -> Exception:
        response = event.get("response")
        body = response.get("error") if isinstance(response, dict) else event
        return stream_error(body, self._site)

    def _item(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        item = event.get("item")
        if isinstance(item, dict):
            return item
        raise against_protocol(f"{event.get('type')} without its item", self._site)

    def _delta(self, event: Mapping[str, Any]) -> str:
        delta = event.get("delta")
        if isinstance(delta, str):
            return delta
        raise against_protocol(f"{event.get('type')} without its text", self._site)


def _texts(parts: object) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def _usage(usage: object) -> Usage:
    """Return the tokens; zeros where the server did not tell."""
    if not isinstance(usage, dict):
        return Usage()
    sent, generated = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    return Usage(
        input=count(usage, "input_tokens"),
        output=count(usage, "output_tokens"),
        cache_read=count(sent, "cached_tokens"),
        cache_write=count(sent, "cache_write_tokens"),
        reasoning=count(generated, "reasoning_tokens"),
    )
