from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from victor.errors import (
    AuthenticationError,
    BadReply,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)
from victor.events import ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import Request, StopReason, ToolCall, ToolChoice, Usage, user
from victor.protocols import IProvider
from victor.providers.anthropic import AnthropicProvider
from victor.testing.loopback import AnthropicLoopback, LoopbackError, LoopbackReply

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


async def test_a_text_arrives_in_pieces_and_ends_once(wire: SimpleNamespace) -> None:
    usage = Usage(input=100, output=7, cache_read=60, cache_write=30)
    async with AnthropicLoopback([LoopbackReply("Hello, you!", usage=usage, pieces=4)]) as server:
        provider = provider_of(server)
        assert isinstance(provider, IProvider)
        *pieces, end = await wire.collect(provider.stream(HELLO))
        await provider.aclose()
    assert len(pieces) == 4
    assert "".join(piece.content for piece in pieces) == "Hello, you!"
    assert end == ReplyFinished(StopReason.END, usage, "claude-sonnet-5-5")


async def test_reasoning_is_closed_by_its_signature(wire: SimpleNamespace) -> None:
    reply = LoopbackReply("Yes.", thinking="Hmm.", signature="proof", pieces=1)
    async with AnthropicLoopback([reply]) as server:
        deltas = await wire.collect(provider_of(server).stream(HELLO))
    assert deltas[:3] == [ThinkingDelta("Hmm."), ThinkingDelta("", "proof"), TextDelta("Yes.")]


async def test_parallel_calls_keep_their_fragments_apart(wire: SimpleNamespace) -> None:
    calls = (ToolCall("a", "read", {"path": "x"}), ToolCall("b", "list", {}))
    async with AnthropicLoopback([LoopbackReply("Look:", calls)]) as server:
        deltas = await wire.collect(provider_of(server).stream(HELLO))
    of_calls = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    named = [(delta.index, delta.id, delta.name) for delta in of_calls if delta.name]
    assert named == [(0, "a", "read"), (1, "b", "list")]
    arguments = ["".join(d.arguments for d in of_calls if d.index == n) for n in (0, 1)]
    assert arguments == ['{"path": "x"}', "{}"]
    assert deltas[-1].stop_reason is StopReason.TOOL_USE


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("max_tokens", StopReason.MAX_TOKENS),
        ("stop_sequence", StopReason.END),
        ("pause_turn", StopReason.PAUSE),
        ("refusal", StopReason.REFUSAL),
        ("model_context_window_exceeded", StopReason.CONTEXT_EXCEEDED),
        ("something_new", StopReason.UNKNOWN),
    ],
)
async def test_every_stop_reason_is_understood(
    said: str, meant: StopReason, wire: SimpleNamespace
) -> None:
    async with AnthropicLoopback([LoopbackReply("x", stop_reason=said)]) as server:
        deltas = await wire.collect(provider_of(server).stream(HELLO))
    assert deltas[-1].stop_reason is meant


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
    ("error", "kind"),
    [
        (LoopbackError(401, "invalid x-api-key: the-key"), AuthenticationError),
        (LoopbackError(429, headers={"retry-after": "3"}), RateLimitError),
        (LoopbackError(500), ProviderUnavailable),
        (LoopbackError(529, kind="overloaded_error"), ProviderUnavailable),
    ],
)
async def test_a_refused_call_is_victors_own_error(
    error: LoopbackError, kind: type[ProviderError]
) -> None:
    async with AnthropicLoopback([error]) as server:
        failure = await failure_of(provider_of(server).stream(HELLO))
    assert type(failure) is kind
    assert failure.status == error.status
    assert failure.retry_after == (3.0 if error.status == 429 else None)
    assert "the-key" not in str(failure)


@pytest.mark.parametrize("events", [0, 1, 4, 6])
async def test_a_stream_that_breaks_off_never_ends_silently(events: int) -> None:
    async with AnthropicLoopback([LoopbackReply("Hello there", events=events)]) as server:
        failure = await failure_of(provider_of(server).stream(HELLO))
    assert type(failure) is BadReply
    assert "broke off" in str(failure)


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


async def test_an_error_event_in_mid_stream_is_raised_after_what_came_before() -> None:
    overloaded = {"type": "overloaded_error", "message": "Overloaded"}
    body = event("content_block_delta", delta={"type": "text_delta", "text": "So far"})
    body += event("error", error=overloaded)
    async with AnthropicLoopback([body]) as server:
        stream = provider_of(server).stream(HELLO)
        assert await anext(stream) == TextDelta("So far")
        with pytest.raises(ProviderUnavailable, match="Overloaded"):
            await anext(stream)


