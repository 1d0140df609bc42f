from __future__ import annotations

from typing import Any

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
    assert body["messages"] == [{"role": "assistant", "content": "Hi", "reasoning_content": ""}]


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


@pytest.mark.parametrize("model", ["gpt-5.4-mini", "gpt-5.6-sol", "gpt-6-sol", "gpt-6.1-terra"])
def test_tools_come_with_the_effort_that_openai_takes_them_with(model: str, make_tool: Any) -> None:
    request = Request(model, (user("Hi"),), tools=(make_tool("f"),), temperature=0.5)
    body = encode_request(request, PRESETS["openai"])
    assert body["reasoning_effort"] == "none"
    assert body["temperature"] == 0.5
    assert "reasoning_effort" not in encode_request(request, PRESETS["vllm"])


@pytest.mark.parametrize("model", ["gpt-6.2-sol", "gpt-6.2-astra", "gpt-6.1-sol", "gpt-6-astra"])
def test_a_model_that_cannot_stop_reasoning_is_not_told_to(model: str, make_tool: Any) -> None:
    request = Request(model, (user("Hi"),), tools=(make_tool("f"),))
    assert "reasoning_effort" not in encode_request(request, PRESETS["openai"])


def test_nothing_is_said_of_what_was_not_asked_for() -> None:
    body = encode_request(Request("gpt-6.1-terra", (user("Hi"),)), PRESETS["openai"])
    assert set(body) == {"model", "messages", "stream", "stream_options"}
