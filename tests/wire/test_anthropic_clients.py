"""Anthropic's models through clients of the SDK's own, what the vendor counts, and its pauses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from victor.errors import AuthenticationError, BadReply, ProviderUnavailable
from victor.events import ReplyFinished, TextDelta
from victor.messages import Message, Request, Role, StopReason, Text, Usage, user
from victor.providers.anthropic import AnthropicProvider
from victor.providers.exchange import Patience
from victor.testing.loopback import AnthropicLoopback, LoopbackError, LoopbackReply

pytestmark = pytest.mark.anyio

MODEL = "claude-sonnet-5-5"
HELLO = Request(MODEL, (user("Hello"),), system="Be brief.")


class CloudLoopback(AnthropicLoopback):
    """A cloud that serves the vendor's models under an address of its own."""

    def __init__(self, path: str, *script: Any) -> None:
        self.path = path
        super().__init__(script)


class CountingLoopback(AnthropicLoopback):
    """Takes requests to count tokens; what it answers is in its script."""

    path = "/v1/messages/count_tokens"

    def _whole(self, reply: LoopbackReply, request: dict[str, Any]) -> Any:
        return json.loads(reply.text)


async def test_vertex_serves_through_its_own_client() -> None:
    import anthropic

    async with CloudLoopback(":streamRawPredict", LoopbackReply("Hello!", pieces=2)) as server:
        client = anthropic.AsyncAnthropicVertex(
            base_url=server.url, region="eu", project_id="p", access_token="secret-token"
        )
        provider = AnthropicProvider(client=client)
        deltas = [delta async for delta in provider.stream(HELLO)]
        await client.close()
    assert deltas[:2] == [TextDelta("Hel"), TextDelta("lo!")]
    assert server.headers[0]["authorization"] == "Bearer secret-token"
    assert "model" not in server.requests[0]


async def test_bedrock_serves_whole_answers_through_its_own_client() -> None:
    pytest.importorskip("botocore", reason="the SDK's extra for Bedrock is not installed")
    import anthropic

    async with CloudLoopback("/invoke", LoopbackReply("Hello!")) as server:
        client = anthropic.AsyncAnthropicBedrock(
            base_url=server.url, aws_region="eu-west-1", api_key="secret"
        )
        provider = AnthropicProvider(client=client)
        deltas = [delta async for delta in provider.stream(HELLO)]
        await client.close()
    assert deltas == [
        TextDelta("Hello!"),
        ReplyFinished(StopReason.END, Usage(input=10, output=5), deltas[-1].model),
    ]
    assert "anthropic_version" in server.requests[0]
    assert "stream" not in server.requests[0]


async def test_a_pause_a_refusal_and_a_full_window_are_told_apart() -> None:
    said = ("pause_turn", "refusal", "model_context_window_exceeded", "a_later_reason")
    replies = [LoopbackReply("So far", stop_reason=reason) for reason in said]
    async with AnthropicLoopback(replies) as server:
        provider = AnthropicProvider("the-key", base_url=server.url)
        ends = [[d async for d in provider.stream(HELLO)][-1].stop_reason for _ in said]
        await provider.aclose()
    assert ends == [
        StopReason.PAUSE,
        StopReason.REFUSAL,
        StopReason.CONTEXT_EXCEEDED,
        StopReason.UNKNOWN,
    ]


async def test_a_paused_turn_goes_on_from_the_assistants_own_message() -> None:
    paused = Message(Role.ASSISTANT, (Text("So far, "),))
    async with AnthropicLoopback(["so good."]) as server:
        provider = AnthropicProvider("the-key", base_url=server.url)
        request = Request(MODEL, (user("Hello"), paused))
        assert TextDelta("so ") in [delta async for delta in provider.stream(request)]
        await provider.aclose()
    last = server.requests[0]["messages"][-1]
    # The vendor refuses a last message of the assistant's that ends with a space.
    assert last == {"role": "assistant", "content": [{"type": "text", "text": "So far,"}]}


async def test_the_vendor_counts_what_a_request_sends() -> None:
    async with CountingLoopback(['{"input_tokens": 17}']) as server:
        provider = AnthropicProvider("the-key", base_url=server.url)
        assert await provider.count_tokens(HELLO) == 17
        await provider.aclose()
    sent = server.requests[0]
    assert sent["system"][0]["text"] == "Be brief."
    assert not {"max_tokens", "stream"} & sent.keys()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (LoopbackError(401, "The key is wrong.", "authentication_error"), AuthenticationError),
        ('{"input_tokens": null}', BadReply),
        ("[]", BadReply),
        (b"{broken", BadReply),
    ],
)
async def test_a_count_that_fails_is_victors_own_error(answer: Any, kind: type[Exception]) -> None:
    async with CountingLoopback([answer]) as server:
        provider = AnthropicProvider("the-key", base_url=server.url)
        with pytest.raises(kind):
            await provider.count_tokens(HELLO)
        await provider.aclose()


async def test_a_count_that_does_not_come_is_given_up() -> None:
    async with CountingLoopback([LoopbackReply(stall=True)]) as server:
        provider = AnthropicProvider("the-key", base_url=server.url, patience=Patience(whole=0.0))
        with pytest.raises(ProviderUnavailable):
            await provider.count_tokens(HELLO)
        await provider.aclose()
