"""What Ollama's own protocol has that no other has."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from victor.errors import BadReply, ContextExceeded, InvalidRequest, ProviderUnavailable
from victor.events import ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    Document,
    Image,
    Message,
    Request,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
    Usage,
    assistant,
    tool_results,
    user,
)
from victor.providers.choose import create_provider
from victor.providers.ollama import LEAST_CONTEXT, OllamaProvider
from victor.testing.loopback import LoopbackError, LoopbackReply
from victor.testing.loopback_ollama import OllamaLoopback

pytestmark = pytest.mark.anyio

READ = ToolSpec("read", "Read a file.", {"properties": {"path": {"type": "string"}}})
PRINTED = '<tool_call>{"name": "read", "arguments": {"path": "a.txt"}}</tool_call>'


async def ask(server: OllamaLoopback, *requests: Request, **options: Any) -> list[Any]:
    """Return the deltas of the last request."""
    provider = OllamaProvider(base_url=server.url, **options)
    try:
        for request in requests:
            deltas = [delta async for delta in provider.stream(request)]
        return deltas
    finally:
        await provider.aclose()


def asked_context(server: OllamaLoopback) -> list[int]:
    return [request["options"]["num_ctx"] for request in server.requests]


async def test_a_call_asks_for_the_context_that_it_needs_and_never_for_less_again() -> None:
    short = Request("m", (user("Hi"),))
    long = Request("m", (user("word " * 20_000),))
    async with OllamaLoopback(otherwise="ok") as server:
        await ask(server, short, long, short, Request("another", (user("Hi"),)))
    first, grown, kept, other = asked_context(server)
    assert (first, other) == (LEAST_CONTEXT, LEAST_CONTEXT)
    assert grown == kept == 32_768


async def test_the_context_that_was_given_is_asked_for_and_is_the_models_window() -> None:
    async with OllamaLoopback(otherwise="ok") as server:
        await ask(server, Request("m", (user("word " * 20_000),)), num_ctx=16_000)
        provider = create_provider("ollama", base_url=f"{server.url}/v1", num_ctx=20_000)
        assert [delta async for delta in provider.stream(Request("m", (user("Hi"),)))]
        await provider.aclose()
    assert asked_context(server) == [16_000, 20_000]
    assert OllamaProvider(num_ctx=16_000).model_info("m").context_window == 16_000
    assert OllamaProvider().model_info("m").context_window == LEAST_CONTEXT


async def test_the_server_is_told_to_cut_nothing_and_its_refusal_is_understood() -> None:
    refusal = LoopbackError(400, "the input length exceeds the context length")
    async with OllamaLoopback([refusal]) as server:
        with pytest.raises(ContextExceeded):
            await ask(server, Request("m", (user("Hi"),)))
    assert (server.requests[0]["truncate"], server.requests[0]["shift"]) == (False, False)


async def test_a_model_that_was_not_pulled_is_said_to_be_missing() -> None:
    async with OllamaLoopback([LoopbackError(404, "model 'm' not found")]) as server:
        with pytest.raises(InvalidRequest, match="There is no model 'm' here"):
            await ask(server, Request("m", (user("Hi"),)))


async def test_the_exact_messages_of_a_whole_conversation() -> None:
    call = ToolCall("c1", "read", {"path": "a.txt"})
    given = (Text("See."), Image(b"png", "image/png"), Document(b"%PDF", name="a.pdf"))
    thinking = Thinking("Hm.", "", "ollama")
    foreign = Thinking("Theirs.", "proof", "anthropic")
    messages = (
        Message(Role.USER, given),
        Message(Role.ASSISTANT, (thinking, foreign, Text("Let me see."), call)),
        tool_results(ToolResult("c1", "hello")),
        Message(Role.ASSISTANT, (foreign,)),
        assistant("It says hello."),
    )
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    request = Request(
        "m",
        messages,
        system="Be.",
        tools=(READ,),
        max_tokens=9,
        temperature=0.5,
        output_schema=schema,
    )
    async with OllamaLoopback(["{}"]) as server:
        await ask(server, request)
    body = server.requests[0]
    assert body["messages"] == [
        {"role": "system", "content": "Be."},
        {
            "role": "user",
            "content": "See.(a.pdf cannot be shown: this server takes no files.)",
            "images": [base64.b64encode(b"png").decode()],
        },
        {
            "role": "assistant",
            "content": "Let me see.",
            "thinking": "Hm.",
            "tool_calls": [
                {"id": "c1", "function": {"name": "read", "arguments": {"path": "a.txt"}}}
            ],
        },
        {"role": "tool", "tool_name": "read", "tool_call_id": "c1", "content": "hello"},
        {"role": "assistant", "content": "It says hello."},
    ]
    assert body["options"] == {"num_ctx": LEAST_CONTEXT, "num_predict": 9, "temperature": 0.5}
    assert body["format"]["properties"] == {"a": {"type": "integer"}}
    assert body["tools"][0]["function"]["parameters"]["type"] == "object"


async def test_where_no_call_is_wanted_no_tools_are_offered() -> None:
    request = Request("m", (user("Hi"),), tools=(READ,), tool_choice=ToolChoice.NONE)
    async with OllamaLoopback(["ok"]) as server:
        await ask(server, request)
    assert "tools" not in server.requests[0]


async def test_a_printed_call_is_a_call_but_not_where_the_answer_has_to_be_json() -> None:
    request = Request("m", (user("Hi"),), tools=(READ,))
    held = Request("m", (user("Hi"),), tools=(READ,), output_schema={"type": "object"})
    async with OllamaLoopback(otherwise=LoopbackReply(PRINTED, pieces=9)) as server:
        call, end = await ask(server, request)
        *said, over = await ask(server, held)
    assert call == ToolCallDelta(0, "", "read", '{"path": "a.txt"}')
    assert end == ReplyFinished(StopReason.TOOL_USE, Usage(10, 5), "m")
    assert "".join(delta.content for delta in said) == PRINTED
    assert over.stop_reason is StopReason.END


async def test_arguments_as_text_are_taken_and_a_call_that_is_none_is_refused() -> None:
    function = {"name": "read", "arguments": '{"path": "x"}'}
    line = {"message": {"thinking": "Hm.", "tool_calls": [{"function": function}]}}
    whole = b"".join(json.dumps(part).encode() + b"\n" for part in (line, {"done": True}))
    broken = json.dumps({"message": {"tool_calls": ["x"]}}).encode() + b"\n"
    async with OllamaLoopback([whole, broken]) as server:
        deltas = await ask(server, Request("m", (user("Hi"),)))
        with pytest.raises(BadReply, match="no JSON object"):
            await ask(server, Request("m", (user("Hi"),)))
    assert deltas[:2] == [ThinkingDelta("Hm."), ToolCallDelta(0, "", "read", '{"path": "x"}')]


async def test_a_failure_in_mid_stream_is_raised_after_what_came_before() -> None:
    body = b'{"message": {"content": "So far"}}\n{"error": "llama runner process has terminated"}\n'
    async with OllamaLoopback([body]) as server:
        provider = OllamaProvider(base_url=server.url)
        stream = provider.stream(Request("m", (user("Hi"),)))
        assert await anext(stream) == TextDelta("So far")
        with pytest.raises(ProviderUnavailable, match="terminated"):
            await anext(stream)
        await provider.aclose()


def test_the_address_is_the_environments_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OllamaProvider().address == "http://127.0.0.1:11434"
    monkeypatch.setenv("OLLAMA_HOST", "box:4000")
    assert OllamaProvider().address == "http://box:4000"
    assert repr(OllamaProvider(base_url="http://here:1/v1/")) == (
        "OllamaProvider(base_url='http://here:1')"
    )
    assert OllamaProvider("a").account != OllamaProvider("b").account
