"""OpenAI's Responses API where it is not streamed, or breaks off."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from victor.errors import BadReply, ProviderUnavailable
from victor.events import ReplyFinished, TextDelta
from victor.messages import Request, StopReason, ToolCall, user
from victor.providers.openai import OpenAIProvider
from victor.testing.faults import Ending, Fault, FaultServer
from victor.testing.loopback import LoopbackReply
from victor.testing.loopback_responses import ResponsesLoopback

pytestmark = pytest.mark.anyio

HELLO = Request("gpt-5", (user("Hello"),))


class ResponsesFaultServer(FaultServer, ResponsesLoopback):
    pass


async def test_an_answer_that_is_not_streamed_is_the_same(wire: SimpleNamespace) -> None:
    reply = LoopbackReply("Look:", (ToolCall("a", "look", {"at": "one"}),))
    async with ResponsesFaultServer(otherwise=reply) as server:
        ended = []
        for streaming in (True, False):
            provider = OpenAIProvider(
                "k", base_url=server.url, api="responses", streaming=streaming
            )
            deltas = await wire.collect(provider.stream(HELLO))
            await provider.aclose()
            text = "".join(delta.content for delta in deltas if isinstance(delta, TextDelta))
            ended.append((text, deltas[-1]))
        assert "stream" not in server.requests[1]
    assert ended[0] == ended[1]
    assert ended[0][0] == "Look:"
    assert isinstance(ended[0][1], ReplyFinished)
    assert ended[0][1].stop_reason is StopReason.TOOL_USE


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_cut_answer_is_a_bad_reply(streaming: bool, wire: SimpleNamespace) -> None:
    async with ResponsesFaultServer([Fault(keep=0.5, ending=Ending.CUT)]) as server:
        provider = OpenAIProvider("k", base_url=server.url, api="responses", streaming=streaming)
        with pytest.raises(BadReply, match="broke off"):
            await wire.collect(provider.stream(HELLO))
        await provider.aclose()


async def test_an_answer_that_failed_is_its_error_when_it_was_not_streamed(
    wire: SimpleNamespace,
) -> None:
    body = b'{"object": "response", "status": "failed", "error": {"code": "server_error"}}'
    async with ResponsesFaultServer([Fault(body=body)]) as server:
        provider = OpenAIProvider("k", base_url=server.url, api="responses", streaming=False)
        with pytest.raises(ProviderUnavailable):
            await wire.collect(provider.stream(HELLO))
        await provider.aclose()
