from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from inline_snapshot import snapshot

from victor.errors import (
    BadReply,
    ProviderError,
)
from victor.events import TextDelta, ThinkingDelta
from victor.messages import Request, ToolChoice, user
from victor.providers.anthropic import AnthropicProvider
from victor.testing.loopback import AnthropicLoopback, LoopbackReply

pytestmark = pytest.mark.anyio

HELLO = Request("claude-sonnet-5-5", (user("Hello"),))


def provider_of(server: AnthropicLoopback, **options: Any) -> AnthropicProvider:
    return AnthropicProvider("the-key", base_url=server.url, **options)


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


async def failure_of(stream: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        async for _ in stream:
            pass
    return caught.value


async def test_reasoning_is_closed_by_its_signature(wire: SimpleNamespace) -> None:
    reply = LoopbackReply("Yes.", thinking="Hmm.", signature="proof", pieces=1)
    async with AnthropicLoopback([reply]) as server:
        deltas = await wire.collect(provider_of(server).stream(HELLO))
    assert deltas[:3] == [ThinkingDelta("Hmm."), ThinkingDelta("", "proof"), TextDelta("Yes.")]


# Snapshots are taken when the module is imported: taken inside a late test, on an event loop,
# CPython 3.11 fails to parse their source (AST constructor recursion depth mismatch).
WHOLE_CONVERSATION = snapshot(
    [
        {
            "model": "claude-sonnet-5-5",
            "max_tokens": 500,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is in it?"},
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": "cG5n",
                            },
                        },
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {
                            "type": "thinking",
                            "thinking": "I should look.",
                            "signature": "proof",
                        },
                        {"type": "text", "text": "Let me see."},
                        {
                            "type": "tool_use",
                            "id": "call_1",
                            "name": "read",
                            "input": {"path": "a.txt"},
                        },
                        {"type": "tool_use", "id": "call_2", "name": "read", "input": {}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "call_1", "content": "hello"},
                        {
                            "type": "tool_result",
                            "tool_use_id": "call_2",
                            "content": "no JSON object",
                            "is_error": True,
                        },
                        {
                            "type": "text",
                            "text": "And?",
                            "cache_control": {"type": "ephemeral"},
                        },
                    ],
                },
                {"role": "assistant", "content": [{"type": "text", "text": "It says hello."}]},
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "text",
                            "text": "Thanks.",
                            "cache_control": {"type": "ephemeral"},
                        }
                    ],
                },
            ],
            "stream": True,
            "system": [
                {
                    "type": "text",
                    "text": "You are Victor.",
                    "cache_control": {"type": "ephemeral"},
                }
            ],
            "tools": [
                {
                    "name": "read",
                    "description": "Read a file.",
                    "input_schema": {
                        "type": "object",
                        "properties": {"path": {"type": "string"}},
                        "required": ["path"],
                    },
                    "cache_control": {"type": "ephemeral"},
                }
            ],
            "tool_choice": {"type": "auto"},
            "thinking": {
                "type": "adaptive",
                "display": "summarized",
                "block_binding": {"prefix_mismatch_behavior": "drop_block"},
            },
        }
    ]
)

OLDER_MODEL = snapshot(
    [
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 32000,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "text",
                            "text": "Hello",
                            "cache_control": {"type": "ephemeral"},
                        }
                    ],
                }
            ],
            "stream": True,
            "tools": [
                {
                    "name": "read",
                    "description": "Read a file.",
                    "input_schema": {
                        "type": "object",
                        "properties": {"path": {"type": "string"}},
                        "required": ["path"],
                    },
                    "cache_control": {"type": "ephemeral"},
                }
            ],
            "tool_choice": {"type": "any"},
        }
    ]
)


async def test_the_exact_request_of_a_whole_conversation(wire: SimpleNamespace) -> None:
    async with AnthropicLoopback(["ok"]) as server:
        request = wire.conversation("claude-sonnet-5-5", "anthropic")
        await wire.collect(provider_of(server).stream(request))
    assert server.requests == WHOLE_CONVERSATION
    headers = server.headers[0]
    assert headers["authorization"] == "Bearer the-key"
    assert headers["anthropic-beta"] == "thinking-binding-controls-2026-08-01"


async def test_an_older_model_is_asked_without_what_it_does_not_know(wire: SimpleNamespace) -> None:
    request = Request(
        "claude-sonnet-4-5", (user("Hello"),), tools=(wire.READ,), tool_choice=ToolChoice.REQUIRED
    )
    async with AnthropicLoopback(["ok"]) as server:
        await wire.collect(provider_of(server).stream(request))
    assert server.requests == OLDER_MODEL
    assert "anthropic-beta" not in server.headers[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'event: message_start\ndata: {"type": "message_sta\n\n',
        b"event: message_start\ndata: []\n\n",
        event("message_start"),
        event("content_block_delta", delta=5),
        event("content_block_delta", delta={"type": "text_delta"}),
        b'event: message_start\ndata: {"type":"message_start","message":{}} \xff\n\n',
    ],
)
async def test_a_stream_against_the_protocol_is_a_bad_reply(body: bytes) -> None:
    async with AnthropicLoopback([body]) as server:
        assert type(await failure_of(provider_of(server).stream(HELLO))) is BadReply


async def test_a_client_of_ones_own_is_used_and_left_open(wire: SimpleNamespace) -> None:
    import anthropic

    async with (
        AnthropicLoopback(["ok"]) as server,
        anthropic.AsyncAnthropic(api_key="own", base_url=server.url) as client,
    ):
        provider = AnthropicProvider(client=client)
        await wire.collect(provider.stream(HELLO))
        await provider.aclose()
        assert not client.is_closed()
    assert server.headers[0]["authorization"] == "Bearer own"
