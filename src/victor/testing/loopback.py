"""Servers on 127.0.0.1 that speak a vendor's wire protocol, scripted, for tests without a network.

    async with AnthropicLoopback(["Hello!"]) as server:
        provider = AnthropicProvider(api_key="any", base_url=server.url)

Code that calls `asyncio.run` by itself needs the server in a thread of its own: `with` instead of
`async with`. Each request takes the next entry of the script, which is

- a `str`: the text of a reply;
- a `LoopbackReply`: text, reasoning, tool calls, usage, and where it breaks off;
- a `LoopbackError`: an HTTP status with the vendor's error body;
- `bytes`: the body of the response as it stands, for what no vendor should send;
- a function of the request's JSON that returns one of these.

When the script is over, `otherwise` answers; without one, status 400 says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from victor.testing import vendor_rules
from victor.testing.loopback_http import Json, Loopback, LoopbackError, LoopbackReply, cut

__all__ = ["AnthropicLoopback", "LoopbackError", "LoopbackReply", "OpenAILoopback"]


class AnthropicLoopback(Loopback):
    """Speaks Anthropic's Messages API."""

    path = "/v1/messages"

    def _objections(self, request: Json) -> Iterator[str]:
        return vendor_rules.anthropic(request, self._signed)

    def _error_body(self, error: LoopbackError) -> Json:
        return {"type": "error", "error": {"type": error.kind, "message": error.message}}

    def _whole(self, reply: LoopbackReply, request: Json) -> Json:
        return {
            **self._message(reply, request),
            "content": self._blocks(reply),
            "stop_reason": self._stop_reason(reply),
            "usage": self._usage(reply),
        }

    def _events(self, reply: LoopbackReply, request: Json) -> Iterator[bytes]:
        start = {
            **self._message(reply, request),
            "usage": {**self._usage(reply), "output_tokens": 1},
        }
        yield self._event("message_start", message=start)
        yield self._event("ping")
        for index, block in enumerate(self._blocks(reply)):
            empty, deltas = self._split(block, reply)
            yield self._event("content_block_start", index=index, content_block=empty)
            for delta in deltas:
                yield self._event("content_block_delta", index=index, delta=delta)
            yield self._event("content_block_stop", index=index)
        yield self._event(
            "message_delta",
            delta={"stop_reason": self._stop_reason(reply), "stop_sequence": None},
            usage={"output_tokens": reply.usage.output},
        )
        yield self._event("message_stop")

    @staticmethod
    def _event(kind: str, **data: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()

    def _message(self, reply: LoopbackReply, request: Json) -> Json:
        return {
            "id": f"msg_{len(self.requests)}",
            "type": "message",
            "role": "assistant",
            "model": request.get("model", ""),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }

    @staticmethod
    def _blocks(reply: LoopbackReply) -> list[Json]:
        blocks: list[Json] = []
        if reply.thinking:
            blocks.append(
                {"type": "thinking", "thinking": reply.thinking, "signature": reply.signature}
            )
        if reply.text:
            blocks.append({"type": "text", "text": reply.text})
        blocks += (
            {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}
            for call in reply.calls
        )
        return blocks

    @staticmethod
    def _split(block: Json, reply: LoopbackReply) -> tuple[Json, list[Json]]:
        """Return the block as it starts, and the deltas that fill it."""
        match block["type"]:
            case "text":
                pieces = cut(block["text"], reply.pieces)
                return {"type": "text", "text": ""}, [
                    {"type": "text_delta", "text": piece} for piece in pieces
                ]
            case "thinking":
                deltas = [
                    {"type": "thinking_delta", "thinking": piece}
                    for piece in cut(block["thinking"], reply.pieces)
                ]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
                return {"type": "thinking", "thinking": "", "signature": ""}, deltas
        pieces = cut(json.dumps(block["input"]), reply.pieces)
        return {**block, "input": {}}, [
            {"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces]
        ]

    @staticmethod
    def _stop_reason(reply: LoopbackReply) -> str:
        return reply.stop_reason or ("tool_use" if reply.calls else "end_turn")

    @staticmethod
    def _usage(reply: LoopbackReply) -> Json:
        usage = reply.usage
        return {
            "input_tokens": usage.input - usage.cache_read - usage.cache_write,
            "cache_read_input_tokens": usage.cache_read,
            "cache_creation_input_tokens": usage.cache_write,
            "output_tokens": usage.output,
        }


class OpenAILoopback(Loopback):
    """Speaks OpenAI's chat completions. `models` are the names that it lists."""

    path = "/chat/completions"
    prefix = "/v1"
    models: tuple[str, ...] = ("loopback-model",)

    def _elsewhere(self, method: str, target: str) -> tuple[int, Json]:
        if method == "GET" and target.endswith("/models"):
            listed = [{"id": name, "object": "model"} for name in self.models]
            return 200, {"object": "list", "data": listed}
        return super()._elsewhere(method, target)

    def _objections(self, request: Json) -> Iterator[str]:
        return vendor_rules.chat_completions(request, self._signed)

    def _error_body(self, error: LoopbackError) -> Json:
        return {
            "error": {
                "message": error.message,
                "type": error.kind,
                "param": None,
                "code": error.code,
            }
        }

    def _whole(self, reply: LoopbackReply, request: Json) -> Json:
        message: Json = {"role": "assistant", "content": reply.text or None}
        if reply.thinking:
            message["reasoning_content"] = reply.thinking
        if reply.calls:
            message["tool_calls"] = [
                self._call(call.id, call.name, json.dumps(dict(call.arguments)))
                for call in reply.calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": self._finish_reason(reply)}
        return {
            **self._envelope("chat.completion", request),
            "choices": [choice],
            "usage": self._usage(reply),
        }

    def _events(self, reply: LoopbackReply, request: Json) -> Iterator[bytes]:
        yield self._event(request, {"role": "assistant", "content": ""})
        for piece in cut(reply.thinking, reply.pieces):
            yield self._event(request, {"reasoning_content": piece})
        for piece in cut(reply.text, reply.pieces):
            yield self._event(request, {"content": piece})
        for index, call in enumerate(reply.calls):
            first = {"index": index, **self._call(call.id, call.name, "")}
            yield self._event(request, {"tool_calls": [first]})
            for piece in cut(json.dumps(dict(call.arguments)), reply.pieces):
                part = {"index": index, "function": {"arguments": piece}}
                yield self._event(request, {"tool_calls": [part]})
        yield self._event(request, {}, self._finish_reason(reply))
        if (request.get("stream_options") or {}).get("include_usage"):
            chunk = self._envelope("chat.completion.chunk", request)
            yield self._data({**chunk, "choices": [], "usage": self._usage(reply)})
        yield b"data: [DONE]\n\n"

    def _event(self, request: Json, delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = self._envelope("chat.completion.chunk", request)
        return self._data({**chunk, "choices": [choice]})

    @staticmethod
    def _data(value: Json) -> bytes:
        return f"data: {json.dumps(value)}\n\n".encode()

    def _envelope(self, kind: str, request: Json) -> Json:
        return {
            "id": f"chatcmpl-{len(self.requests)}",
            "object": kind,
            "created": 0,
            "model": request.get("model", ""),
        }

    @staticmethod
    def _call(call_id: str, name: str, arguments: str) -> Json:
        function = {"name": name, "arguments": arguments}
        return {"id": call_id, "type": "function", "function": function}

    @staticmethod
    def _finish_reason(reply: LoopbackReply) -> str:
        return reply.stop_reason or ("tool_calls" if reply.calls else "stop")

    @staticmethod
    def _usage(reply: LoopbackReply) -> Json:
        usage = reply.usage
        return {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.total,
            "prompt_tokens_details": {"cached_tokens": usage.cache_read},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        }
