"""One conversation over each two protocols, on servers that refuse what the vendors refuse."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from tests.wire.columns import VENDORS, Vendor, look

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.errors import InvalidRequest
from victor.messages import (
    Message,
    Request,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from victor.providers.exchange import Patience
from victor.testing.loopback import LoopbackReply

pytest.importorskip("google.genai", reason="the extra google is not installed")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MODELS = {
    "anthropic": "claude-sonnet-5-5",
    "openai": "gpt-4.1",
    "responses": "gpt-6.2-sol",
    "google": "gemini-3.8-flash",
    "ollama": "qwen3:8b",
}
PAIRS = list(itertools.permutations(VENDORS, 2))


def provider_of(vendor: Vendor, server: Any) -> Any:
    return vendor.provider("key", base_url=server.url, patience=Patience(), streaming=True)


def looking(vendor: Vendor, *ids: str) -> LoopbackReply:
    """Return an answer with signed reasoning, and calls of which the last is of no tool."""
    names = ("look",) * (len(ids) - 1) + ("no such: tool",)
    calls = tuple(ToolCall(*pair, {"at": "x"}) for pair in zip(ids, names, strict=True))
    return LoopbackReply(
        "Looking. ", calls, thinking="Hmm.", signature=f"proof-of-{vendor.name}-{ids[0]}"
    )


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=lambda vendor: vendor.name)
async def test_each_vendor_takes_what_any_other_has_said(
    one: Vendor, two: Vendor, tmp_path: Path
) -> None:
    first = looking(one, "call.1:a", "call.1;a", "x" * 90)
    second = looking(two, "call.1:a", "")
    third = looking(one, "", "call.1:a")
    settings = Settings(ephemeral=True, max_retries=0, approve="always")
    async with (
        one.server([first, "Seen.", third, "Back."], strict=True) as a,
        two.server([second, "Seen, too."], strict=True) as b,
    ):
        here, there = provider_of(one, a), provider_of(two, b)
        async with AgentOrchestrator(
            settings, here, MODELS[one.name], workspace=tmp_path, tools=(look,)
        ) as victor:
            said = [(await victor.chat("Look at x")).content]
            victor.switch(there, MODELS[two.name])
            said.append((await victor.chat("And you?")).content)
            victor.switch(here, MODELS[one.name])
            said.append((await victor.chat("Again?")).content)
        await here.aclose()
        await there.aclose()
    assert said == ["Seen.", "Seen, too.", "Back."]
    assert len(a.requests) == 4
    assert len(b.requests) == 2


CALL = ToolCall("c1", "look", {})
FORGED = Thinking("Hm.", "forged", "anthropic")


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_a_strict_server_refuses_a_call_without_its_result(vendor: Vendor) -> None:
    half = (user("Hi"), assistant("", CALL), user("Well?"))
    whole = (user("Hi"), assistant("", CALL), tool_results(ToolResult("c1", "x")))
    async with vendor.server(otherwise="ok", strict=True) as server:
        provider = provider_of(vendor, server)
        with pytest.raises(InvalidRequest, match="with results of"):
            async for _ in provider.stream(Request("m", half)):
                pass
        assert [delta async for delta in provider.stream(Request("m", whole))]
        await provider.aclose()


async def test_a_strict_server_refuses_a_signature_that_it_did_not_give() -> None:
    vendor = VENDORS[0]
    messages = (user("Hi"), Message(Role.ASSISTANT, (FORGED, Text("Yes."))), user("Well?"))
    async with vendor.server(otherwise="ok", strict=True) as server:
        provider = provider_of(vendor, server)
        with pytest.raises(InvalidRequest, match="strange signature"):
            async for _ in provider.stream(Request("m", messages)):
                pass
        await provider.aclose()
