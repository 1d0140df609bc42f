"""A server on 127.0.0.1 that speaks Ollama's own protocol, scripted like the other loopbacks.

async with OllamaLoopback(["Hello!"]) as server:
    provider = OllamaProvider(base_url=server.url)
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from victor.testing import vendor_rules
from victor.testing.loopback_http import Json, Loopback, LoopbackError, LoopbackReply, cut

__all__ = ["OllamaLoopback"]


class OllamaLoopback(Loopback):
    """Speaks Ollama's `/api/chat`."""

    path = "/api/chat"

    def _objections(self, request: Json) -> Iterator[str]:
        return vendor_rules.ollama(request, self._signed)

    def _error_body(self, error: LoopbackError) -> Json:
        return {"error": error.message}

    def _whole(self, reply: LoopbackReply, request: Json) -> Json:
        message: Json = {"role": "assistant", "content": reply.text}
        if reply.thinking:
            message["thinking"] = reply.thinking
        if reply.calls:
            message["tool_calls"] = [
                {"id": call.id, "function": {"name": call.name, "arguments": dict(call.arguments)}}
                for call in reply.calls
            ]
        return {
            "model": request.get("model", ""),
            "message": message,
            "done": True,
            "done_reason": reply.stop_reason or "stop",
            "prompt_eval_count": reply.usage.input,
            "eval_count": reply.usage.output,
        }

    def _events(self, reply: LoopbackReply, request: Json) -> Iterator[bytes]:
        whole = self._whole(reply, request)
        for piece in cut(reply.thinking, reply.pieces):
            yield _line(request, {"content": "", "thinking": piece})
        for piece in cut(reply.text, reply.pieces):
            yield _line(request, {"content": piece})
        if reply.calls:
            yield _line(request, {"content": "", "tool_calls": whole["message"]["tool_calls"]})
        yield json.dumps({**whole, "message": {"role": "assistant", "content": ""}}).encode()
        yield b"\n"


def _line(request: Json, message: Json) -> bytes:
    line = {"model": request.get("model", ""), "message": {"role": "assistant", **message}}
    return json.dumps({**line, "done": False}).encode() + b"\n"
