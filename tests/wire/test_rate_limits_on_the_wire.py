"""Limits that a vendor's responses tell of are kept before they are hit."""

from __future__ import annotations

from typing import Any

import pytest

from victor.agent.coordinators.provider_coordinator import ProviderCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.endpoints import RECORDS
from victor.errors import RateLimitError
from victor.events import ModelCallDelayed, ProviderSwitched
from victor.messages import Request, user
from victor.protocols import Endpoint
from victor.providers.anthropic import AnthropicProvider
from victor.providers.openai import OpenAIProvider
from victor.testing import RecordingObserver, ScriptedProvider
from victor.testing.faults import AnthropicFaultServer, Fault, OpenAIFaultServer
from victor.testing.loopback import LoopbackError

pytestmark = pytest.mark.anyio

SETTINGS = Settings(ephemeral=True, max_retries=0, enable_checkpoints=False)


def spent(reset: str) -> dict[str, str]:
    return {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}


def openai(server: OpenAIFaultServer, **more: Any) -> OpenAIProvider:
    return OpenAIProvider("key", base_url=server.url, **more)


async def ask(provider: OpenAIProvider | AnthropicProvider, heard: RecordingObserver) -> str:
    async with AgentOrchestrator(SETTINGS, provider, "m") as orchestrator:
        orchestrator.add_observer(heard)
        return (await orchestrator.chat("Hi")).content


async def test_the_next_call_of_anybody_waits_for_the_reset_and_says_so() -> None:
    heard = RecordingObserver()
    script = [Fault(headers=spent("400ms")), Fault(headers=spent("300ms")), "Third."]
    async with OpenAIFaultServer(script) as server:
        for _ in range(3):
            provider = openai(server)
            await ask(provider, heard)
            await provider.aclose()
        (first, second) = heard.of(ModelCallDelayed)
        assert (first.provider, first.model) == ("openai", "m")
        assert 0 < (first.wait_seconds or 0) <= 0.4
        assert 0 < (second.wait_seconds or 0) <= 0.3
        assert len(server.requests) == 3


async def test_a_limit_without_room_for_too_long_sends_the_call_to_the_fallback() -> None:
    heard = RecordingObserver()
    async with OpenAIFaultServer([Fault(headers=spent("5m0s"))]) as server:
        provider = openai(server)
        await ask(provider, heard)
        chain = ProviderCoordinator(
            provider, "m", fallbacks=(Endpoint(ScriptedProvider("Instead."), "n"),)
        )
        settings = SETTINGS.changed(max_concurrent_calls=1)
        async with AgentOrchestrator(
            settings, provider, "m", provider_coordinator=chain
        ) as orchestrator:
            orchestrator.add_observer(heard)
            assert (await orchestrator.chat("Hi")).content == "Instead."
        assert len(heard.of(ProviderSwitched)) == 1
        assert len(server.requests) == 1
        # No place is held where the call was not made.
        assert [one.running for one in chain.health()] == [0, 0]
        await provider.aclose()


async def test_without_a_fallback_it_is_an_error_that_says_how_long() -> None:
    async with OpenAIFaultServer([Fault(headers=spent("5m0s"))]) as server:
        provider = openai(server)
        await ask(provider, RecordingObserver())
        with pytest.raises(RateLimitError, match=r"no room .* for (299|300) s") as error:
            await ask(provider, RecordingObserver())
        assert "max_retry_wait" in str(error.value)
        await provider.aclose()


@pytest.mark.parametrize("streaming", [True, False])
async def test_anthropics_limits_are_known_after_streamed_whole_and_refused_answers(
    streaming: bool,
) -> None:
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "29000",
        "anthropic-ratelimit-input-tokens-reset": "2999-01-01T00:00:00Z",
    }
    refused = {**headers, "anthropic-ratelimit-input-tokens-remaining": "7"}
    script = [Fault(headers=headers), LoopbackError(429, headers=refused)]
    async with AnthropicFaultServer(script) as server:
        provider = AnthropicProvider("key", base_url=server.url, streaming=streaming)
        request = Request("m", (user("Hi"),))
        [delta async for delta in provider.stream(request)]
        limits = RECORDS.of(provider, "m").limits
        (known,) = limits.known()
        assert (known.name, known.remaining, known.limit) == ("input-tokens", 29000, 30000)
        with pytest.raises(RateLimitError):
            [delta async for delta in provider.stream(request)]
        (known,) = limits.known()
        assert known.remaining == 7
        await provider.aclose()
