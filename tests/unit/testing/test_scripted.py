from __future__ import annotations

import asyncio

import pytest

from victor.errors import ProviderError, ProviderUnavailable
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    Message,
    Reply,
    Request,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
    assistant,
    user,
)
from victor.protocols import IProvider
from victor.testing import ScriptedProvider, call, chunks

pytestmark = pytest.mark.anyio

REQUEST = Request("m", (user("Hi"),))


async def streamed(provider: IProvider, request: Request = REQUEST) -> list[ReplyDelta]:
    return [delta async for delta in provider.stream(request)]


async def test_replies_come_in_the_order_of_the_script() -> None:
    provider = ScriptedProvider("one", "two")
    assert (await streamed(provider))[0] == TextDelta("one")
    assert provider.remaining == 1
    assert (await streamed(provider))[0] == TextDelta("two")
    assert provider.remaining == 0


async def test_every_request_is_recorded() -> None:
    provider = ScriptedProvider("a", "b")
    await streamed(provider)
    other = Request("other", (user("Bye"),), system="Be brief.")
    await streamed(provider, other)
    assert provider.requests == [REQUEST, other]


async def test_requests_are_not_kept_when_recording_is_off() -> None:
    provider = ScriptedProvider("a", recording=False)
    await streamed(provider)
    assert provider.requests == []


async def test_a_tool_call_arrives_as_a_delta_and_stops_for_tool_use() -> None:
    provider = ScriptedProvider([call("read", call_id="c1", path="a"), call("list", call_id="c2")])
    assert await streamed(provider) == [
        ToolCallDelta(0, "c1", "read", '{"path": "a"}'),
        ToolCallDelta(1, "c2", "list", "{}"),
        ReplyFinished(StopReason.TOOL_USE, Usage(10, 5)),
    ]


async def test_a_single_call_needs_no_list() -> None:
    deltas = await streamed(ScriptedProvider(call("read", call_id="c1")))
    assert deltas[0] == ToolCallDelta(0, "c1", "read", "{}")


async def test_a_message_is_streamed_part_by_part() -> None:
    message = Message(
        Role.ASSISTANT, (Thinking("Hm", "sig"), Text("Yes"), ToolCall("c1", "read", {"a": 1}))
    )
    assert await streamed(ScriptedProvider(message)) == [
        ThinkingDelta("Hm", "sig"),
        TextDelta("Yes"),
        ToolCallDelta(0, "c1", "read", '{"a": 1}'),
        ReplyFinished(StopReason.TOOL_USE, Usage(10, 5)),
    ]


async def test_a_reply_keeps_its_own_stop_reason_and_usage() -> None:
    reply = Reply(assistant("Cut"), StopReason.MAX_TOKENS, Usage(7, 8), model="real-name")
    assert (await streamed(ScriptedProvider(reply)))[-1] == ReplyFinished(
        StopReason.MAX_TOKENS, Usage(7, 8), "real-name"
    )


async def test_raw_arguments_of_an_invalid_call_are_passed_on() -> None:
    deltas = await streamed(ScriptedProvider([ToolCall("c", "read", {}, invalid='{"path": ')]))
    assert deltas[0] == ToolCallDelta(0, "c", "read", '{"path": ')


async def test_text_arrives_in_the_chunks_it_was_written_in() -> None:
    deltas = await streamed(ScriptedProvider(chunks("Hel", "lo")))
    assert deltas[:2] == [TextDelta("Hel"), TextDelta("lo")]
    assert isinstance(deltas[2], ReplyFinished)


async def test_an_exception_is_raised_after_the_deltas_before_it() -> None:
    provider = ScriptedProvider([TextDelta("Once"), ProviderUnavailable("gone"), TextDelta("no")])
    stream = provider.stream(REQUEST)
    assert await anext(stream) == TextDelta("Once")
    with pytest.raises(ProviderUnavailable, match="gone"):
        await anext(stream)


async def test_deltas_that_end_with_their_own_finish_get_no_second_one() -> None:
    finish = ReplyFinished(StopReason.REFUSAL)
    assert await streamed(ScriptedProvider([TextDelta("No"), finish])) == [TextDelta("No"), finish]


async def test_a_function_sees_the_request_and_may_be_a_coroutine() -> None:
    async def late(request: Request) -> str:
        await asyncio.sleep(0)
        return request.model.upper()

    provider = ScriptedProvider(lambda request: f"You said {request.messages[-1].text}", late)
    assert (await streamed(provider))[0] == TextDelta("You said Hi")
    assert (await streamed(provider))[0] == TextDelta("M")


async def test_a_script_that_is_used_up_says_so() -> None:
    provider = ScriptedProvider("one")
    await streamed(provider)
    with pytest.raises(ProviderError, match=r"model call 2, and it has 1 replies.*repeat=True"):
        await streamed(provider)


async def test_an_empty_script_cannot_be_repeated() -> None:
    with pytest.raises(ProviderError, match="0 replies"):
        await streamed(ScriptedProvider(repeat=True))


async def test_the_last_reply_is_repeated_on_request_with_fresh_call_ids() -> None:
    provider = ScriptedProvider(
        [ToolCallDelta(0, "c1", "read", "{"), ToolCallDelta(0, "", "", "}"), TextDelta("x")],
        repeat=True,
    )
    ids = [(await streamed(provider))[0].id for _ in range(3)]
    assert len(set(ids)) == 3
    assert ids[0] == "c1"


async def test_a_text_is_repeated_as_it_is() -> None:
    provider = ScriptedProvider(lambda _: "x", "same", repeat=True)
    replies = [await streamed(provider) for _ in range(3)]
    assert replies[1] == replies[2]


async def test_two_calls_have_different_ids() -> None:
    assert call("read").id != call("read").id


async def test_a_message_that_no_model_would_send_is_refused() -> None:
    with pytest.raises(TypeError, match="ToolResult"):
        ScriptedProvider(Message(Role.TOOL, (ToolResult("c", "x"),)))


async def test_its_model_is_known_and_large_and_free() -> None:
    info = ScriptedProvider(context_window=500).model_info("any")
    assert (info.name, info.context_window, info.input_price) == ("any", 500, 0.0)


async def test_it_notes_being_closed() -> None:
    provider = ScriptedProvider()
    assert isinstance(provider, IProvider)
    await provider.aclose()
    assert provider.closed
