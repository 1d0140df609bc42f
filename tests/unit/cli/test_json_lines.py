from __future__ import annotations

import io
import json
import re
from dataclasses import fields
from typing import Any, get_args

import pytest

from victor import events
from victor.cli.json_lines import JsonLines, plain, secrets_of, snake_case
from victor.errors import RateLimitError
from victor.messages import (
    Effect,
    Image,
    Message,
    Reply,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)


def written(*happened: Any, secrets: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    stream = io.StringIO()
    lines = JsonLines(stream, secrets=secrets)
    for event in happened:
        lines.event(event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_text_delta_is_one_line_with_its_name_and_fields() -> None:
    assert written(events.TextDelta("two\nlines")) == [
        {"event": "text_delta", "content": "two\nlines"}
    ]


def test_nested_values_keep_their_fields_and_parts_say_their_type() -> None:
    message = Message(
        Role.ASSISTANT,
        (
            Text("a"),
            Thinking("b"),
            Image(b"123", "image/png"),
            ToolCall("1", "read", {"path": "x"}),
        ),
    )
    [line] = written(events.ReplyReceived("t", 1, Reply(message, StopReason.TOOL_USE), 0.5))
    assert line["reply"]["stop_reason"] == "tool_use"
    parts = line["reply"]["message"]["parts"]
    assert [part["type"] for part in parts] == ["text", "thinking", "image", "tool_call"]
    assert parts[2]["data"] == {"bytes": 3}
    assert parts[3]["arguments"] == {"path": "x"}


def test_a_known_secret_is_blanked_wherever_it_stands() -> None:
    result = ToolResult("1", 'key is sk-"quoted"-secret!')
    ended = events.ToolCallEnded(ToolCall("1", "read", {}), result, 0.1)
    [line] = written(ended, secrets=('sk-"quoted"-secret',))
    assert line["result"]["content"] == "key is [secret]!"


def test_secrets_are_found_by_the_names_of_their_variables() -> None:
    environment = {
        "ANTHROPIC_API_KEY": "sk-ant-0123456789",
        "GH_TOKEN": "ghp_abcdefgh",
        "DB_PASSWORD": "short",
        "PATH": "/usr/bin:/usr/local/bin",
    }
    assert secrets_of(environment) == ("sk-ant-0123456789", "ghp_abcdefgh")


def test_every_event_has_a_name_of_its_own_in_snake_case() -> None:
    names = [snake_case(kind.__name__) for kind in get_args(events.Event)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


def test_no_event_has_a_field_that_would_hide_its_name() -> None:
    for kind in get_args(events.Event):
        assert "event" not in {field.name for field in fields(kind)}


def test_an_error_says_its_type_remedy_and_exit_code() -> None:
    stream = io.StringIO()
    JsonLines(stream, secrets=()).error(RateLimitError("Too fast.", hint="Wait."), 75)
    assert json.loads(stream.getvalue()) == {
        "event": "error",
        "error_type": "RateLimitError",
        "message": "Too fast.",
        "hint": "Wait.",
        "retryable": True,
        "exit_code": 75,
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Effect.READ_ONLY, "read_only"),
        ({"a": (1, 2.5, None, True)}, {"a": [1, 2.5, None, True]}),
        (frozenset({"x"}), ["x"]),
        (object, "<class 'object'>"),
    ],
)
def test_anything_becomes_what_json_has(value: Any, shown: Any) -> None:
    assert plain(value) == shown
    json.dumps(plain(value))
