"""What each server does otherwise than OpenAI, against a loopback server that does it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from victor.agent.coordinators.chat_coordinator import ChatCoordinator
from victor.events import ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    Message,
    Request,
    Role,
    StopReason,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
    assistant,
    tool_results,
    user,
)
from victor.providers.openai import OpenAIProvider
from victor.providers.presets import PRESETS
from victor.providers.reasoning_details import details_of
from victor.testing.loopback import LoopbackReply, OpenAILoopback

pytestmark = pytest.mark.anyio

OWN_SERVERS = ("ollama", "vllm", "llamacpp", "lmstudio")
VENDORS = ("azure", "openrouter", "groq", "deepseek", "mistral", "xai", "together")
PRINTED = '<tool_call>\n{"name": "read", "arguments": {"path": "a.txt"}}\n</tool_call>'


def events(*chunks: dict[str, Any]) -> bytes:
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()


def delta(finish: str | None = None, **content: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": content, "finish_reason": finish}]}


async def ask(server: OpenAILoopback, name: str, request: Request) -> list[Any]:
    provider = OpenAIProvider("the-key", base_url=server.url, name=name)
    deltas = [delta async for delta in provider.stream(request)]
    await provider.aclose()
    return deltas


def test_there_is_a_preset_for_each_of_them() -> None:
    assert set(PRESETS) == {"openai", *OWN_SERVERS, *VENDORS}


@pytest.mark.parametrize("name", [*OWN_SERVERS, "a-server-of-ones-own", "openai"])
async def test_a_call_that_a_model_on_an_own_server_prints_is_a_call(
    name: str, wire: SimpleNamespace
) -> None:
    request = Request("m", (user("Read a.txt"),), tools=(wire.READ,))
    async with OpenAILoopback([LoopbackReply(f"Let me see.\n{PRINTED}", pieces=20)]) as server:
        deltas = await ask(server, name, request)
    *said, call, end = deltas
    assert "".join(piece.content for piece in said) == "Let me see."
    assert (call.index, call.name, json.loads(call.arguments)) == (0, "read", {"path": "a.txt"})
    assert call.id
    assert end.stop_reason is StopReason.TOOL_USE


@pytest.mark.parametrize("name", VENDORS)
async def test_what_a_vendors_model_prints_is_its_answer(name: str, wire: SimpleNamespace) -> None:
    request = Request("m", (user("Show me a call."),), tools=(wire.READ,))
    async with OpenAILoopback([PRINTED]) as server:
        deltas = await ask(server, name, request)
    assert "".join(d.content for d in deltas if isinstance(d, TextDelta)) == PRINTED
    assert deltas[-1].stop_reason is StopReason.END


async def test_without_tools_nothing_is_taken_for_a_call() -> None:
    async with OpenAILoopback([PRINTED]) as server:
        deltas = await ask(server, "ollama", Request("m", (user("Hi"),)))
    assert "".join(d.content for d in deltas if isinstance(d, TextDelta)) == PRINTED


async def test_an_answer_that_has_to_be_json_is_never_taken_for_a_call(
    wire: SimpleNamespace,
) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    request = Request("m", (user("Hi"),), tools=(wire.READ,), output_schema=schema)
    answer = '{"name": "read", "arguments": {"path": "a.txt"}}'
    async with OpenAILoopback([answer]) as server:
        deltas = await ask(server, "ollama", request)
    assert "".join(d.content for d in deltas if isinstance(d, TextDelta)) == answer
    assert deltas[-1].stop_reason is StopReason.END


async def test_printed_and_real_calls_in_one_reply_stay_apart(wire: SimpleNamespace) -> None:
    real = {"index": 0, "id": "x", "function": {"name": "list", "arguments": "{"}}
    body = events(delta(tool_calls=[real]), delta(content=PRINTED * 2), delta(finish="stop"))
    async with OpenAILoopback([body]) as server:
        request = Request("m", (user("Hi"),), tools=(wire.READ,))
        deltas = await ask(server, "ollama", request)
    calls = [d for d in deltas if isinstance(d, ToolCallDelta)]
    assert [(d.index, d.name) for d in calls] == [(0, "list"), (1, "read"), (2, "read")]
    assert len({d.id for d in calls}) == 3


async def test_a_printed_call_that_the_output_limit_cuts_is_told_as_cut(
    wire: SimpleNamespace,
) -> None:
    reply = LoopbackReply(PRINTED[:50], stop_reason="length")
    async with OpenAILoopback([reply]) as server:
        *_, call, end = await ask(server, "vllm", Request("m", (user("Hi"),), tools=(wire.READ,)))
    assert (call.name, call.arguments) == ("read", '{"path":')
    assert end.stop_reason is StopReason.MAX_TOKENS


async def test_mistral_is_given_ids_of_nine_letters_the_same_in_call_and_result() -> None:
    calls = (ToolCall("call_of-another-vendor", "read", {}), ToolCall("abcDEF123", "read", {}))
    results = tool_results(*(ToolResult(call.id, "x") for call in calls))
    request = Request("m", (user("Hi"), assistant("", *calls), results))
    async with OpenAILoopback(otherwise="ok") as server:
        await ask(server, "mistral", request)
        await ask(server, "xai", request)
    mistral, xai = server.requests
    sent = [call["id"] for call in mistral["messages"][1]["tool_calls"]]
    assert [message["tool_call_id"] for message in mistral["messages"][2:]] == sent
    assert sent[1] == "abcDEF123"
    assert len(sent[0]) == 9
    assert sent[0].isalnum()
    assert xai["messages"][2]["tool_call_id"] == "call_of-another-vendor"


@pytest.mark.parametrize("name", PRESETS)
async def test_the_output_limit_is_called_what_the_server_calls_it(name: str) -> None:
    async with OpenAILoopback(["ok"]) as server:
        await ask(server, name, Request("m", (user("Hi"),), max_tokens=7))
    newer = name in ("azure", "groq")
    key, other = ("max_completion_tokens", "max_tokens")[:: 1 if newer else -1]
    assert server.requests[0][key] == 7
    assert other not in server.requests[0]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_is_read_under_both_of_its_names(field: str) -> None:
    body = events(delta(**{field: "Hm."}), delta(content="Hi"), delta(finish="stop"))
    async with OpenAILoopback([body]) as server:
        deltas = await ask(server, "openrouter", Request("m", (user("Hi"),)))
    assert deltas[:2] == [ThinkingDelta("Hm."), TextDelta("Hi")]


async def test_groqs_usage_is_found_in_its_own_field_and_missing_usage_is_no_error() -> None:
    own = {**delta(finish="stop"), "x_groq": {"usage": {"prompt_tokens": 9, "total_tokens": 11}}}
    none = {**delta(finish="stop"), "x_groq": None}
    async with OpenAILoopback([events(delta(content="a"), own), events(none)]) as server:
        *_, told = await ask(server, "groq", Request("m", (user("Hi"),)))
        *_, untold = await ask(server, "groq", Request("m", (user("Hi"),)))
    assert told == ReplyFinished(StopReason.END, Usage(9, 2), "m")
    assert untold == ReplyFinished(StopReason.END, Usage(), "m")


async def test_azures_first_chunk_without_choices_is_passed_over() -> None:
    body = events({"choices": [], "prompt_filter_results": []}, delta("stop", content="Hi"))
    async with OpenAILoopback([body]) as server:
        deltas = await ask(server, "azure", Request("m", (user("Hi"),)))
    assert deltas[0] == TextDelta("Hi")


@pytest.mark.parametrize("raw_id", [None, "", "same"])
async def test_missing_and_repeated_ids_are_made_unique(raw_id: str | None) -> None:
    def call(index: int) -> dict[str, Any]:
        return {"index": index, "id": raw_id, "function": {"name": "read", "arguments": "{}"}}

    body = events(delta(tool_calls=[call(0), call(1)]), delta(finish="tool_calls"))
    async with OpenAILoopback([body]) as server:
        first, second, _ = await ask(server, "together", Request("m", (user("Hi"),)))
    assert first.id
    assert second.id
    assert first.id != second.id


async def through_a_tool_step(
    name: str, first: bytes, then: str = "the-model"
) -> tuple[Any, list[Any]]:
    """Return the messages of the second call, after a first answer with reasoning and a call."""
    request = Request("the-model", (user("Look"),))
    async with OpenAILoopback([first, "ok"]) as server:
        provider = OpenAIProvider("the-key", base_url=server.url, name=name)
        reply = await ChatCoordinator().reply(provider, request, lambda _: None)
        answered = tool_results(*(ToolResult(c.id, "x") for c in reply.message.tool_calls))
        await collect(provider, Request(then, (user("Look"), reply.message, answered)))
        await provider.aclose()
    return reply.message, server.requests[1]["messages"]


async def collect(provider: OpenAIProvider, request: Request) -> list[Any]:
    return [delta async for delta in provider.stream(request)]


LOOKING = {"index": 0, "id": "c1", "function": {"name": "look", "arguments": "{}"}}


def piece(index: int, **more: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "index": index, "format": "anthropic-claude-v1", **more}


@pytest.mark.parametrize(("then", "sent"), [("the-model", True), ("another", False)])
async def test_openrouters_signed_reasoning_goes_back_to_the_same_model_alone(
    then: str, sent: bool
) -> None:
    sealed = {"type": "reasoning.encrypted", "index": 1, "data": "c2VhbGVk"}
    body = events(
        delta(reasoning="I sh", reasoning_details=[piece(0, text="I sh")]),
        delta(reasoning="ould.", reasoning_details=[piece(0, text="ould.", signature=None)]),
        delta(reasoning_details=[piece(0, signature="proof"), sealed, "odd"]),
        delta(tool_calls=[LOOKING]),
        delta("tool_calls"),
    )
    message, messages = await through_a_tool_step("openrouter", body, then)
    assert [part.text for part in message.parts if isinstance(part, Thinking)] == ["I should."]
    expected = [piece(0, text="I should.", signature="proof"), sealed]
    assert messages[1].get("reasoning_details") == (expected if sent else None)
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]


async def test_deepseek_gets_its_reasoning_back_through_a_tool_step() -> None:
    body = events(
        delta(reasoning_content="I should."), delta(tool_calls=[LOOKING]), delta("tool_calls")
    )
    _, messages = await through_a_tool_step("deepseek", body)
    assert messages[1]["reasoning_content"] == "I should."


async def test_deepseek_is_sent_the_field_also_for_what_another_vendor_said() -> None:
    thought = Thinking("Theirs.", "proof", "anthropic")
    theirs = Message(Role.ASSISTANT, (thought, ToolCall("c1", "look", {})))
    request = Request("m", (user("Look"), theirs, tool_results(ToolResult("c1", "x"))))
    async with OpenAILoopback(["ok"]) as server:
        await ask(server, "deepseek", request)
    assert server.requests[0]["messages"][1]["reasoning_content"] == ""


def test_a_signature_that_is_damaged_holds_no_details() -> None:
    damaged = Message(Role.ASSISTANT, (Thinking("", "{broken", "openrouter"),))
    assert details_of(damaged, "openrouter", "m") == []
