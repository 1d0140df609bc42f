from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any

import pytest

from victor.messages import ToolCall, Usage
from victor.testing.loopback import (
    AnthropicLoopback,
    LoopbackError,
    LoopbackReply,
    OpenAILoopback,
)

REPLY = LoopbackReply(
    "Hello", (ToolCall("a", "read", {"x": 1}),), thinking="Hm", usage=Usage(9, 4, cache_read=2)
)


def post(server: Any, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Return the status and JSON of a POST, or of a GET without a body."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
    connection.request(method, path, content)
    response = connection.getresponse()
    status, text = response.status, response.read()
    connection.close()
    return status, json.loads(text)


def test_anthropics_server_answers_in_whole_where_no_stream_is_asked_for() -> None:
    with AnthropicLoopback([REPLY]) as server:
        status, message = post(server, "/v1/messages", {"model": "m"})
    assert status == 200
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
    assert message["content"][2]["input"] == {"x": 1}
    assert message["stop_reason"] == "tool_use"
    assert message["usage"]["input_tokens"] == 7
    assert message["model"] == "m"


def test_openais_server_answers_in_whole_where_no_stream_is_asked_for() -> None:
    with OpenAILoopback([REPLY]) as server:
        status, completion = post(server, "/v1/chat/completions", {"model": "m"})
    assert status == 200
    (choice,) = completion["choices"]
    assert choice["message"]["content"] == "Hello"
    assert choice["message"]["reasoning_content"] == "Hm"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"x": 1}'
    assert choice["finish_reason"] == "tool_calls"
    assert completion["usage"]["total_tokens"] == 13


def test_every_request_and_its_headers_are_kept() -> None:
    with AnthropicLoopback(otherwise="ok") as server:
        for number in range(2):
            post(server, "/v1/messages", {"model": "m", "number": number})
    assert [request["number"] for request in server.requests] == [0, 1]
    assert all("content-length" in headers for headers in server.headers)
    assert server.connections == 2


def test_a_script_may_answer_by_the_request_and_be_added_to() -> None:
    with AnthropicLoopback() as server:
        server.add(lambda request: request["model"], LoopbackError(503, "away"))
        assert post(server, "/v1/messages", {"model": "me"})[1]["content"][0]["text"] == "me"
        status, error = post(server, "/v1/messages", {"model": "me"})
    assert status == 503
    assert error["error"]["message"] == "away"


@pytest.mark.parametrize("kind", [AnthropicLoopback, OpenAILoopback])
def test_a_script_that_is_over_says_so(kind: Any) -> None:
    with kind(["once"]) as server:
        post(server, kind.prefix + kind.path, {})
        status, error = post(server, kind.prefix + kind.path, {})
    assert status == 400
    assert "script is over" in error["error"]["message"]


def test_another_address_is_not_found() -> None:
    with AnthropicLoopback(["unused"]) as server:
        assert post(server, "/v1/elsewhere", {})[0] == 404
        assert post(server, "/v1/messages")[0] == 404
    assert server.requests == []


def test_a_server_may_be_started_again() -> None:
    server = AnthropicLoopback(otherwise="ok")
    for _ in range(2):
        with server:
            assert post(server, "/v1/messages", {})[0] == 200
    assert len(server.requests) == 2
