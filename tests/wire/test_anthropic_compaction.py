"""The vendor's own summary of a conversation: the call, and a session that goes by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from victor.agent.coordinators.context_coordinator import (
    BaseCompactionStrategy,
    ContextCoordinator,
)
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.events import ReplyFinished, TextDelta
from victor.messages import Context, Request, StopReason, Usage, user
from victor.protocols import CompactionRequest, ICompacting, IConversationSummarizer
from victor.providers.anthropic import AnthropicProvider
from victor.testing import ScriptedProvider
from victor.testing.loopback import AnthropicLoopback, LoopbackError, LoopbackReply

pytestmark = pytest.mark.anyio

MODEL = "claude-opus-5-5"
SUMMARY = "The user builds a bridge. It must bear 40 t."
WORDS = "word " * 300


class Vendor(AnthropicLoopback):
    """Answers a request for a summary with a compaction block, as the vendor does."""

    def _whole(self, reply: LoopbackReply, request: dict[str, Any]) -> Any:
        if "compaction" not in request:
            return super()._whole(reply, request)
        block = {
            "type": "compaction",
            "content": reply.text or None,
            "signature": "signed",
            "encrypted_content": None,
        }
        whole = {**self._message(reply, request), "usage": self._usage(reply)}
        return {**whole, "content": [block], "stop_reason": "compaction"}


@asynccontextmanager
async def session(
    vendor: Vendor, folder: Path, **more: Any
) -> AsyncIterator[tuple[AgentOrchestrator, AnthropicProvider]]:
    provider = AnthropicProvider("the-key", base_url=vendor.url)
    settings = Settings(ephemeral=True, context_compaction_strategy="native", **more)
    async with AgentOrchestrator(settings, provider, MODEL, workspace=folder) as made:
        for turn in range(6):
            await made.chat(f"Part {turn}.")
        yield made, provider
    await provider.aclose()


def asked(vendor: Vendor) -> list[dict[str, Any]]:
    return [request for request in vendor.requests if "compaction" in request]


async def test_the_summary_is_asked_for_as_the_conversation_would_be_sent() -> None:
    usage = Usage(input=900, output=20, cache_read=800)
    async with Vendor([LoopbackReply(SUMMARY, usage=usage)]) as vendor:
        provider = AnthropicProvider("the-key", base_url=vendor.url)
        assert isinstance(provider, ICompacting)
        request = Request(MODEL, (user("Build a bridge."),), system="Be brief.")
        deltas = [delta async for delta in provider.summarize(request)]
        await provider.aclose()
    assert deltas == [TextDelta(SUMMARY), ReplyFinished(StopReason.END, usage, MODEL)]
    (sent,) = vendor.requests
    assert sent["compaction"] == {"type": "summarize"}
    assert sent["system"][0]["cache_control"]
    assert "compact-2026-09-04" in vendor.headers[0]["anthropic-beta"].split(",")


async def test_a_summary_that_failed_is_no_text() -> None:
    async with Vendor([LoopbackReply("")]) as vendor:
        provider = AnthropicProvider("the-key", base_url=vendor.url)
        request = Request(MODEL, (user("Build a bridge."),))
        deltas = [delta async for delta in provider.summarize(request, "Be short.")]
        await provider.aclose()
    assert [type(delta) for delta in deltas] == [ReplyFinished]
    assert vendor.requests[0]["compaction"]["instructions"] == "Be short."


async def test_a_session_goes_on_by_the_vendor_s_summary_and_with_any_vendor(
    tmp_path: Path,
) -> None:
    usage = Usage(input=4_000, output=30, cache_read=3_500)
    script: list[Any] = [*[WORDS] * 6, LoopbackReply(SUMMARY, usage=usage), "Good."]
    async with Vendor(script) as vendor, session(vendor, tmp_path) as (made, _):
        before = vendor.requests[-1]
        done = await made.compact()
        assert done is not None
        assert done.strategy == "native"
        assert done.summary_tokens == 4_030
        assert "1 summary written" in done.what
        (sent,) = asked(vendor)
        assert (sent["system"], sent["tools"]) == (before["system"], before["tools"])
        assert sent["messages"][: len(before["messages"]) - 2] == before["messages"][:-2]
        await made.chat("Go on.")
        assert SUMMARY in str(vendor.requests[-1]["messages"])
        assert "Part 0." in str(vendor.requests[-1]["messages"])

        other = ScriptedProvider("Fine.", repeat=True)
        made.switch(provider=other, model="m")
        await made.chat("And now?")
        said = "".join(message.text for message in other.requests[-1].messages)
        assert SUMMARY in said
        assert "Part 0." in said


async def test_the_focus_replaces_the_vendor_s_own_instructions(tmp_path: Path) -> None:
    async with Vendor([*[WORDS] * 6, SUMMARY]) as vendor, session(vendor, tmp_path) as (made, _):
        await made.compact("the load")
        (sent,) = asked(vendor)
        assert "the load" in sent["compaction"]["instructions"]


async def test_where_the_vendor_cannot_the_hybrid_strategy_follows(tmp_path: Path) -> None:
    refused = LoopbackError(400, "This model cannot.", "invalid_request_error")
    script: list[Any] = [*[WORDS] * 6, refused, "## Goal\n- a bridge"]
    async with Vendor(script) as vendor, session(vendor, tmp_path) as (made, _):
        done = await made.compact()
        assert done is not None
        assert done.tokens_after < done.tokens_before
        assert len(asked(vendor)) == 1
        left = "".join(one.text for one in made.context_coordinator.get_context().messages)
        assert "a bridge" in left


async def test_another_vendor_s_models_are_compacted_by_the_hybrid_strategy(
    tmp_path: Path,
) -> None:
    provider = ScriptedProvider(WORDS, repeat=True)
    settings = Settings(ephemeral=True, context_compaction_strategy="native")
    async with AgentOrchestrator(settings, provider, MODEL, workspace=tmp_path) as made:
        for turn in range(6):
            await made.chat(f"Part {turn}.")
        done = await made.compact()
    assert done is not None
    assert done.tokens_after < done.tokens_before
    assert not isinstance(provider, ICompacting)


async def test_a_strategy_of_one_s_own_can_ask_the_vendor_as_well(tmp_path: Path) -> None:
    asked_for: list[str] = []

    class Own(BaseCompactionStrategy):
        async def compact(self, context: Context) -> Context:
            return context

        async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
            vendor: object = request.summarize
            assert isinstance(vendor, IConversationSummarizer)
            asked_for.append(await vendor.of_conversation(context.messages))
            asked_for.append(await vendor("Sum up.", "What was said."))  # type: ignore[operator]  # it is a Summarizer
            return Context(context.messages[-2:])

    script = [*[WORDS] * 6, SUMMARY, "A summary."]
    async with Vendor(script) as vendor, session(vendor, tmp_path) as (made, provider):
        coordinator = ContextCoordinator(Own())
        coordinator.append(*made.context_coordinator.get_context().messages)
        async with AgentOrchestrator(
            Settings(ephemeral=True),
            provider,
            MODEL,
            workspace=tmp_path,
            context_coordinator=coordinator,
        ) as other:
            await other.compact()
    assert asked_for == [SUMMARY, "A summary."]
