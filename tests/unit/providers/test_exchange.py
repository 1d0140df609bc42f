"""Answers read from bytes, without a network: cut anywhere, damaged, too large."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from victor.agent.coordinators.chat_coordinator import ChatCoordinator
from victor.errors import BadReply, ProviderError
from victor.events import ReplyDelta
from victor.messages import Reply, Request, ToolCall, Usage, user
from victor.providers import exchange as module
from victor.providers import sse
from victor.providers.anthropic import AnthropicProvider
from victor.providers.errors import CallSite
from victor.providers.exchange import Exchange, Patience, sendable_name
from victor.providers.openai import OpenAIProvider
from victor.providers.sse import EventDecoder, EventTooLarge, ServerEvent
from victor.testing.loopback import AnthropicLoopback, LoopbackReply, OpenAILoopback

pytestmark = pytest.mark.anyio

SITE = CallSite("acme", "m", "http://127.0.0.1")
REPLY = LoopbackReply(
    "Grüße, 世界 🎉 \u2028.",
    calls=(ToolCall("a", "look", {"at": "ö"}), ToolCall("b", "look", {"at": "two"})),
    thinking="Hm… 思",
    usage=Usage(30, 7, cache_read=10),
)


def recorded(vendor: str) -> bytes:
    """Return a whole stream, its text in UTF-8 rather than escaped."""
    server: Any = AnthropicLoopback() if vendor == "anthropic" else OpenAILoopback()
    asked = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    lines = b"".join(server._events(REPLY, asked)).decode().split("\n")
    plain = []
    for line in lines:
        if line.startswith("data: {"):
            value = json.loads(line[6:])
            line = "data: " + json.dumps(value, ensure_ascii=False)
        plain.append(line)
    return "\n".join(plain).encode()


STREAMS = {vendor: recorded(vendor) for vendor in ("anthropic", "openai")}


class Client:
    """An SDK's client whose answer is there already, in pieces."""

    base_url = "http://127.0.0.1"
    api_key = "key"

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.closed = 0

    async def post(self, path: str, **options: Any) -> Any:
        return SimpleNamespace(response=self, close=self.close)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    async def close(self) -> None:
        self.closed += 1


def provider(vendor: str, pieces: list[bytes]) -> Any:
    client: Any = Client(pieces)
    if vendor == "anthropic":
        return AnthropicProvider(client=client)
    return OpenAIProvider(client=client, name="vllm")


async def understood(vendor: str, pieces: list[bytes]) -> tuple[list[ReplyDelta], Reply]:
    request = Request("m", (user("Hi"),))
    deltas = [delta async for delta in provider(vendor, pieces).stream(request)]
    heard: list[Any] = []
    reply = await ChatCoordinator().reply(provider(vendor, pieces), request, heard.append)
    assert heard == deltas[:-1]
    return deltas, reply


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % len(stream) for place in places), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("vendor", STREAMS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(places=st.lists(st.integers(0, 100_000), max_size=30))
async def test_a_stream_may_be_cut_anywhere(vendor: str, places: list[int]) -> None:
    stream = STREAMS[vendor]
    assert await understood(vendor, cut(stream, places)) == await understood(vendor, [stream])


@pytest.mark.parametrize("vendor", STREAMS)
async def test_a_stream_may_be_cut_at_every_byte(vendor: str) -> None:
    stream = STREAMS[vendor]
    deltas, reply = await understood(vendor, [bytes([byte]) for byte in stream])
    assert (deltas, reply) == await understood(vendor, [stream])
    assert reply.message.text == REPLY.text
    assert [dict(call.arguments) for call in reply.message.tool_calls] == [
        {"at": "ö"},
        {"at": "two"},
    ]


def damaged(stream: bytes, chance: random.Random) -> bytes:
    """Return the stream with a few bytes lost, doubled, changed or put in."""
    data = bytearray(stream)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 1, 2, 7, 60))
        match chance.randrange(5):
            case 0:
                del data[at : at + size]
            case 1:
                data[at:at] = data[at : at + size]
            case 2:
                data[at:at] = chance.randbytes(size)
            case 3:
                data[at : at + 1] = chance.choice(
                    (b'"', b"{", b"\n", b"\r", b"[1]", b"null", b"\\")
                )
            case 4:
                del data[at:]
        data = data or bytearray(b"x")
    return bytes(data)


