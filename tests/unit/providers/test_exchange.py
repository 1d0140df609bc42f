"""Answers read from bytes, without a network: cut anywhere, damaged, too large."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx2
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
from victor.providers.google import GoogleProvider, OwnClient
from victor.providers.google_stream import keep_body
from victor.providers.ollama import HttpClient, OllamaProvider
from victor.providers.openai import OpenAIProvider
from victor.providers.sse import EventDecoder, EventTooLarge, ServerEvent
from victor.testing.loopback import AnthropicLoopback, LoopbackReply, OpenAILoopback
from victor.testing.loopback_google import GoogleLoopback
from victor.testing.loopback_ollama import OllamaLoopback
from victor.testing.loopback_responses import ResponsesLoopback

pytestmark = pytest.mark.anyio

SITE = CallSite("acme", "m", "http://127.0.0.1")
REPLY = LoopbackReply(
    "Grüße, 世界 🎉 \u2028.",
    calls=(ToolCall("a", "look", {"at": "ö"}), ToolCall("b", "look", {"at": "two"})),
    thinking="Hm… 思",
    usage=Usage(30, 7, cache_read=10),
)


LOOPBACKS: dict[str, Any] = {
    "anthropic": AnthropicLoopback,
    "openai": OpenAILoopback,
    "responses": ResponsesLoopback,
    "google": GoogleLoopback,
    "ollama": OllamaLoopback,
}


def recorded(vendor: str) -> bytes:
    """Return a whole stream, its text in UTF-8 rather than escaped."""
    asked = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    lines = b"".join(LOOPBACKS[vendor]()._events(REPLY, asked)).decode().split("\n")
    plain = []
    for line in lines:
        prefix, brace, rest = line.partition("{")
        if brace:
            line = prefix + json.dumps(json.loads(brace + rest), ensure_ascii=False)
        plain.append(line)
    return "\n".join(plain).encode()


STREAMS = {vendor: recorded(vendor) for vendor in LOOPBACKS}


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


class InPieces(httpx2.AsyncByteStream):
    """A response's body that comes in pieces."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._client.pieces:
            yield piece

    async def aclose(self) -> None:
        await self._client.close()


def http_client(provider: Any, **options: Any) -> httpx2.AsyncClient:
    """Return a client that is answered what the provider's `answer` holds."""

    async def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=InPieces(provider.answer))

    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer), **options)


class Gemini(GoogleProvider):
    """Reads what its client has, by way of the vendor's whole SDK."""

    def __init__(self, client: Client) -> None:
        self.answer = client
        super().__init__("key", base_url=client.base_url)

    def _make_client(self) -> Any:
        from google import genai

        http = http_client(self, event_hooks={"response": [keep_body]})
        options = genai.types.HttpOptions(httpx_async_client=http, base_url="http://127.0.0.1")
        return OwnClient(genai.Client(api_key="key", vertexai=False, http_options=options), http)


class Ollama(OllamaProvider):
    """Reads what its client has."""

    def __init__(self, client: Client) -> None:
        self.answer = client
        super().__init__(base_url=client.base_url)

    def _make_client(self) -> Any:
        return HttpClient(http_client(self))


@pytest.fixture
async def reading() -> AsyncIterator[Any]:
    """Give a function that makes a provider which reads these pieces."""
    slow: dict[str, Any] = {}

    def make(vendor: str, client: Any) -> Any:
        if vendor == "anthropic":
            return AnthropicProvider(client=client)
        if vendor == "openai":
            return OpenAIProvider(client=client, name="vllm")
        if vendor == "responses":
            return OpenAIProvider(client=client)
        # It takes long to make these clients.
        kind = Gemini if vendor == "google" else Ollama
        one = slow[vendor] = slow.get(vendor) or kind(client)
        one.answer = client
        return one

    yield make
    for one in slow.values():
        await one.aclose()


async def understood(
    reading: Any, vendor: str, pieces: list[bytes]
) -> tuple[list[ReplyDelta], Reply]:
    request = Request("m", (user("Hi"),))
    deltas = [delta async for delta in reading(vendor, Client(pieces)).stream(request)]
    heard: list[Any] = []
    one = reading(vendor, Client(pieces))
    reply = await ChatCoordinator().reply(one, request, heard.append)
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
async def test_a_stream_may_be_cut_anywhere(reading: Any, vendor: str, places: list[int]) -> None:
    stream = STREAMS[vendor]
    whole = await understood(reading, vendor, [stream])
    assert await understood(reading, vendor, cut(stream, places)) == whole


@pytest.mark.parametrize("vendor", STREAMS)
async def test_a_stream_may_be_cut_at_every_byte(reading: Any, vendor: str) -> None:
    stream = STREAMS[vendor]
    deltas, reply = await understood(reading, vendor, [bytes([byte]) for byte in stream])
    assert (deltas, reply) == await understood(reading, vendor, [stream])
    assert reply.message.text == REPLY.text
    assert [dict(call.arguments) for call in reply.message.tool_calls] == [
        {"at": "ö"},
        {"at": "two"},
    ]


ODD: tuple[Any, ...] = (None, True, 0, -1.5, 10**400, "", "x", "\ud800", [], [[]], {}, {"a": 1})


def misshapen(stream: bytes, chance: random.Random) -> bytes:
    """Return the stream with a few values of its JSON missing or of another kind."""
    lines = stream.decode().split("\n")
    told = [number for number, line in enumerate(lines) if "{" in line]
    for number in chance.choices(told, k=chance.randint(1, 4)):
        prefix, brace, rest = lines[number].partition("{")
        event = json.loads(brace + rest)
        place: Any = event
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = chance.choice(keys)
            if isinstance(place[key], dict | list) and place[key] and chance.random() < 0.8:
                place = place[key]
                continue
            if chance.random() < 0.2:
                del place[key]
            else:
                place[key] = chance.choice(ODD)
            break
        if event:
            lines[number] = prefix + json.dumps(event)
    return "\n".join(lines).encode()


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


async def survives(reading: Any, vendor: str, seed: int) -> bool:
    """Return whether the damaged stream gave a reply; else it gave a `ProviderError`."""
    chance = random.Random(seed)
    stream = chance.choice((damaged, misshapen))(STREAMS[vendor], chance)
    pieces = cut(stream, [chance.randrange(len(stream)) for _ in range(chance.randint(0, 4))])
    client = Client(pieces)
    one = reading(vendor, client)
    try:
        reply = await ChatCoordinator().reply(one, Request("m", (user("Hi"),)), lambda _: None)
    except ProviderError:
        return False
    finally:
        assert client.closed == 1
    json.dumps([dict(call.arguments) for call in reply.message.tool_calls]).encode()
    reply.message.text.encode()
    return True


@pytest.mark.parametrize("vendor", STREAMS)
async def test_a_damaged_stream_gives_a_reply_or_a_typed_error(reading: Any, vendor: str) -> None:
    outcomes = [await survives(reading, vendor, seed) for seed in range(150)]
    assert set(outcomes) == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize("vendor", STREAMS)
async def test_ten_thousand_damaged_streams_give_replies_or_typed_errors(
    reading: Any, vendor: str
) -> None:
    for seed in range(1_000, 6_000):
        await survives(reading, vendor, seed)


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