async def test_leaving_early_closes_the_connection() -> None:
    async with AnthropicLoopback([LoopbackReply("Hello there", events=4, stall=True)]) as server:
        stream = provider_of(server).stream(HELLO)
        async for _ in stream:
            break
        await stream.aclose()
        await asyncio.wait_for(server.reader_left(), 5)
    assert server.readers_left == 1


async def test_cancelling_closes_the_connection(wire: SimpleNamespace) -> None:
    async with AnthropicLoopback([LoopbackReply("Hello there", events=4, stall=True)]) as server:
        stream = provider_of(server).stream(HELLO)
        await anext(stream)
        waiting = asyncio.create_task(wire.collect(stream))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(server.reader_left(), 5)


async def test_steps_of_a_turn_share_a_connection(wire: SimpleNamespace) -> None:
    async with AnthropicLoopback(otherwise="ok") as server:
        provider = provider_of(server)
        for _ in range(3):
            await wire.collect(provider.stream(HELLO))
        assert server.connections == 1
        await provider.aclose()
        await provider.aclose()


def test_one_provider_serves_several_event_loops(wire: SimpleNamespace) -> None:
    with AnthropicLoopback(otherwise="ok") as server:
        provider = provider_of(server)
        for _ in range(2):
            deltas = asyncio.run(wire.collect(provider.stream(HELLO)))
            assert isinstance(deltas[-1], ReplyFinished)
        assert server.connections == 2


async def test_a_refused_connection_names_the_address_and_the_remedy() -> None:
    async with AnthropicLoopback() as server:
        url = server.url
    failure = await failure_of(AnthropicProvider("k", base_url=url).stream(HELLO))
    assert type(failure) is ProviderUnavailable
    assert url in str(failure)
    assert "Start the server" in failure.hint


async def test_a_missing_key_is_told_at_the_first_call_with_the_remedy() -> None:
    failure = await failure_of(AnthropicProvider().stream(HELLO))
    assert type(failure) is AuthenticationError
    assert "ANTHROPIC_API_KEY" in failure.hint


async def test_the_key_comes_from_the_environment_and_this_machine_needs_none(
    monkeypatch: pytest.MonkeyPatch, wire: SimpleNamespace
) -> None:
    async with AnthropicLoopback(otherwise="ok") as server:
        await wire.collect(AnthropicProvider(base_url=server.url).stream(HELLO))
        monkeypatch.setenv("ANTHROPIC_API_KEY", "of-the-environment")
        await wire.collect(AnthropicProvider(base_url=server.url).stream(HELLO))
    sent = [headers["authorization"] for headers in server.headers]
    assert sent == ["Bearer none-needed", "Bearer of-the-environment"]


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


class InPieces(httpx2.AsyncByteStream):
    """A response's body, cut where a test says."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> Any:
        for piece in self._pieces:
            yield piece


REPLY = LoopbackReply("Grüße, 世界!", (ToolCall("a", "read", {"päth": "ü"}),), thinking="Hm…")
BODY = b"".join(AnthropicLoopback()._events(REPLY, {"model": "m"}))


def through(pieces: list[bytes]) -> list[Any]:
    import anthropic

    def answer(_: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=InPieces(pieces))

    async def run() -> list[Any]:
        transport = httpx2.MockTransport(answer)
        async with httpx2.AsyncClient(transport=transport) as http:
            client = anthropic.AsyncAnthropic(api_key="k", http_client=http)
            return [delta async for delta in AnthropicProvider(client=client).stream(HELLO)]

    return asyncio.run(run())


@pytest.fixture(scope="module")
def uncut() -> list[Any]:
    return through([BODY])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(1, len(BODY) - 1), max_size=25))
def test_the_bytes_may_be_cut_anywhere(cuts: list[int], uncut: list[Any]) -> None:
    bounds = [0, *sorted(cuts), len(BODY)]
    pieces = [BODY[a:b] for a, b in pairwise(bounds)]
    assert through(pieces) == uncut


@pytest.mark.slow
def test_no_sdk_is_imported_before_the_first_call() -> None:
    code = (
        "import sys; from victor.providers.choose import create_provider\n"
        "for name in ('anthropic', 'openai', 'ollama', 'local'): create_provider(name)\n"
        "heavy = {'anthropic', 'openai', 'httpx2', 'pydantic', 'xllamacpp'} & set(sys.modules)\n"
        "print(*heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
