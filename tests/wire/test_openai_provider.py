from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from inline_snapshot import snapshot

from victor.errors import (
    AuthenticationError,
    BadReply,
    ContextExceeded,
    InvalidRequest,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
    UnknownNameError,
)
from victor.events import ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import Request, StopReason, ToolCall, ToolChoice, Usage, assistant, user
from victor.providers.choose import create_provider
from victor.providers.openai import OpenAIProvider
from victor.providers.small_model import Completed
from victor.testing.loopback import LoopbackError, LoopbackReply, OpenAILoopback

pytestmark = pytest.mark.anyio

HELLO = Request("some-model", (user("Hello"),))


def provider_of(server: OpenAILoopback, **options: Any) -> OpenAIProvider:
    return OpenAIProvider("the-key", base_url=server.url, **options)


@asynccontextmanager
async def official(server: OpenAILoopback) -> AsyncIterator[OpenAIProvider]:
    """Lend a provider that takes the server for OpenAI's own, asked by the older protocol."""
    import openai

    async with openai.AsyncOpenAI(api_key="the-key", base_url=server.url) as client:
        provider = OpenAIProvider(client=client, api="chat")
        yield provider
        await provider.aclose()
        assert not client.is_closed()


def chunks(*deltas: dict[str, Any], finish: str | None = "stop", **extra: Any) -> bytes:
    """Return the body of a stream of these deltas."""
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    if finish:
        choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    events = [json.dumps({"model": "m", "choices": [choice], **extra}) for choice in choices]
    return "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()


async def failure_of(stream: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        async for _ in stream:
            pass
    return caught.value


async def test_an_id_of_an_earlier_call_is_not_given_again(wire: SimpleNamespace) -> None:
    call = ToolCall("call_0", "read", {})
    request = Request("m", (user("Hi"), assistant("", call)))
    async with OpenAILoopback([LoopbackReply(calls=(call,))]) as server:
        deltas = await wire.collect(provider_of(server).stream(request))
    assert deltas[0].id == "call_0_2"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("length", StopReason.MAX_TOKENS),
        ("content_filter", StopReason.CONTENT_FILTER),
        ("function_call", StopReason.TOOL_USE),
        ("something_new", StopReason.UNKNOWN),
    ],
)
async def test_every_finish_reason_is_understood(
    said: str, meant: StopReason, wire: SimpleNamespace
) -> None:
    async with OpenAILoopback([LoopbackReply("x", stop_reason=said)]) as server:
        deltas = await wire.collect(provider_of(server).stream(HELLO))
    assert deltas[-1].stop_reason is meant


WHOLE_MESSAGE = (
    b'data: {"model":"m","choices":[{"message":{"content":"Whole"},"finish_reason":"stop"}]}\n\n'
)
CALL = {"id": "a", "function": {"name": "read", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            chunks({"content": None}, {"content": "Hi"}),
            [TextDelta("Hi"), ReplyFinished(StopReason.END, Usage(), "m")],
        ),
        (
            chunks({"reasoning": "Hmm."}, {"content": "Hi"}),
            [ThinkingDelta("Hmm."), TextDelta("Hi"), ReplyFinished(StopReason.END, Usage(), "m")],
        ),
        (
            chunks({"tool_calls": [CALL]}, finish="stop"),
            [
                ToolCallDelta(0, "a", "read", "{}"),
                ReplyFinished(StopReason.TOOL_USE, Usage(), "m"),
            ],
        ),
        (
            chunks({"refusal": "I will not."}),
            [TextDelta("I will not."), ReplyFinished(StopReason.REFUSAL, Usage(), "m")],
        ),
        (
            chunks(
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
                {"content": [{"type": "text", "text": "Hi"}, {"type": "odd"}]},
            ),
            [ThinkingDelta("Hm"), TextDelta("Hi"), ReplyFinished(StopReason.END, Usage(), "m")],
        ),
        (
            chunks({"content": "Hi"}, usage={"prompt_tokens": 9, "completion_tokens": 2}),
            [TextDelta("Hi"), ReplyFinished(StopReason.END, Usage(9, 2), "m")],
        ),
        (
            chunks(
                {"content": "Hi"},
                usage={
                    "prompt_tokens": 9,
                    "completion_tokens": 2,
                    "total_tokens": 31,
                    "prompt_cache_hit_tokens": 4,
                    "completion_tokens_details": {"reasoning_tokens": 20},
                },
            ),
            [
                TextDelta("Hi"),
                ReplyFinished(StopReason.END, Usage(9, 22, cache_read=4, reasoning=20), "m"),
            ],
        ),
        (
            WHOLE_MESSAGE,
            [TextDelta("Whole"), ReplyFinished(StopReason.END, Usage(), "m")],
        ),
    ],
    ids=[
        "null content",
        "reasoning by its other name",
        "calls that finish with stop",
        "a refusal",
        "content in parts",
        "usage in every chunk",
        "reasoning left out of the completion",
        "a whole message, and no [DONE]",
    ],
)
async def test_what_imitators_do_otherwise_is_understood(
    body: bytes, expected: list[Any], wire: SimpleNamespace
) -> None:
    async with OpenAILoopback([body]) as server:
        assert await wire.collect(provider_of(server).stream(HELLO)) == expected


