from __future__ import annotations

from typing import Any

import pytest

from victor.errors import BadReply
from victor.events import TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    Message,
    Request,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
    assistant,
    tool_results,
    user,
)
from victor.providers.anthropic_wire import REDACTED, ReplyReader, encode_request
from victor.providers.errors import CallSite

SITE = CallSite("anthropic", "m", "http://127.0.0.1:1")


def sent(*messages: Message, model: str = "claude-sonnet-5-5", **fields: Any) -> dict[str, Any]:
    return encode_request(Request(model, messages, **fields), 100)


def read(*events: Any) -> list[Any]:
    reader = ReplyReader(SITE)
    return [delta for event in events for delta in reader.read(event)]


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def test_ids_of_other_vendors_are_brought_into_the_alphabet_and_stay_apart() -> None:
    calls = [ToolCall("functions.read:0", "read", {}), ToolCall("functions_read_0", "read", {})]
    results = [ToolResult(call.id, "x") for call in calls]
    messages = sent(user("Hi"), assistant("", *calls), tool_results(*results))["messages"]
    call_ids = [block["id"] for block in messages[1]["content"]]
    assert call_ids == ["functions_read_0", "functions_read_0_2"]
    assert [block["tool_use_id"] for block in messages[2]["content"]] == call_ids


def test_an_empty_turn_is_not_sent_as_one() -> None:
    messages = sent(user("  "), Message(Role.ASSISTANT, (Text(""),)), user("Hi"))["messages"]
    assert [message["role"] for message in messages] == ["user"]
    assert [block["text"] for block in messages[0]["content"]] == ["(empty)", "Hi"]


def test_an_empty_result_is_sent_without_content() -> None:
    messages = sent(assistant("", ToolCall("a", "f", {})), tool_results(ToolResult("a", "")))
    assert "content" not in messages["messages"][1]["content"][0]


def test_reasoning_goes_back_only_with_its_proof_and_to_its_own_vendor() -> None:
    parts = (
        Thinking("mine", "proof", "anthropic"),
        Thinking("", REDACTED + "opaque", "anthropic"),
        Thinking("unsigned", "", "anthropic"),
        Thinking("foreign", "proof", "openai"),
        Text("So."),
    )
    (message,) = sent(Message(Role.ASSISTANT, parts))["messages"]
    assert message["content"] == [
        {"type": "thinking", "thinking": "mine", "signature": "proof"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "So."},
    ]


def test_at_most_four_cache_breakpoints_are_set_however_long_the_conversation() -> None:
    turns = [message for n in range(10) for message in (user(f"q{n}"), assistant(f"a{n}"))]
    body = sent(*turns, user("last"), system="S")
    marked = [
        message["content"][-1]["text"]
        for message in body["messages"]
        if "cache_control" in message["content"][-1]
    ]
    assert marked == ["q9", "last"]
    assert "cache_control" in body["system"][0]


@pytest.mark.parametrize(
    ("model", "choice", "said"),
    [
        ("claude-sonnet-4-5", ToolChoice.REQUIRED, "any"),
        ("claude-sonnet-5-5", ToolChoice.REQUIRED, "auto"),
        ("claude-sonnet-5-5", ToolChoice.NONE, "none"),
    ],
)
def test_a_call_is_forced_only_where_the_model_accepts_it(
    model: str, choice: ToolChoice, said: str, make_tool: Any
) -> None:
    body = sent(user("Hi"), model=model, tools=(make_tool("f"),), tool_choice=choice)
    assert body["tool_choice"] == {"type": said}


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        (
            "claude-opus-5-5",
            {
                "type": "adaptive",
                "display": "summarized",
                "block_binding": {"prefix_mismatch_behavior": "drop_block"},
            },
        ),
        ("claude-opus-5", {"type": "adaptive", "display": "summarized"}),
        ("claude-opus-4-5", None),
        ("claude-haiku-4-5-20251001", None),
        ("somebody-elses", None),
    ],
)
def test_reasoning_is_asked_for_as_the_model_knows_it(model: str, thinking: Any) -> None:
    assert sent(user("Hi"), model=model).get("thinking") == thinking


def test_what_comes_with_a_blocks_start_is_not_lost() -> None:
    assert read(
        start(0, type="thinking", thinking="Hm"),
        start(1, type="redacted_thinking", data="opaque"),
        start(2, type="text", text="Hi"),
        start(3, type="tool_use", id="a", name="f", input={"x": 1}),
        {"type": "content_block_stop", "index": 3},
    ) == [
        ThinkingDelta("Hm"),
        ThinkingDelta("", REDACTED + "opaque"),
        TextDelta("Hi"),
        ToolCallDelta(0, "a", "f"),
        ToolCallDelta(0, arguments='{"x": 1}'),
    ]


def test_streamed_arguments_win_over_those_of_the_start() -> None:
    assert read(
        start(0, type="tool_use", id="a", name="f", input={"x": 0}),
        delta(0, "input_json_delta", partial_json='{"x":1}'),
        {"type": "content_block_stop", "index": 0},
    ) == [ToolCallDelta(0, "a", "f"), ToolCallDelta(0, arguments='{"x":1}')]


def test_what_is_not_known_is_passed_over() -> None:
    assert (
        read(
            {"type": "something_new"},
            start(0, type="server_tool_use", id="s", name="web_search", input={}),
            delta(0, "input_json_delta", partial_json="{}"),
            delta(1, "citations_delta", citation={}),
            {"type": "content_block_stop", "index": 0},
        )
        == []
    )


def test_usage_is_cumulative_and_a_null_is_no_news() -> None:
    reader = ReplyReader(SITE)
    first = {"input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 1}
    last = {
        "input_tokens": None,
        "output_tokens": 9,
        "cache_creation_input_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 4},
    }
    for event in (
        {"type": "message_start", "message": {"model": "m-1", "usage": first}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last},
        {"type": "message_stop"},
    ):
        assert list(reader.read(event)) == []
    assert reader.finished
    assert reader.result().usage == Usage(28, 9, cache_read=20, cache_write=3, reasoning=4)
    assert reader.result().model == "m-1"


@pytest.mark.parametrize("event", ["text", None, {"type": "message_delta"}])
def test_what_is_no_event_is_a_bad_reply(event: Any) -> None:
    with pytest.raises(BadReply, match="against the protocol"):
        read(event)