async def survives(vendor: str, seed: int) -> bool:
    """Return whether the damaged stream gave a reply; else it gave a `ProviderError`."""
    chance = random.Random(seed)
    stream = damaged(STREAMS[vendor], chance)
    pieces = cut(stream, [chance.randrange(len(stream)) for _ in range(chance.randint(0, 4))])
    one = provider(vendor, pieces)
    try:
        reply = await ChatCoordinator().reply(one, Request("m", (user("Hi"),)), lambda _: None)
    except ProviderError:
        return False
    finally:
        assert one._client.closed == 1
    json.dumps([dict(call.arguments) for call in reply.message.tool_calls]).encode()
    reply.message.text.encode()
    return True


@pytest.mark.parametrize("vendor", STREAMS)
async def test_a_damaged_stream_gives_a_reply_or_a_typed_error(vendor: str) -> None:
    outcomes = [await survives(vendor, seed) for seed in range(150)]
    assert set(outcomes) == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize("vendor", STREAMS)
async def test_ten_thousand_damaged_streams_give_replies_or_typed_errors(vendor: str) -> None:
    for seed in range(1_000, 6_000):
        await survives(vendor, seed)


async def read(*pieces: bytes, whole: bool = False) -> list[object]:
    client: Any = Client(list(pieces))
    exchange = Exchange(SITE, Patience(), KeyError, whole=whole)
    return [event async for event in exchange.events(client.post(""))]


async def test_an_answer_may_come_whole_where_a_stream_was_asked_for() -> None:
    assert await read(b"\xef\xbb\xbf \n", b'{"a":', b" 1}\n") == [{"a": 1}]
    assert await read(b'data: {"a": 1}\n\n', whole=True) == [{"a": 1}]


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ([b'{"a": 1'], "broke off"),
        ([b'{"a": 1]}'], "against the protocol"),
        ([b'data: {"a": '], "broke off"),
        ([b"<html>"], "web page"),
        ([b'{"error": "busy"}'], "busy"),
        ([b"event: error\ndata: went wrong\n\n"], "went wrong"),
    ],
)
async def test_what_is_no_answer_is_told_apart(pieces: list[bytes], says: str) -> None:
    with pytest.raises(ProviderError, match=says):
        await read(*pieces)


async def test_sizes_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_EVENT_BYTES", 100)
    with pytest.raises(BadReply, match="too large"):
        await read(b"data: " + b"x" * 60, b"x" * 60)
    monkeypatch.setattr(module, "MOST_REPLY_BYTES", 100)
    with pytest.raises(BadReply, match="too large") as failure:
        await read(b": nothing\n" * 6, b": nothing\n" * 6)
    assert not failure.value.retryable


async def test_nothing_is_missed_after_the_end() -> None:
    assert await read(b'data: {"a": 1}\n\ndata: [DONE]\n\n', b"data: {bro") == [{"a": 1}]


def test_events_are_put_together_as_the_standard_says() -> None:
    decoder = EventDecoder()
    text = b"\xef\xbb\xbf: hello\rid: 1\r\nevent: a\ndata:x\ndata: y\r\r\n"
    text += b"event: none\n\ndata\n\ndata: z"
    assert decoder.feed(text) == [ServerEvent("a", b"x\ny")]
    assert decoder.finish() == [ServerEvent("", b"z")]
    assert decoder.finish() == []


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_EVENT_BYTES", 10)
    decoder = EventDecoder()
    decoder.feed(b"data: 123")
    with pytest.raises(EventTooLarge):
        decoder.feed(b"45678")


@pytest.mark.parametrize(
    ("name", "sent"), [("read", "read"), ("", "unnamed"), ("a b/é", "a_b__"), ("x" * 99, "x" * 64)]
)
def test_every_name_can_be_sent(name: str, sent: str) -> None:
    assert sendable_name(name) == sent


def test_patience_is_a_matter_of_settings() -> None:
    given = {"connect_timeout": 1, "first_event_timeout": 2, "idle_timeout": 3}
    assert Patience.of({**given, "model_call_timeout": 4}) == Patience(1, 2, 3, 4)
