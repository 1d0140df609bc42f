from __future__ import annotations

import pytest

from victor.cli.tool_lines import duration, main_argument, summary
from victor.messages import ToolCall, ToolResult


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"limit": 3, "path": "src/a.py"}, "src/a.py"),
        ({"path": ".", "pattern": "x", "command": "make test"}, "make test"),
        ({"thing": "else"}, "else"),
        ({"count": 3}, ""),
        ({"command": "a\nb\x1b[0m"}, "a b␛[0m"),
    ],
)
def test_the_argument_that_says_most_is_shown(arguments: dict[str, object], told: str) -> None:
    assert main_argument(ToolCall("1", "x", arguments)) == told


def test_broken_arguments_are_shown_as_they_came() -> None:
    assert main_argument(ToolCall("1", "x", {}, invalid='{"path": ')) == '{"path":'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "no output"),
        ("\n\nonly", "only"),
        ("first\nsecond\n\nthird\n", "first (+2 lines)"),
    ],
)
def test_a_result_is_told_in_one_line(content: str, told: str) -> None:
    assert summary(ToolResult("1", content)) == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.3, "12 s"), (200, "3 min 20 s")]
)
def test_times_are_told_for_people(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[exit code 1]", "[exit code 1]"),
        ("ok\n[exit code 0]", "ok"),
        ("a\nb\nFAILED\n[exit code 1]", "FAILED (+2 lines before) [exit code 1]"),
        ("a\nstill running", "still running (+1 line before)"),
    ],
)
def test_of_a_command_the_last_words_are_told(content: str, told: str) -> None:
    assert summary(ToolResult("1", content), command=True) == told
