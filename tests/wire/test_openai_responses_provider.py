from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from inline_snapshot import snapshot

from victor.errors import (
    BadReply,
    ContextExceeded,
    InvalidRequest,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)
from victor.events import ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    Document,
    Message,
    Request,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    Usage,
    assistant,
    user,
)
from victor.providers.openai import OpenAIProvider
from victor.testing.loopback import LoopbackReply
from victor.testing.loopback_responses import ResponsesLoopback

pytestmark = pytest.mark.anyio

HELLO = Request("gpt-6.2-sol", (user("Hello"),))


def provider_of(server: ResponsesLoopback, **options: Any) -> OpenAIProvider:
    settings = {"api": "responses", **options}
    return OpenAIProvider("the-key", base_url=server.url, **settings)


def events(*bodies: dict[str, Any]) -> bytes:
    return "".join(f"event: {b['type']}\ndata: {json.dumps(b)}\n\n" for b in bodies).encode()


def completed(**fields: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": "completed", **fields}}


async def failure_of(stream: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        async for _ in stream:
            pass
    return caught.value


async def test_a_text_arrives_in_pieces_with_cached_and_reasoning_tokens_told(
    wire: SimpleNamespace,
) -> None:
    usage = Usage(input=100, output=7, cache_read=60, reasoning=3)
    reply = LoopbackReply("Hello, you!", usage=usage, pieces=4)
    async with ResponsesLoopback([reply]) as server:
        provider = provider_of(server)
        *pieces, end = await wire.collect(provider.stream(HELLO))
        await provider.aclose()
    assert [type(piece) for piece in pieces] == [TextDelta] * 4
    assert "".join(piece.content for piece in pieces) == "Hello, you!"
    assert end == ReplyFinished(StopReason.END, usage, "gpt-6.2-sol")


async def test_reasoning_is_signed_and_parallel_calls_keep_their_fragments_apart(
    wire: SimpleNamespace,
) -> None:
    calls = (ToolCall("a", "read", {"path": "x"}), ToolCall("b", "list", {}))
    reply = LoopbackReply("Look:", calls, thinking="Hmm, well.", signature="secret")
    async with ResponsesLoopback([reply]) as server:
        deltas = await wire.collect(provider_of(server).stream(HELLO))
    thoughts = [delta for delta in deltas if isinstance(delta, ThinkingDelta)]
    assert "".join(delta.content for delta in thoughts) == "Hmm, well."
    assert [delta.signature for delta in thoughts if delta.signature] == ["secret"]
    of_calls = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    named = [(delta.index, delta.id, delta.name) for delta in of_calls if delta.name]
    assert named == [(0, "a", "read"), (1, "b", "list")]
    arguments = ["".join(d.arguments for d in of_calls if d.index == n) for n in (0, 1)]
    assert arguments == ['{"path": "x"}', "{}"]
    assert deltas[-1].stop_reason is StopReason.TOOL_USE


# Snapshots are taken when the module is imported, for the reason given in the Anthropic tests.
WHOLE_CONVERSATION = snapshot(
    [
        {
            "model": "gpt-6.2-sol",
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is in it?"},
                        {"type": "input_image", "image_url": "data:image/png;base64,cG5n"},
                    ],
                },
                {
                    "type": "reasoning",
                    "summary": [{"type": "summary_text", "text": "I should look."}],
                    "encrypted_content": "proof",
                },
                {"role": "assistant", "content": "Let me see."},
                {
                    "type": "function_call",
                    "call_id": "call:1",
                    "name": "read",
                    "arguments": '{"path": "a.txt"}',
                },
                {"type": "function_call", "call_id": "call_2", "name": "read", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "call:1", "output": "hello"},
                {"type": "function_call_output", "call_id": "call_2", "output": "no JSON object"},
                {"role": "user", "content": [{"type": "input_text", "text": "And?"}]},
                {"role": "assistant", "content": "It says hello."},
                {"role": "user", "content": [{"type": "input_text", "text": "Thanks."}]},
            ],
            "store": False,
            "stream": True,
            "instructions": "You are Victor.",
            "tools": [
                {
                    "type": "function",
                    "name": "read",
                    "description": "Read a file.",
                    "parameters": {
                        "type": "object",
                        "properties": {"path": {"type": "string"}},
                        "required": ["path"],
                    },
                    "strict": False,
                }
            ],
            "include": ["reasoning.encrypted_content"],
            "max_output_tokens": 500,
        }
    ]
)


