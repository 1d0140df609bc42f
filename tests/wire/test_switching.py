"""One conversation over two vendors: what each is sent of what the other said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.messages import Effect, ToolCall
from victor.pairing import problems
from victor.protocols import IProvider
from victor.providers.anthropic import AnthropicProvider
from victor.providers.openai import OpenAIProvider
from victor.testing.loopback import AnthropicLoopback, LoopbackError, LoopbackReply, OpenAILoopback
from victor.tools.decorator import tool

pytestmark = pytest.mark.anyio

CLAUDE, GPT = "claude-sonnet-5-5", "gpt-6.1-terra"


@tool(effect=Effect.READ_ONLY)
async def look(at: str = "") -> str:
    """Look at something."""
    return f"saw {at}"


def talk(provider: IProvider, model: str, workspace: Path, **more: Any) -> AgentOrchestrator:
    settings = Settings(ephemeral=True, max_retries=0, **more)
    return AgentOrchestrator(settings, provider, model, workspace=workspace, tools=(look,))


def claude(server: AnthropicLoopback) -> AnthropicProvider:
    return AnthropicProvider("key", base_url=server.url)


def gpt(server: OpenAILoopback) -> OpenAIProvider:
    return OpenAIProvider("key", base_url=server.url)


async def test_openai_is_sent_no_signature_and_its_calls_keep_their_results(tmp_path: Path) -> None:
    calls = (ToolCall("toolu_01", "look", {"at": "x"}),)
    first = LoopbackReply("Looking.", calls, thinking="Hmm.", signature="proof-of-anthropic")
    async with (
        AnthropicLoopback([first, "Seen."]) as one,
        OpenAILoopback(["Hello from another."]) as two,
        talk(claude(one), CLAUDE, tmp_path) as orchestrator,
    ):
        await orchestrator.chat("Look at x")
        orchestrator.switch(gpt(two), GPT)
        response = await orchestrator.chat("And you?")
    sent = two.requests[0]
    assert response.provider == "openai"
    assert "proof-of-anthropic" not in json.dumps(sent)
    assert "Hmm." not in json.dumps(sent)
    roles = [message["role"] for message in sent["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    called, answered = sent["messages"][2], sent["messages"][3]
    assert called["tool_calls"][0]["id"] == answered["tool_call_id"]


async def test_anthropic_is_sent_ids_in_its_own_alphabet(tmp_path: Path) -> None:
    calls = (ToolCall("call.1:a", "look", {"at": "x"}), ToolCall("call.1;a", "look", {"at": "y"}))
    async with (
        OpenAILoopback([LoopbackReply("", calls), "Seen."]) as one,
        AnthropicLoopback(["Hello from another."]) as two,
        talk(gpt(one), GPT, tmp_path) as orchestrator,
    ):
        await orchestrator.chat("Look at x and y")
        orchestrator.switch(claude(two), CLAUDE)
        response = await orchestrator.chat("And you?")
    assert response.provider == "anthropic"
    messages = two.requests[0]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2 + ["user"]
    used = [block["id"] for block in messages[1]["content"] if block["type"] == "tool_use"]
    given = [block["tool_use_id"] for block in messages[2]["content"]]
    assert used == given
    assert len(set(used)) == 2
    assert all(name.replace("_", "").replace("-", "").isalnum() for name in used)


async def test_back_at_the_first_vendor_its_own_signature_is_there_again(tmp_path: Path) -> None:
    calls = (ToolCall("toolu_01", "look", {"at": "x"}),)
    first = LoopbackReply("Looking.", calls, thinking="Hmm.", signature="proof-of-anthropic")
    async with (
        AnthropicLoopback([first, "Seen.", "Back."]) as one,
        OpenAILoopback(["Hello."]) as two,
        talk(claude(one), CLAUDE, tmp_path) as orchestrator,
    ):
        await orchestrator.chat("Look at x")
        orchestrator.switch(gpt(two), GPT)
        await orchestrator.chat("And you?")
        orchestrator.switch(claude(one), CLAUDE)
        assert (await orchestrator.chat("Again?")).content == "Back."
        assert not problems(orchestrator.context_coordinator.get_context().messages)
    thinking = one.requests[-1]["messages"][1]["content"][0]
    assert (thinking["type"], thinking["signature"]) == ("thinking", "proof-of-anthropic")


async def test_another_vendor_takes_over_in_the_middle_of_a_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    calls = (ToolCall("toolu_01", "look", {"at": "x"}),)
    first = LoopbackReply("", calls, thinking="Hmm.", signature="proof-of-anthropic")
    down = LoopbackError(529, "overloaded_error", "Overloaded")
    async with AnthropicLoopback([first, down]) as one, OpenAILoopback(["Taken over."]) as two:
        monkeypatch.setenv("OPENAI_BASE_URL", two.url)
        fallbacks = (f"openai:{GPT}",)
        async with talk(claude(one), CLAUDE, tmp_path, fallbacks=fallbacks) as orchestrator:
            response = await orchestrator.chat("Look at x")
            serving = [health.serving for health in orchestrator.provider_coordinator.health()]
    assert (response.content, response.provider) == ("Taken over.", "openai")
    assert serving == [False, True]
    assert [message["role"] for message in two.requests[0]["messages"]][-1] == "tool"
