"""The Markdown of a session, and a session without secrets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from victor.messages import Message, Role, Text, Thinking, ToolCall, ToolResult, assistant, user
from victor.protocols import Record, SessionInfo
from victor.testing.scrub import Scrubber
from victor.transcript import as_markdown, without_secrets
from victor.transcript.words import cost, duration

KEY = "sk-ant-api03-" + "a1b2c3d4" * 4


def test_every_turn_is_a_chapter(info: SessionInfo, records: tuple[Record, ...]) -> None:
    page = as_markdown(info, records)
    assert page.startswith("# Why does test\\_totals fail?\n\n- **Session:** 5e55\n")
    assert "\n## Turn 1\n\n> Please fix it.\n" in page
    assert "\n## Turn 2\n" in page
    assert "**edit** src/totals.py" in page
    assert "<details><summary>edit failed</summary>" in page
    assert "*(a picture, image/png)*" in page
    assert "*(a document, plan.pdf)*" in page
    assert "*The context was compacted to 1 message.*" in page
    assert "a workflow's call gave" in page
    assert "*Failed: It broke." in page
    assert "<sub>claude-sonnet-4-6 · 1,200 in, 34 out · $0.0125 · 75 s</sub>" in page
    assert "\u202e" not in page


def test_what_a_tool_gave_cannot_end_its_own_block(info: SessionInfo) -> None:
    call = ToolCall("c", "read", {"path": "a"})
    records = (
        Record("user", "s-1", user("two\nlines")),
        Record("reply", "s-1", assistant("", call), calls=(call,)),
        Record("result", "s-1", result=ToolResult("c", "a\n````\n# not a heading\n````")),
    )
    page = as_markdown(info, records)
    assert "\n`````\na\n````\n# not a heading\n````\n`````\n" in page
    assert "> two\n> lines\n" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "$0.0125"),
        ({"unpriced_turns": 1}, "$0.0125, without 1 turn of unknown price"),
        ({"unpriced_turns": 1200}, "$0.0125, without 1,200 turns of unknown price"),
        ({"unpriced_turns": 2, "cost_usd": 0.0}, "unknown"),
        ({"cost_usd": 0.0}, "$0.0000"),
    ],
)
def test_what_is_known_of_the_cost_is_said(
    info: SessionInfo, changes: dict[str, float], said: str
) -> None:
    assert cost(replace(info, **changes)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (61, "61 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_times_are_for_people(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_secrets_are_cut_out_wherever_they_stand(info: SessionInfo) -> None:
    call = ToolCall("c", "shell", {"command": f"curl -H {KEY}"}, invalid=KEY)
    said = Message(Role.ASSISTANT, (Thinking(KEY), Text(f"It is {KEY}."), call))
    records = (
        Record("user", "s-1", user("my own secret")),
        Record("reply", "s-1", said, calls=(call,)),
        Record("result", "s-1", result=ToolResult("c", f"API_KEY={KEY}", vouched=(KEY,))),
        Record("compacted", "s-1", context=(user(KEY),)),
        Record("failed", "s-1", data={"error": KEY, "input_tokens": 3}),
    )
    info, cleaned = without_secrets(replace(info, title=KEY), records, Scrubber(["my own secret"]))
    assert KEY not in repr((info, cleaned))
    assert "my own secret" not in repr(cleaned)
    assert cleaned[4].data["input_tokens"] == 3
    assert without_secrets(info, cleaned, Scrubber()) == (info, cleaned)