async def test_the_exact_request_of_a_whole_conversation(wire: SimpleNamespace) -> None:
    async with ResponsesLoopback(["ok"]) as server:
        request = wire.conversation("gpt-6.2-sol", "openai")
        await wire.collect(provider_of(server).stream(request))
    assert server.requests == WHOLE_CONVERSATION
    assert server.headers[0]["authorization"] == "Bearer the-key"


async def test_an_older_model_gets_a_temperature_and_is_not_asked_for_reasoning(
    wire: SimpleNamespace,
) -> None:
    request = Request(
        "gpt-4.1",
        (user("Hello"),),
        tools=(wire.READ,),
        tool_choice=ToolChoice.REQUIRED,
        temperature=0.0,
    )
    async with ResponsesLoopback(["ok"]) as server:
        await wire.collect(provider_of(server).stream(request))
    assert server.requests[0]["temperature"] == 0.0
    assert server.requests[0]["tool_choice"] == "required"
    assert "include" not in server.requests[0]


async def test_a_server_that_cannot_stream_gives_the_same_reply_whole(
    wire: SimpleNamespace,
) -> None:
    call = ToolCall("a", "read", {"path": "x"})
    reply = LoopbackReply("Look:", (call,), thinking="Hm.", signature="secret")
    async with ResponsesLoopback([reply]) as server:
        deltas = await wire.collect(provider_of(server, streaming=False).stream(HELLO))
    assert deltas == [
        ThinkingDelta("Hm.", "secret"),
        TextDelta("Look:"),
        ToolCallDelta(0, "a", "read", '{"path": "x"}'),
        ReplyFinished(StopReason.TOOL_USE, Usage(input=10, output=5), "gpt-6.2-sol"),
    ]
    assert "stream" not in server.requests[0]


async def test_a_pdf_is_sent_and_an_id_too_long_is_the_same_short_one_in_call_and_result(
    wire: SimpleNamespace,
) -> None:
    from victor.messages import ToolResult, tool_results

    long = "x" * 80
    messages = (
        Message(Role.USER, (Text("Read it."), Document(b"%PDF", name="a.pdf"))),
        assistant("", ToolCall(long, "read", {})),
        tool_results(ToolResult(long, "done")),
    )
    async with ResponsesLoopback(["ok"]) as server:
        await wire.collect(provider_of(server).stream(Request("m", messages)))
    first, call, result = server.requests[0]["input"]
    assert first["content"][1] == {
        "type": "input_file",
        "filename": "a.pdf",
        "file_data": "data:application/pdf;base64,JVBERg==",
    }
    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) <= 64


async def test_reasoning_that_nothing_follows_is_not_sent_back(wire: SimpleNamespace) -> None:
    alone = Message(Role.ASSISTANT, (Thinking("Hm.", "secret", "openai"),))
    async with ResponsesLoopback(["ok"]) as server:
        request = Request("m", (user("Hi"), alone, user("Well?")))
        await wire.collect(provider_of(server).stream(request))
    assert [item["role"] for item in server.requests[0]["input"]] == ["user", "user"]


