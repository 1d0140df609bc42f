"""What each vendor's server refuses in a conversation, for loopback servers that are strict.

Each function yields what is wrong with a request's JSON. `signed` are the signatures that the
server itself has given: reasoning with any other is refused.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

UNSIGNED = "skip_thought_signature_validator"
"""What Gemini takes in place of a signature on a call that it did not make."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")


def anthropic(request: Json, signed: Collection[str]) -> Iterator[str]:
    """Yield what Anthropic's Messages API refuses."""
    messages = request["messages"]
    yield from _turns([message["role"] for message in messages], ("user", "assistant"))
    open_calls: list[str] = []
    for message in messages:
        blocks = message["content"]
        kinds = [block["type"] for block in blocks]
        answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        yield from _pairs(open_calls, answered)
        if "tool_result" in kinds[len(answered) :]:
            yield "results after other content"
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        for block in blocks:
            match block:
                case {"type": "text", "text": str(text)} if not text.strip():
                    yield "text without words"
                case {"type": "thinking", "signature": str(proof)} if proof not in signed:
                    yield "reasoning with a strange signature"
                case {"type": "tool_use", "id": str(name)} if not _ID.fullmatch(name):
                    yield f"the id {name!r}"
                case {"type": "tool_use", "name": str(name)} if not _NAME.fullmatch(name):
                    yield f"the name {name!r}"
    yield from _pairs(open_calls, [])


def chat_completions(request: Json, signed: Collection[str]) -> Iterator[str]:
    """Yield what OpenAI's chat completions refuse."""
    open_calls: list[str] = []
    answered: list[str] = []
    for message in request["messages"]:
        if message["role"] == "tool":
            answered.append(message["tool_call_id"])
            continue
        yield from _pairs(open_calls, answered)
        yield from _strange(message, {"role", "content", "tool_calls"})
        open_calls, answered = [], []
        for call in message.get("tool_calls") or ():
            open_calls.append(call["id"])
            yield from _function(call["function"])
    yield from _pairs(open_calls, answered)


def responses(request: Json, signed: Collection[str]) -> Iterator[str]:
    """Yield what OpenAI's Responses API refuses."""
    items = request["input"]
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    answered = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    yield from _pairs(calls, answered)
    for place, item in enumerate(items):
        match item.get("type"):
            case "reasoning":
                if item["encrypted_content"] not in signed:
                    yield "reasoning with a strange signature"
                following = items[place + 1] if place + 1 < len(items) else {"role": "user"}
                if following.get("role") == "user" or "output" in following:
                    yield "reasoning that nothing follows"
            case "function_call":
                yield from _function(item)
                if not 0 < len(item["call_id"]) <= 64:
                    yield f"the id {item['call_id']!r}"


def google(request: Json, signed: Collection[str]) -> Iterator[str]:
    """Yield what Gemini refuses."""
    contents = request["contents"]
    yield from _turns([content["role"] for content in contents], ("user", "model"))
    open_calls: list[str] = []
    for content in contents:
        parts = content["parts"]
        answered = [p["functionResponse"]["name"] for p in parts if "functionResponse" in p]
        yield from _pairs(open_calls, answered)
        asked = [part for part in parts if "functionCall" in part]
        open_calls = [part["functionCall"]["name"] for part in asked]
        proofs = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part]
        if not parts:
            yield "a turn without parts"
        if asked and "thoughtSignature" not in asked[0]:
            yield "a call without its signature"
        known = {UNSIGNED, *(base64.b64encode(proof.encode()).decode() for proof in signed)}
        if not known.issuperset(proofs):
            yield "reasoning with a strange signature"
    yield from _pairs(open_calls, [])


def ollama(request: Json, signed: Collection[str]) -> Iterator[str]:
    """Yield what Ollama refuses, or its models' templates stumble over."""
    open_calls: list[str] = []
    answered: list[str] = []
    for message in request["messages"]:
        if message["role"] == "tool":
            answered.append(message["tool_name"])
            continue
        yield from _pairs(open_calls, answered)
        functions = [call["function"] for call in message.get("tool_calls") or ()]
        open_calls, answered = [function["name"] for function in functions], []
        if not all(isinstance(function["arguments"], dict) for function in functions):
            yield "arguments that are no object"
    yield from _pairs(open_calls, answered)


def _turns(roles: list[str], order: tuple[str, str]) -> Iterator[str]:
    if roles != [order[place % 2] for place in range(len(roles))]:
        yield f"roles in the order {roles}"


def _pairs(calls: list[str], answered: list[str]) -> Iterator[str]:
    if sorted(calls) != sorted(answered):
        yield f"calls {calls} with results of {answered}"


def _function(function: Json) -> Iterator[str]:
    if not _NAME.fullmatch(function["name"]):
        yield f"the name {function['name']!r}"
    if not isinstance(json.loads(function["arguments"]), dict):
        yield "arguments that are no object"


def _strange(message: Json, known: set[str]) -> Iterator[str]:
    if message.keys() - known:
        yield f"the fields {sorted(message.keys() - known)}"
