from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor.visible import one_line, readable, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm -rf /\x1b[2K\rls", "rm -rf /␛[2K␍ls"),
        ("a\u202eb", "a<U+202E>b"),
        ("a\u200bb", "a<U+200B>b"),
        ("a\x7f", "a␡"),
        ("\x9b31m", "<U+009B>31m"),
        ("\ud800", "<U+D800>"),
        ("tab\tand\nline stay", "tab\tand\nline stay"),
        ("Grüße, 世界 👍", "Grüße, 世界 👍"),
    ],
)
def test_control_and_invisible_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_that_could_steer_a_terminal_survives(text: str) -> None:
    for shown in (visible(text), readable(text), one_line(text)):
        assert "\x1b" not in shown
        assert "\r" not in shown
        assert "\u202e" not in shown
        shown.encode("utf-8")


def test_prose_keeps_joined_emoji_and_loses_carriage_returns() -> None:
    assert readable("👩\u200d💻\r\nnext") == "👩\u200d💻\nnext"
    assert "U+200D" in visible("👩\u200d💻")


def test_one_line_is_one_line_of_bounded_length() -> None:
    assert one_line("a\n  b\t c") == "a b c"
    assert one_line("x" * 500, 10) == "x" * 9 + "…"