CALL = {"type": "function_call", "call_id": "a", "name": "read", "arguments": '{"a": 1}'}
STARTED = {"type": "response.output_item.added", "output_index": 0, "item": {**CALL}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            events({"type": "response.refusal.delta", "delta": "I will not."}, completed()),
            [TextDelta("I will not."), ReplyFinished(StopReason.REFUSAL)],
        ),
        (
            events(completed(output=[CALL], model="m")),
            [
                ToolCallDelta(0, "a", "read", '{"a": 1}'),
                ReplyFinished(StopReason.TOOL_USE, model="m"),
            ],
        ),
        (
            events(
                {**STARTED, "item": {**CALL, "arguments": ""}},
                {
                    "type": "response.function_call_arguments.delta",
                    "output_index": 0,
                    "delta": '{"a"',
                },
                {"type": "response.output_item.done", "output_index": 0, "item": CALL},
                completed(),
            ),
            [
                ToolCallDelta(0, "a", "read", ""),
                ToolCallDelta(0, arguments='{"a"'),
                ToolCallDelta(0, arguments=": 1}"),
                ReplyFinished(StopReason.TOOL_USE),
            ],
        ),
        (
            events(
                completed(
                    output=[
                        {"type": "reasoning", "summary": [{"text": "One"}, {"text": "Two"}]},
                        {
                            "type": "message",
                            "content": [
                                {"type": "output_text", "text": "Hi"},
                                {"type": "refusal", "refusal": "No."},
                            ],
                        },
                        {"type": "web_search_call"},
                    ]
                )
            ),
            [
                ThinkingDelta("One\n\nTwo"),
                TextDelta("Hi"),
                TextDelta("No."),
                ReplyFinished(StopReason.REFUSAL),
            ],
        ),
        (
            events(
                {"type": "response.reasoning_summary_part.added", "summary_index": 0},
                {"type": "response.reasoning_summary_text.delta", "delta": "One"},
                {"type": "response.reasoning_summary_part.added", "summary_index": 1},
                {"type": "response.reasoning_text.delta", "delta": "Two"},
                {"type": "response.some_later_thing"},
                completed(usage={"input_tokens": 3, "output_tokens": None}),
            ),
            [
                ThinkingDelta("One"),
                ThinkingDelta("\n\n"),
                ThinkingDelta("Two"),
                ReplyFinished(StopReason.END, Usage(input=3)),
            ],
        ),
    ],
    ids=[
        "a refusal",
        "all at once",
        "arguments whole at the end",
        "reasoning, text and refusal",
        "reasoning in parts",
    ],
)
async def test_what_servers_do_otherwise_is_understood(
    body: bytes, expected: list[Any], wire: SimpleNamespace
) -> None:
    async with ResponsesLoopback([body]) as server:
        assert await wire.collect(provider_of(server).stream(HELLO)) == expected


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("server_error", ProviderUnavailable),
        ("rate_limit_exceeded", RateLimitError),
        ("invalid_prompt", InvalidRequest),
        ("context_length_exceeded", ContextExceeded),
    ],
)
async def test_a_failure_within_the_stream_is_as_its_http_equivalent(
    code: str, kind: type[ProviderError]
) -> None:
    error = {"code": code, "message": "It failed."}
    failed = {"type": "response.failed", "response": {"status": "failed", "error": error}}
    for event in (failed, {"type": "error", **error}, {"type": "error", "error": error}):
        async with ResponsesLoopback([events(event)]) as server:
            failure = await failure_of(provider_of(server).stream(HELLO))
        assert type(failure) is kind
        assert "It failed" in str(failure)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        events({"type": "response.output_text.delta", "delta": "cut"}),
        events({"type": "response.output_text.delta"}),
        events({"type": "response.output_item.added"}),
        events({"type": "response.completed"}),
        events({"type": "response.function_call_arguments.delta", "delta": "{"}),
        b"data: []\n\n",
        b'data: {"type": "resp\n\n',
    ],
)
async def test_a_stream_against_the_protocol_is_a_bad_reply(body: bytes) -> None:
    async with ResponsesLoopback([body]) as server:
        assert type(await failure_of(provider_of(server).stream(HELLO))) is BadReply


async def test_openai_itself_is_asked_by_responses_and_other_servers_by_chat_completions() -> None:
    paths: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        paths.append(f"{request.url.host}{request.url.path}")
        return httpx2.Response(400, json={"error": {"message": "enough seen"}})

    import openai

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        for url, options in (
            (None, {}),
            (None, {"api": "chat"}),
            ("https://eu.api.openai.com/v1", {"base_url": "https://eu.api.openai.com/v1"}),
            ("http://box:8000/v1", {"base_url": "http://box:8000/v1"}),
            (None, {"name": "azure"}),
        ):
            client = openai.AsyncOpenAI(api_key="k", base_url=url, http_client=http)
            await failure_of(OpenAIProvider(client=client, **options).stream(HELLO))
    assert paths == [
        "api.openai.com/v1/responses",
        "api.openai.com/v1/chat/completions",
        "eu.api.openai.com/v1/responses",
        "box/v1/chat/completions",
        "api.openai.com/v1/chat/completions",
    ]
