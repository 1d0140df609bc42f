"""What every wire adapter does alike; each vendor's own ways are in its own file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.wire.columns import VENDORS, Vendor

from victor.errors import AuthenticationError, BadReply, ProviderError, ProviderUnavailable
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import Request, StopReason, ToolCall, Usage, user
from victor.protocols import IProvider
from victor.providers.exchange import Patience
from victor.testing.faults import Fault
from victor.testing.loopback import LoopbackError, LoopbackReply

pytest.importorskip("google.genai", reason="the extra google is not installed")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HELLO = Request("the-model", (user("Hello"),))


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return request.param


def provider_of(vendor: Vendor, server: Any, key: str | None = "the-key") -> Any:
    return vendor.provider(key, base_url=server.url, patience=Patience(), streaming=True)


async def deltas_of(vendor: Vendor, entry: Any) -> list[ReplyDelta]:
    async with vendor.server([entry]) as server:
        provider = provider_of(vendor, server)
        assert isinstance(provider, IProvider)
        try:
            return [delta async for delta in provider.stream(HELLO)]
        finally:
            await provider.aclose()


async def failure_of(provider: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        async for _ in provider.stream(HELLO):
            pass
    await provider.aclose()
    return caught.value


async def test_a_text_arrives_in_pieces_and_ends_once_with_its_usage(vendor: Vendor) -> None:
    usage = Usage(input=100, output=7, cache_read=60 if vendor.tells_cached else 0)
    *pieces, end = await deltas_of(vendor, LoopbackReply("Hello, you!", usage=usage, pieces=4))
    assert pieces == [TextDelta("Hel"), TextDelta("lo,"), TextDelta(" yo"), TextDelta("u!")]
    assert isinstance(end, ReplyFinished)
    assert (end.stop_reason, end.usage) == (StopReason.END, usage)
    assert end.model in ("the-model", "gemini-loopback")


async def test_reasoning_comes_before_the_answer(vendor: Vendor) -> None:
    deltas = await deltas_of(vendor, LoopbackReply("Yes.", thinking="Hmm, well.", pieces=2))
    thoughts = [delta.content for delta in deltas if isinstance(delta, ThinkingDelta)]
    assert "".join(thoughts) == "Hmm, well."
    kinds = [type(delta) for delta in deltas if getattr(delta, "content", "")]
    assert kinds == [ThinkingDelta] * 2 + [TextDelta] * 2


async def test_parallel_calls_keep_their_fragments_apart(vendor: Vendor) -> None:
    calls = (ToolCall("a", "read", {"path": "x"}), ToolCall("b", "list", {}))
    deltas = await deltas_of(vendor, LoopbackReply("Look:", calls))
    of_calls = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    named = [(delta.index, delta.id, delta.name) for delta in of_calls if delta.name]
    assert named == [(0, "a", "read"), (1, "b", "list")]
    arguments = ["".join(d.arguments for d in of_calls if d.index == n) for n in (0, 1)]
    assert arguments == ['{"path": "x"}', "{}"]
    assert isinstance(deltas[-1], ReplyFinished)
    assert deltas[-1].stop_reason is StopReason.TOOL_USE


@pytest.mark.parametrize("events", [0, 1, 3])
async def test_a_stream_that_breaks_off_never_ends_silently(vendor: Vendor, events: int) -> None:
    async with vendor.server([LoopbackReply("Hello there", pieces=4, events=events)]) as server:
        failure = await failure_of(provider_of(vendor, server))
    assert type(failure) is BadReply
    assert "broke off" in str(failure)


async def test_an_error_in_mid_stream_is_raised_after_what_came_before(vendor: Vendor) -> None:
    def edit(body: bytes) -> bytes:
        end = body.index(b"\n", body.index(b"So far"))
        return body[:end] + b"\n\n" + vendor.errors["busy"]

    async with vendor.server([Fault(LoopbackReply("So far", pieces=1), edit=edit)]) as server:
        provider = provider_of(vendor, server)
        stream = provider.stream(HELLO)
        assert await anext(stream) == TextDelta("So far")
        with pytest.raises(ProviderUnavailable, match="told"):
            await anext(stream)
        await provider.aclose()


async def begun(stream: AsyncGenerator[ReplyDelta, None]) -> None:
    """Return when the first delta was read."""
    await anext(stream)


STALLED = LoopbackReply("Hello there", pieces=4, events=5, stall=True)


async def test_leaving_early_closes_the_connection(vendor: Vendor) -> None:
    async with vendor.server([STALLED]) as server:
        provider = provider_of(vendor, server)
        stream = provider.stream(HELLO)
        await begun(stream)
        await stream.aclose()
        await asyncio.wait_for(server.reader_left(), 5)
        await provider.aclose()
    assert server.readers_left == 1


async def test_cancelling_closes_the_connection(vendor: Vendor) -> None:
    async with vendor.server([STALLED]) as server:
        provider = provider_of(vendor, server)
        reading = asyncio.create_task(failure_of(provider))
        await server.reader_waits()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(server.reader_left(), 5)
        await provider.aclose()


async def test_steps_of_a_turn_share_a_connection(vendor: Vendor) -> None:
    async with vendor.server(otherwise="ok") as server:
        provider = provider_of(vendor, server)
        for _ in range(3):
            assert len([delta async for delta in provider.stream(HELLO)]) > 1
        assert server.connections == 1
        await provider.aclose()
        await provider.aclose()


def test_one_provider_serves_several_event_loops(vendor: Vendor) -> None:
    with vendor.server(otherwise="ok") as server:
        provider = provider_of(vendor, server)

        async def ask() -> list[Any]:
            return [delta async for delta in provider.stream(HELLO)]

        for _ in range(2):
            assert isinstance(asyncio.run(ask())[-1], ReplyFinished)
        assert server.connections == 2


async def test_a_refused_connection_names_the_address_and_the_remedy(vendor: Vendor) -> None:
    async with vendor.server() as server:
        pass
    failure = await failure_of(provider_of(vendor, server))
    assert type(failure) is ProviderUnavailable
    assert server.url in str(failure)
    assert "Start the server" in failure.hint


async def test_a_refusal_names_its_status_and_not_the_key(vendor: Vendor) -> None:
    async with vendor.server([LoopbackError(403, "the-key may not do that")]) as server:
        failure = await failure_of(provider_of(vendor, server))
    assert type(failure) is AuthenticationError
    assert failure.status == 403
    assert "may not do that" in str(failure)
    assert "the-key" not in str(failure)


@pytest.mark.parametrize(
    "vendor", [one for one in VENDORS if one.needs_key], ids=lambda one: one.name
)
async def test_a_missing_key_is_told_at_the_first_call_with_the_remedy(vendor: Vendor) -> None:
    failure = await failure_of(vendor.provider(None, streaming=True))
    assert type(failure) is AuthenticationError
    assert all(variable in failure.hint for variable in vendor.key_variables)


async def test_the_key_comes_from_the_environment_and_this_machine_needs_none(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendor.server(otherwise="ok") as server:
        for variable in ("", *vendor.key_variables):
            with monkeypatch.context() as environment:
                if variable:
                    environment.setenv(variable, f"of-{variable}")
                provider = provider_of(vendor, server, None)
                assert [delta async for delta in provider.stream(HELLO)]
                await provider.aclose()
        shown = [
            headers.get("x-goog-api-key")
            or headers.get("authorization", "none-needed").removeprefix("Bearer ")
            for headers in server.headers
        ]
    assert shown == ["none-needed", *(f"of-{variable}" for variable in vendor.key_variables)]


def test_no_sdk_is_imported_before_the_first_call() -> None:
    code = (
        "import sys; from victor.providers.choose import create_provider\n"
        "for name in ('anthropic', 'openai', 'ollama', 'google', 'local'): create_provider(name)\n"
        "heavy = {'anthropic', 'openai', 'google.genai', 'httpx2', 'pydantic', 'xllamacpp'}\n"
        "print(*heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
