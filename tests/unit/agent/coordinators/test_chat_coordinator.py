"""One exchange with the model."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from victor.agent.coordinators.chat_coordinator import ChatCoordinator
from victor.errors import BadReply, ProviderError, ProviderUnavailable
from victor.events import (
    Event,
    ReplyDelta,
    ReplyFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from victor.messages import Reply, Request, StopReason, Text, Thinking, ToolCall, Usage, user
from victor.protocols import ModelInfo

pytestmark = pytest.mark.anyio

END = ReplyFinished(StopReason.END, Usage(3, 4), "m-1")


class Deltas:
    """A provider that streams one list of deltas after the other; an exception is raised."""

    name = "deltas"

    def __init__(self, *streams: list[ReplyDelta | Exception]) -> None:
        self.streams = list(streams)
        self.closed = 0

    async def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        try:
            for delta in self.streams.pop(0):
                if isinstance(delta, Exception):
                    raise delta
                yield delta
        finally:
            self.closed += 1

    def model_info(self, model: str) -> ModelInfo:
        return ModelInfo(model, 1000, 100)

    async def aclose(self) -> None:
        pass


async def reply(*streams: list[ReplyDelta | Exception], heard: list[Event] | None = None) -> Reply:
    emit = heard.append if heard is not None else lambda _: None
    return await ChatCoordinator().reply(Deltas(*streams), Request("m", (user("hi"),)), emit)


async def test_text_is_joined_and_emitted_as_it_arrives() -> None:
    heard: list[Event] = []
    got = await reply([TextDelta("Hel"), TextDelta("lo"), END], heard=heard)
    assert got.message.parts == (Text("Hello"),)
    assert (got.usage, got.model, got.provider) == (Usage(3, 4), "m-1", "deltas")
    assert heard == [TextDelta("Hel"), TextDelta("lo")]


async def test_parts_keep_the_order_in_which_they_came() -> None:
    got = await reply(
        [
            ThinkingDelta("hm"),
            ThinkingDelta("m", "signed"),
            TextDelta("So: "),
            ThinkingDelta("wait"),
            TextDelta("yes"),
            END,
        ]
    )
    assert got.message.parts[0] == Thinking("hmm", "signed", "deltas")
    assert [type(part) for part in got.message.parts] == [Thinking, Text, Thinking, Text]


async def test_fragments_of_parallel_calls_are_put_together_by_index() -> None:
    got = await reply(
        [
            ToolCallDelta(0, "a", "read", '{"path"'),
            ToolCallDelta(1, "b", "list", ""),
            ToolCallDelta(0, arguments=': "x"}'),
            ReplyFinished(StopReason.TOOL_USE),
        ]
    )
    assert got.message.tool_calls == (
        ToolCall("a", "read", {"path": "x"}),
        ToolCall("b", "list", {}),
    )


async def test_ids_are_unique_in_the_whole_conversation() -> None:
    chat = ChatCoordinator()
    once: list[ReplyDelta | Exception] = [ToolCallDelta(0, "same", "read"), END]
    nameless: list[ReplyDelta | Exception] = [
        ToolCallDelta(0, "", "read"),
        ToolCallDelta(1, "", "read"),
        END,
    ]
    provider = Deltas(once, once, nameless)
    ids = []
    for _ in range(3):
        got = await chat.reply(provider, Request("m", (user("hi"),)), lambda _: None)
        ids += [call.id for call in got.message.tool_calls]
    assert len(set(ids)) == 4
    assert all(ids)


@pytest.mark.parametrize("raw", ['{"path": ', "[1]", '"text"', "nonsense"])
async def test_arguments_that_are_no_object_mark_the_call_invalid(raw: str) -> None:
    got = await reply([ToolCallDelta(0, "a", "read", raw), END])
    assert got.message.tool_calls == (ToolCall("a", "read", {}, invalid=raw),)


async def test_a_call_that_the_output_limit_cut_off_is_invalid() -> None:
    got = await reply(
        [
            ToolCallDelta(0, "a", "read", '{"path": "a"}'),
            ToolCallDelta(1, "b", "read", '{"path": "b"}'),
            ReplyFinished(StopReason.MAX_TOKENS),
        ]
    )
    assert [bool(call.invalid) for call in got.message.tool_calls] == [False, True]


async def test_a_stream_that_ends_unfinished_is_an_error_that_keeps_the_text() -> None:
    with pytest.raises(BadReply, match="before it was finished") as failure:
        await reply([TextDelta("Hal")])
    assert failure.value.partial == "Hal"


async def test_a_failing_stream_is_closed_and_its_text_kept() -> None:
    provider = Deltas(
        [TextDelta("a"), ThinkingDelta("b"), TextDelta("c"), ProviderUnavailable("x")]
    )
    with pytest.raises(ProviderUnavailable) as failure:
        await ChatCoordinator().reply(provider, Request("m", ()), lambda _: None)
    assert failure.value.partial == "ac"
    assert provider.closed == 1


async def test_an_empty_answer_is_asked_for_once_more() -> None:
    assert (await reply([END], [TextDelta("now"), END])).message.text == "now"
    with pytest.raises(BadReply, match="neither text nor a tool call"):
        await reply([END], [END])


async def test_a_refusal_without_words_is_no_success() -> None:
    with pytest.raises(ProviderError, match="refusal"):
        await reply([ReplyFinished(StopReason.REFUSAL)])


async def test_what_is_no_delta_is_refused() -> None:
    with pytest.raises(BadReply, match="streamed str"):
        await reply(["garbage", END])  # type: ignore[list-item]  # a broken provider
