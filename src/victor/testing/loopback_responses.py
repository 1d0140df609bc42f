"""A server on 127.0.0.1 that speaks OpenAI's Responses API, scripted like the other loopbacks.

    async with ResponsesLoopback(["Hello!"]) as server:
        provider = OpenAIProvider("any", base_url=server.url, api="responses")

In a `LoopbackReply`, `thinking` is the summary of the reasoning, `signature` its encrypted form,
and `stop_reason` why the reply is incomplete.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from victor.testing import vendor_rules
from victor.testing.loopback_http import Json, Loopback, LoopbackError, LoopbackReply, cut

__all__ = ["ResponsesLoopback"]


class ResponsesLoopback(Loopback):
    """Speaks OpenAI's Responses API."""

    path = "/responses"
    prefix = "/v1"
    input_tokens = 42
    """What it counts for any request."""

    def _elsewhere(self, method: str, target: str) -> tuple[int, Json]:
        if method == "POST" and target.endswith("/responses/input_tokens"):
            return 200, {"object": "response.input_tokens", "input_tokens": self.input_tokens}
        return super()._elsewhere(method, target)

    def _objections(self, request: Json) -> Iterator[str]:
        return vendor_rules.responses(request, self._signed)

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
        return {
            **self._response(request, "incomplete" if reply.stop_reason else "completed"),
            "output": _items(reply),
            "incomplete_details": {"reason": reply.stop_reason} if reply.stop_reason else None,
            "usage": _usage(reply),
        }

    def _events(self, reply: LoopbackReply, request: Json) -> Iterator[bytes]:
        begun = self._response(request, "in_progress")
        yield _event("response.created", response=begun)
        yield _event("response.in_progress", response=begun)
        for place, item in enumerate(_items(reply)):
            yield from _item_events(place, item, reply.pieces)
        whole = self._whole(reply, request)
        yield _event(f"response.{whole['status']}", response=whole)

    def _response(self, request: Json, status: str) -> Json:
        return {
            "id": f"resp_{len(self.requests)}",
            "object": "response",
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": request.get("model", ""),
            "output": [],
            "usage": None,
        }


def _item_events(place: int, item: Json, pieces: int) -> Iterator[bytes]:
    """Yield the events of one item: it starts empty, is filled, and comes whole at the end."""
    at: Json = {"output_index": place, "item_id": item["id"]}
    yield _event("response.output_item.added", output_index=place, item=_empty(item))
    match item["type"]:
        case "reasoning":
            for index, part in enumerate(item["summary"]):
                here = {**at, "summary_index": index}
                blank = {"type": "summary_text", "text": ""}
                yield _event("response.reasoning_summary_part.added", **here, part=blank)
                for piece in cut(part["text"], pieces):
                    yield _event("response.reasoning_summary_text.delta", **here, delta=piece)
        case "message":
            here = {**at, "content_index": 0}
            for piece in cut(item["content"][0]["text"], pieces):
                yield _event("response.output_text.delta", **here, delta=piece)
        case "function_call":
            for piece in cut(item["arguments"], pieces):
                yield _event("response.function_call_arguments.delta", **at, delta=piece)
    yield _event("response.output_item.done", output_index=place, item=item)


def _items(reply: LoopbackReply) -> list[Json]:
    items: list[Json] = []
    if reply.thinking:
        items.append(
            {
                "id": "rs_1",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": reply.thinking}],
                "encrypted_content": reply.signature,
            }
        )
    if reply.text:
        content = {"type": "output_text", "text": reply.text, "annotations": []}
        items.append({"id": "msg_1", "type": "message", "role": "assistant", "content": [content]})
    items += (
        {
            "id": f"fc_{number}",
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": json.dumps(dict(call.arguments)),
        }
        for number, call in enumerate(reply.calls)
    )
    return items


def _empty(item: Json) -> Json:
    filled: Json = {"summary": [], "encrypted_content": None, "content": [], "arguments": ""}
    return {key: filled.get(key, value) for key, value in item.items()}


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def _usage(reply: LoopbackReply) -> Json:
    usage = reply.usage
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