# Snapshots are taken when the module is imported, for the reason given in the Anthropic tests.
WHOLE_CONVERSATION = snapshot(
    [
        {
            "model": "some-model",
            "messages": [
                {"role": "system", "content": "You are Victor."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is in it?"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": "Let me see.",
                    "tool_calls": [
                        {
                            "id": "call:1",
                            "type": "function",
                            "function": {"name": "read", "arguments": '{"path":"a.txt"}'},
                        },
                        {
                            "id": "call_2",
                            "type": "function",
                            "function": {"name": "read", "arguments": "{}"},
                        },
                    ],
                },
                {"role": "tool", "tool_call_id": "call:1", "content": "hello"},
                {"role": "tool", "tool_call_id": "call_2", "content": "no JSON object"},
                {"role": "user", "content": "And?"},
                {"role": "assistant", "content": "It says hello."},
                {"role": "user", "content": "Thanks."},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "read",
                        "description": "Read a file.",
                        "parameters": {
                            "type": "object",
                            "properties": {"path": {"type": "string"}},
                            "required": ["path"],
                        },
                    },
                }
            ],
            "max_tokens": 500,
            "temperature": 0.5,
        }
    ]
)

OFFICIAL_WITH_TOOLS = snapshot(
    [
        {
            "model": "gpt-6.1-terra",
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "read",
                        "description": "Read a file.",
                        "parameters": {
                            "type": "object",
                            "properties": {"path": {"type": "string"}},
                            "required": ["path"],
                        },
                    },
                }
            ],
            "tool_choice": "required",
            "reasoning_effort": "none",
            "max_completion_tokens": 100,
            "temperature": 0.0,
        }
    ]
)

COMPLETION = snapshot(
    [
        {
            "model": "small",
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "temperature": 0.0,
            "max_tokens": 50,
            "stream_options": {"include_usage": True},
            "stop": ["```"],
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "answer",
                    "schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
                    "strict": True,
                },
            },
        }
    ]
)


async def test_the_exact_request_of_a_whole_conversation(wire: SimpleNamespace) -> None:
    async with OpenAILoopback(["ok"]) as server:
        request = wire.conversation("some-model", "openai")
        await wire.collect(provider_of(server).stream(request))
    assert server.requests == WHOLE_CONVERSATION
    assert server.headers[0]["authorization"] == "Bearer the-key"


async def test_openais_own_newer_models_get_tools_only_without_reasoning(
    wire: SimpleNamespace,
) -> None:
    request = Request(
        "gpt-6.1-terra",
        (user("Hello"),),
        tools=(wire.READ,),
        tool_choice=ToolChoice.REQUIRED,
        max_tokens=100,
        temperature=0.0,
    )
    async with OpenAILoopback(["ok"]) as server, official(server) as provider:
        await wire.collect(provider.stream(request))
    assert server.requests == OFFICIAL_WITH_TOOLS


@pytest.mark.parametrize("model", ["gpt-6.2-sol", "gpt-6-astra", "gpt-5", "o3"])
async def test_a_model_that_cannot_leave_reasoning_is_not_told_to_nor_given_a_temperature(
    model: str, wire: SimpleNamespace
) -> None:
    request = Request(model, (user("Hello"),), tools=(wire.READ,), temperature=0.0)
    async with OpenAILoopback(["ok"]) as server, official(server) as provider:
        await wire.collect(provider.stream(request))
    assert not {"reasoning_effort", "temperature"} & set(server.requests[0])


async def test_an_older_model_of_openais_gets_its_temperature(wire: SimpleNamespace) -> None:
    request = Request("gpt-4o", (user("x"),), temperature=0)
    async with OpenAILoopback(["ok"]) as server, official(server) as provider:
        await wire.collect(provider.stream(request))
    assert server.requests[0]["temperature"] == 0


async def test_reasoning_goes_back_to_the_server_that_wants_it_and_no_usage_is_asked_of_another(
    wire: SimpleNamespace,
) -> None:
    async with OpenAILoopback(otherwise="ok") as server:
        for name in ("deepseek", "mistral"):
            provider = provider_of(server, name=name)
            await wire.collect(provider.stream(wire.conversation("m", name)))
    deepseek, mistral = server.requests
    assert deepseek["messages"][2]["reasoning_content"] == "I should look."
    assert "stream_options" in deepseek
    assert "reasoning_content" not in mistral["messages"][2]
    assert "stream_options" not in mistral


