from __future__ import annotations

import io

import click
import pytest

from victor.cli.prompt_text import MAX_BYTES, message_of


def message(*words: str, stdin: bytes = b"", terminal: bool = False) -> str | None:
    return message_of(words, io.BytesIO(stdin), stdin_is_terminal=terminal)


def test_words_become_one_message_without_a_look_at_stdin() -> None:
    assert message("fix", "the tests", stdin=b"ignored") == "fix the tests"


def test_piped_text_is_the_message_where_there_are_no_words() -> None:
    assert message(stdin=b"from a pipe\n") == "from a pipe"


def test_a_dash_stands_for_the_piped_text() -> None:
    assert message("Review:", "-", stdin=b"diff\n") == "Review: \ndiff"


def test_a_terminal_and_no_words_mean_a_conversation() -> None:
    assert message(terminal=True) is None


@pytest.mark.parametrize(
    ("words", "stdin", "terminal", "told"),
    [
        ((), b"", False, "empty"),
        (("  ",), b"", True, "empty"),
        (("-",), b"", True, "stdin is a terminal"),
        ((), b"\xff\xfe", False, "not UTF-8"),
        ((), b"a\0b", False, "NUL"),
        ((), b"x" * 10_000_000, False, f"{MAX_BYTES:,} bytes"),
        (("é" * (MAX_BYTES // 2 + 1),), b"", True, f"{MAX_BYTES:,} bytes"),
    ],
)
def test_what_cannot_be_a_message_is_a_usage_error(
    words: tuple[str, ...], stdin: bytes, terminal: bool, told: str
) -> None:
    with pytest.raises(click.UsageError, match=told):
        message(*words, stdin=stdin, terminal=terminal)
