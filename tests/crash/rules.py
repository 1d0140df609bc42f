"""What Anthropic's and OpenAI's protocols demand of a request, written down apart from Victor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from victor.messages import Request
from victor.providers import anthropic_wire, openai_wire
from victor.providers.presets import preset_for


def objections(request: Request) -> tuple[str, ...]:
    """Return why the vendors would refuse the request, as it would be sent; empty if neither."""
    anthropic = anthropic_wire.encode_request(request, 1_000)
    openai = openai_wire.encode_request(request, preset_for("openai"))
    return (*_anthropic(anthropic["messages"]), *_openai(openai["messages"]))


def _anthropic(messages: list[dict[str, Any]]) -> Iterator[str]:
    asked: list[str] = []
    seen: set[str] = set()
    before = "assistant"
    for message in messages:
        role, blocks = message["role"], message["content"]
        if role == before:
            yield f"anthropic: two messages of {role} in a row, or an assistant first"
        before = role
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(results) != sorted(asked):
            yield f"anthropic: calls {asked} are answered by {results}"
        if results and any(b["type"] != "tool_result" for b in blocks[: len(results)]):
            yield "anthropic: results do not come first"
        asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len({*asked} | seen) != len(asked) + len(seen):
            yield f"anthropic: an id twice among {asked}"
        seen.update(asked)
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            yield "anthropic: blank text"
    if asked or before == "assistant":
        yield "anthropic: it does not end with the user's side"


def _openai(messages: list[dict[str, Any]]) -> Iterator[str]:
    waiting: list[str] = []
    seen: set[str] = set()
    for message in messages:
        role = message["role"]
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                yield f"openai: a result for {message['tool_call_id']}, which nobody asked for"
            else:
                waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            yield f"openai: calls without a result: {waiting}"
        calls = [call["id"] for call in message.get("tool_calls") or ()]
        if len({*calls} | seen) != len(calls) + len(seen):
            yield f"openai: an id twice among {calls}"
        seen.update(calls)
        waiting = calls
        if not message.get("content") and not calls:
            yield f"openai: an empty message of {role}"
    if waiting:
        yield f"openai: calls without a result at the end: {waiting}"
