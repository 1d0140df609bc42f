"""One exchange with the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from victor.agent.coordinators.chat_coordinator import ChatCoordinator
from victor.errors import BadReply, ContextExceeded, ProviderError, ProviderUnavailable
from victor.events import (
    Event,
    ModelCallRetried,
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
        self.requests: list[Request] = []

    async def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        self.requests.append(request)
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


BUSY = ProviderUnavailable("busy")


class Retries:
    """Waits a second after each failure that may pass."""

    def wait(self, failure: ProviderError, attempt: int, left: float) -> float:
        if not failure.retryable or left < 1:
            raise failure
        return 1.0


async def with_retries(
    *streams: list[ReplyDelta | Exception], tries: int = 4
) -> tuple[Reply | ProviderError, list[Event], list[float], list[Request]]:
    waits: list[float] = []
    heard: list[Event] = []
    provider = Deltas(*streams)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    chat = ChatCoordinator(retries_of=lambda _: Retries(), sleep=sleep)
    chat.configure({"max_retries": tries - 1, "model_call_timeout": 60.0})
    try:
        got = await chat.reply(provider, Request("m", (user("hi"),)), heard.append)
    except ProviderError as failure:
        return failure, heard, waits, provider.requests
    return got, heard, waits, provider.requests


async def test_a_failed_call_is_made_again_and_told() -> None:
    got, heard, waits, _ = await with_retries([BUSY], [BUSY], [TextDelta("ok"), END])
    assert isinstance(got, Reply)
    assert waits == [1.0, 1.0]
    told = [event for event in heard if isinstance(event, ModelCallRetried)]
    assert [(event.attempt, event.wait_seconds) for event in told] == [(1, 1.0), (2, 1.0)]
    failure, _, waits, requests = await with_retries([BUSY], [BUSY], tries=2)
    assert failure is BUSY
    assert (len(waits), len(requests)) == (1, 2)


async def test_an_answer_that_broke_off_is_gone_on_with_and_joined() -> None:
    thinking = ThinkingDelta("hm", "signed")
    got, _, _, requests = await with_retries(
        [TextDelta("One, "), BUSY],
        [BUSY],
        [TextDelta("two, "), BUSY],
        [thinking, TextDelta("three."), END],
    )
    assert isinstance(got, Reply)
    assert got.message.text == "One, two, three."
    assert isinstance(got.message.parts[0], Thinking)
    assert [len(request.messages) for request in requests] == [1, 3, 3, 3]
    assert [request.messages[1].text for request in requests[1:]] == [
        "One, ",
        "One, ",
        "One, two, ",
    ]


async def test_an_answer_is_gone_on_with_twice_at_most() -> None:
    broken: list[ReplyDelta | Exception] = [TextDelta("a"), BadReply("cut")]
    failure, _, _, requests = await with_retries(broken, broken, broken, tries=9)
    assert isinstance(failure, BadReply)
    assert failure.partial == "aaa"
    assert len(requests) == 3


async def test_nothing_left_to_say_ends_an_answer_that_broke_off() -> None:
    got, *_ = await with_retries([TextDelta("All."), BUSY], [END])
    assert isinstance(got, Reply)
    assert got.message.parts == (Text("All."),)


async def test_what_an_empty_answer_took_is_counted() -> None:
    got, *_ = await with_retries([END], [TextDelta("ok"), END])
    assert isinstance(got, Reply)
    assert got.usage == Usage(6, 8)


async def test_the_time_for_all_tries_is_limited() -> None:
    chat = ChatCoordinator()
    chat.configure({"model_call_timeout": 0.01})

    class Hanging(Deltas):
        async def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
            yield TextDelta("Hal")
            await asyncio.Event().wait()

    with pytest.raises(ProviderUnavailable, match=r"within 0\.01 s") as failure:
        await chat.reply(Hanging(), Request("m", ()), lambda _: None)
    assert failure.value.partial == "Hal"


@pytest.mark.parametrize(
    "reason", [StopReason.MAX_TOKENS, StopReason.CONTENT_FILTER, StopReason.PAUSE]
)
async def test_an_end_without_an_answer_says_which(reason: StopReason) -> None:
    with pytest.raises(ProviderError, match=reason.value):
        await reply([ThinkingDelta("hm"), ReplyFinished(reason)])


async def test_a_full_window_without_an_answer_is_a_context_that_is_too_long() -> None:
    with pytest.raises(ContextExceeded):
        await reply([ReplyFinished(StopReason.CONTEXT_EXCEEDED)])


@pytest.mark.parametrize("reason", [StopReason.REFUSAL, StopReason.CONTENT_FILTER])
async def test_the_calls_of_a_refused_answer_are_not_meant(reason: StopReason) -> None:
    got = await reply([TextDelta("No."), ToolCallDelta(0, "a", "read"), ReplyFinished(reason)])
    assert (got.message.tool_calls, got.stop_reason) == ((), reason)


async def test_whether_there_are_calls_decides_over_the_stop_reason() -> None:
    got = await reply([TextDelta("Done."), ReplyFinished(StopReason.TOOL_USE)])
    assert got.stop_reason is StopReason.END
    got = await reply([ToolCallDelta(0, "a", "read"), END])
    assert got.stop_reason is StopReason.TOOL_USE


async def test_only_a_third_reply_of_broken_calls_in_a_row_is_an_error() -> None:
    chat = ChatCoordinator()
    broken: list[ReplyDelta | Exception] = [ToolCallDelta(0, "a", "read", "{"), END]
    right: list[ReplyDelta | Exception] = [ToolCallDelta(0, "a", "read", "{}"), END]
    provider = Deltas(broken, broken, right, broken, broken, broken)
    ask = Request("m", (user("hi"),))
    for _ in range(5):
        await chat.reply(provider, ask, lambda _: None)
    with pytest.raises(BadReply, match="3 times in a row") as failure:
        await chat.reply(provider, ask, lambda _: None)
    assert not failure.value.retryable


@pytest.mark.parametrize(
    "raw", ['{"a": 1, "a": 2}', '{"a": NaN}', "[" * 100_000, '{"a": "\\ud800"}']
)
async def test_arguments_that_readers_understand_differently_are_invalid(raw: str) -> None:
    got = await reply([ToolCallDelta(0, "a", "read", raw), END])
    assert got.message.tool_calls[0].invalid == raw


async def test_halves_of_characters_do_not_get_through() -> None:
    heard: list[Event] = []
    call = ToolCallDelta(0, "\ud800", "\ud800", "\ud800")
    got = await reply([TextDelta("a\ud800"), ThinkingDelta("\ud800"), call, END], heard=heard)
    assert heard[0] == TextDelta("a?")
    assert "ud800" not in repr(got.message)