async def test_a_completion_is_held_to_its_schema_and_says_how_it_ended() -> None:
    usage = Usage(input=3, output=2)
    reply = LoopbackReply('{"a": 1}', usage=usage, stop_reason="length", thinking="not shown")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    async with OpenAILoopback([reply]) as server:
        provider = provider_of(server)
        pieces = [
            piece
            async for piece in provider.complete(
                model="small",
                messages=[{"role": "user", "content": "Hi"}],
                schema=schema,
                max_tokens=50,
                temperature=0.0,
                stop=("```",),
            )
        ]
    assert "".join(pieces[:-1]) == '{"a": 1}'
    assert pieces[-1] == Completed(usage, cut=True)
    assert server.requests == COMPLETION


async def test_a_small_model_on_a_server_is_held_to_valid_calls(wire: SimpleNamespace) -> None:
    answer = '{"tool": "read", "arguments": {"path": "a.txt"}}'
    async with OpenAILoopback(otherwise=answer) as server:
        provider = create_provider("llamacpp", base_url=server.url, small_model="on")
        request = Request("m", (user("Read a.txt"),), tools=(wire.READ,))
        deltas = await wire.collect(provider.stream(request))
        await provider.aclose()
    assert provider.name == "llamacpp"
    assert [d.name for d in deltas if isinstance(d, ToolCallDelta) and d.name] == ["read"]
    assert server.requests[0]["response_format"]["type"] == "json_schema"
    assert "tools" not in server.requests[0]


async def test_a_completion_that_breaks_off_is_a_bad_reply() -> None:
    async with OpenAILoopback([LoopbackReply("Hello there", events=2)]) as server:
        stream = provider_of(server).complete(
            model="m", messages=[], schema=None, max_tokens=5, temperature=0.0, stop=()
        )
        assert type(await failure_of(stream)) is BadReply
    assert "response_format" not in server.requests[0]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (LoopbackError(400, "Too long.", code="context_length_exceeded"), ContextExceeded),
        (LoopbackError(400, "No.", "invalid_request_error"), InvalidRequest),
        (LoopbackError(401, "Incorrect API key provided: the-key."), AuthenticationError),
        (LoopbackError(404, "The model `some-model` does not exist"), InvalidRequest),
        (LoopbackError(429, headers={"retry-after": "3"}), RateLimitError),
        (LoopbackError(429, code="insufficient_quota"), AuthenticationError),
        (LoopbackError(500), ProviderUnavailable),
    ],
)
async def test_a_refused_call_is_victors_own_error(
    error: LoopbackError, kind: type[ProviderError]
) -> None:
    async with OpenAILoopback([error]) as server:
        failure = await failure_of(provider_of(server).stream(HELLO))
    assert type(failure) is kind
    assert failure.status == error.status
    assert "the-key" not in str(failure)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"data: [DONE]\n\n",
        chunks({"content": "cut"}, finish=None),
        b'data: {"choices": [{"del\n\n',
        b"data: []\n\n",
        b'data: {"choices": {"a": 1}}\n\n',
        b'data: {"choices": ["a"]}\n\n',
        chunks({"tool_calls": ["a"]}),
        chunks({"content": "x"}, finish="error"),
        b'{"choices": [{"message": {"content": "no stream"}}]}',
    ],
)
async def test_a_stream_against_the_protocol_is_a_bad_reply(body: bytes) -> None:
    async with OpenAILoopback([body]) as server:
        assert type(await failure_of(provider_of(server).stream(HELLO))) is BadReply


async def test_a_missing_key_names_the_variable_of_its_own_server() -> None:
    for name, variable in (("openai", "OPENAI_API_KEY"), ("groq", "GROQ_API_KEY")):
        failure = await failure_of(OpenAIProvider(name=name).stream(HELLO))
        assert type(failure) is AuthenticationError
        assert variable in failure.hint


async def test_a_key_for_openai_is_not_sent_to_another_server(
    monkeypatch: pytest.MonkeyPatch, wire: SimpleNamespace
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "for-openai-alone")
    async with OpenAILoopback(otherwise="ok") as server:
        provider = OpenAIProvider(base_url=server.url, name="ollama")
        await wire.collect(provider.stream(HELLO))
    assert server.headers[0]["authorization"] == "Bearer none-needed"


def test_a_name_without_preset_and_address_is_refused_at_once() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'ollama'"):
        OpenAIProvider(name="olama")
