from __future__ import annotations

import pytest

from victor.messages import Message, Request, Role, Text, Thinking, ToolCall, assistant, user
from victor.providers.openai_wire import encode_request
from victor.providers.presets import PRESETS, preset_for


def test_a_turn_of_nothing_but_reasoning_is_not_sent() -> None:
    thought = Message(Role.ASSISTANT, (Thinking("Hm", "", "deepseek"),))
    body = encode_request(Request("m", (user("Hi"), thought)), PRESETS["deepseek"])
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_a_call_without_words_has_no_content() -> None:
    message = assistant("", ToolCall("a", "f", {"ü": 1}))
    body = encode_request(Request("m", (message,)), PRESETS["openai"])
    (encoded,) = body["messages"]
    assert encoded["content"] is None
    assert encoded["tool_calls"][0]["function"]["arguments"] == '{"ü":1}'


def test_reasoning_of_another_server_does_not_go_back() -> None:
    message = Message(Role.ASSISTANT, (Thinking("Hm", "", "anthropic"), Text("Hi")))
    body = encode_request(Request("m", (message,)), PRESETS["deepseek"])
    assert body["messages"] == [{"role": "assistant", "content": "Hi"}]


@pytest.mark.parametrize(
    ("name", "base_url", "key"),
    [
        ("openai", None, "max_completion_tokens"),
        ("openai", "http://127.0.0.1:1/v1", "max_tokens"),
        ("groq", None, "max_completion_tokens"),
        ("ollama", None, "max_tokens"),
    ],
)
def test_the_output_limit_has_each_servers_own_name(
    name: str, base_url: str | None, key: str
) -> None:
    request = Request("m", (user("Hi"),), max_tokens=7)
    assert encode_request(request, preset_for(name, base_url))[key] == 7


def test_nothing_is_said_of_what_was_not_asked_for() -> None:
    body = encode_request(Request("gpt-6.1-terra", (user("Hi"),)), PRESETS["openai"])
    assert set(body) == {"model", "messages", "stream", "stream_options"}
