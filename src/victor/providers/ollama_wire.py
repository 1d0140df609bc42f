"""The JSON of Ollama's `/api/chat`: requests written, streamed lines read."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from victor import tokens
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    Document,
    Image,
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
from victor.providers.output_schema import strict_schema
from victor.providers.text_calls import PrintedCall, TextCalls

Json: TypeAlias = dict[str, Any]

_PROVIDER = "ollama"
_STOP_REASONS = {"stop": StopReason.END, "length": StopReason.MAX_TOKENS}


def encode_request(request: Request, num_ctx: int, *, streaming: bool) -> Json:
    """Return the body of a call that asks for `num_ctx` tokens of context."""
    options: Json = {"num_ctx": num_ctx}
    if request.max_tokens is not None:
        options["num_predict"] = request.max_tokens
    if request.temperature is not None:
        options["temperature"] = request.temperature
    body: Json = {
        "model": request.model,
        "messages": list(_encode_messages(request)),
        "stream": streaming,
        "options": options,
        # Otherwise the oldest messages are left out without a word.
        "truncate": False,
        "shift": False,
    }
    if request.tools and request.tool_choice is not ToolChoice.NONE:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
    if request.output_schema is not None:
        body["format"] = strict_schema(request.output_schema)
    return body


def tokens_needed(request: Request) -> int:
    """Return an estimate of the tokens that the request takes, without its answer."""
    sent = tokens.of_text(request.system) + sum(map(tokens.of_message, request.messages))
    return sent + sum(map(tokens.of_tool, request.tools))


def _encode_tool(tool: ToolSpec) -> Json:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": {"type": "object", **tool.parameters},
    }
    return {"type": "function", "function": function}


def _encode_messages(request: Request) -> Iterator[Json]:
    if request.system:
        yield {"role": "system", "content": request.system}
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    for message in request.messages:
        match message.role:
            case Role.USER:
                yield _encode_user(message)
            case Role.ASSISTANT:
                if any(not isinstance(part, Thinking) for part in message.parts):
                    yield _encode_assistant(message)
            case Role.TOOL:
                for result in message.tool_results:
                    yield {
                        "role": "tool",
                        "tool_name": sendable_name(names.get(result.call_id, "")),
                        "tool_call_id": result.call_id,
                        "content": result.content,
                    }
                shown = [image for result in message.tool_results for image in result.images]
                if shown:
                    # Only users' messages have pictures here.
                    yield _encode_user(Message(Role.USER, tuple(shown)))


def _encode_user(message: Message) -> Json:
    encoded: Json = {"role": "user", "content": "".join(map(_words, message.parts))}
    images = [part.data for part in message.parts if isinstance(part, Image)]
    if images:
        encoded["images"] = [base64.b64encode(data).decode() for data in images]
    return encoded


def _words(part: object) -> str:
    match part:
        case Text(text):
            return text
        case Document(name=name):
            return f"({name} cannot be shown: this server takes no files.)"
    return ""


def _encode_assistant(message: Message) -> Json:
    encoded: Json = {"role": "assistant", "content": message.text}
    thoughts = [
        part.text
        for part in message.parts
        if isinstance(part, Thinking) and part.provider == _PROVIDER
    ]
    if any(thoughts):
        encoded["thinking"] = "".join(thoughts)
    if message.tool_calls:
        encoded["tool_calls"] = [_encode_call(call) for call in message.tool_calls]
    return encoded


def _encode_call(call: ToolCall) -> Json:
    function = {"name": sendable_name(call.name), "arguments": dict(call.arguments)}
    return {"id": call.id, "function": function}


class LineReader:
    """Turns one answer's lines into deltas. Raises `BadReply` for what is none.

    A call of an offered tool that is printed as text becomes a call, unless the answer has to be
    JSON.
    """

    def __init__(self, site: CallSite, request: Request) -> None:
        self._site = site
        printed = () if request.output_schema is not None else request.tools
        self._text = TextCalls(tool.name for tool in printed) if printed else None
        self._calls = 0
        self._end: Json = {}
        self.finished = False
        """Whether the line that ends a whole answer was read."""

    def read(self, line: object) -> Iterator[ReplyDelta]:
        """Yield the deltas that the line carries."""
        if not isinstance(line, dict):
            raise against_protocol("a line is no JSON object", self._site)
        message = line.get("message")
        if isinstance(message, dict):
            yield from self._message(message)
        if line.get("done") is True:
            if self._text:
                yield from self._found(self._text.finish())
            self._end = line
            self.finished = True

    def result(self) -> ReplyFinished:
        """Return the last delta of a whole answer."""
        reason = _STOP_REASONS.get(word(self._end, "done_reason") or "stop", StopReason.UNKNOWN)
        if reason is StopReason.END and self._calls:
            reason = StopReason.TOOL_USE
        usage = Usage(count(self._end, "prompt_eval_count"), count(self._end, "eval_count"))
        return ReplyFinished(reason, usage, word(self._end, "model"))

    def _message(self, message: Json) -> Iterator[ReplyDelta]:
        if thought := word(message, "thinking"):
            yield ThinkingDelta(thought)
        if content := word(message, "content"):
            yield from self._found(self._text.feed(content) if self._text else (content,))
        for call in entries(message, "tool_calls"):
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                raise against_protocol("a tool call is no JSON object", self._site)
            arguments = function.get("arguments") or {}
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments, ensure_ascii=False)
            yield self._call(word(function, "name"), arguments, word(call, "id"))

    def _found(self, found: Iterable[str | PrintedCall]) -> Iterator[ReplyDelta]:
        for piece in found:
            if isinstance(piece, str):
                yield TextDelta(piece)
            else:
                yield self._call(piece.name, piece.arguments)

    def _call(self, name: str, arguments: str, call_id: str = "") -> ToolCallDelta:
        self._calls += 1
        return ToolCallDelta(self._calls - 1, call_id, name, arguments)
