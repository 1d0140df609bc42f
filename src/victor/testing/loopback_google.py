"""A server on 127.0.0.1 that speaks Google's Gemini API, scripted like the other loopbacks.

    async with GoogleLoopback(["Hello!"]) as server:
        provider = GoogleProvider("any", base_url=server.url)

In a `LoopbackReply`, `thinking` is a thought and `signature` hangs on the first call, or on the
text where there is none. It is sent as base64, as the vendor does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from victor.testing import vendor_rules
from victor.testing.loopback_http import Json, Loopback, LoopbackError, LoopbackReply, cut

__all__ = ["GoogleLoopback"]


class GoogleLoopback(Loopback):
    """Speaks Google's Gemini API."""

    path = ":streamGenerateContent"
    total_tokens = 42
    """What it counts for any request."""

    def _elsewhere(self, method: str, target: str) -> tuple[int, Json]:
        if method == "POST" and target.endswith(":countTokens"):
            return 200, {"totalTokens": self.total_tokens}
        return super()._elsewhere(method, target)

    def _streams(self, request: Json) -> bool:
        # This vendor is told in the address, and not in the body, that it shall stream.
        return True

    def _objections(self, request: Json) -> Iterator[str]:
        return vendor_rules.google(request, self._signed)

    def _error_body(self, error: LoopbackError) -> Json:
        details = [{"reason": error.code}] if error.code else []
        return {
            "error": {
                "code": error.status,
                "message": error.message,
                "status": error.kind,
                "details": details,
            }
        }

    def _whole(self, reply: LoopbackReply, request: Json) -> Json:
        raise NotImplementedError

    def _events(self, reply: LoopbackReply, request: Json) -> Iterator[bytes]:
        for piece in cut(reply.thinking, reply.pieces):
            yield _event([{"text": piece, "thought": True}])
        proof = base64.b64encode(reply.signature.encode()).decode() if reply.thinking else ""
        for piece in cut(reply.text, reply.pieces):
            yield _event([{"text": piece}])
        if reply.calls:
            yield _event(_calls(reply, proof))
        elif proof:
            yield _event([{"text": "", "thoughtSignature": proof}])
        yield _event([{"text": ""}], reply.stop_reason or "STOP", usageMetadata=_usage(reply))


def _calls(reply: LoopbackReply, proof: str) -> list[Json]:
    """Return the calls, each whole and only the first one signed, as the vendor sends them."""
    parts: list[Json] = []
    for call in reply.calls:
        asked = {"id": call.id, "name": call.name, "args": dict(call.arguments)}
        parts.append({"functionCall": asked})
    if proof:
        parts[0]["thoughtSignature"] = proof
    return parts


def _event(parts: list[Json], reason: str = "", **more: Any) -> bytes:
    candidate: Json = {"index": 0, "content": {"role": "model", "parts": parts}}
    if reason:
        candidate["finishReason"] = reason
    response = {"candidates": [candidate], "modelVersion": "gemini-loopback", **more}
    return f"data: {json.dumps(response)}\r\n\r\n".encode()


def _usage(reply: LoopbackReply) -> Json:
    usage = reply.usage
    return {
        "promptTokenCount": usage.input,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.total,
    }
