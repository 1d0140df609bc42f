"""The message of a turn that runs without a conversation: from arguments, from a pipe, or both."""

from __future__ import annotations

from typing import BinaryIO

import click

MAX_BYTES = 1_000_000
"""Of one message: about 250,000 tokens, more than most models can read at once."""


def too_large() -> click.UsageError:
    """Return the error for a message beyond `MAX_BYTES`."""
    return click.UsageError(
        f"The prompt is larger than {MAX_BYTES:,} bytes, the most that one message may have. "
        "Put the text into a file in the workspace and ask about the file."
    )


def checked(text: str) -> str:
    """Return `text`. Raises `click.UsageError` where it is too large to be one message."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_large()
    return text


def piped(stream: BinaryIO) -> str:
    """Return all of `stream` as text, without newlines around it. Raises `click.UsageError`."""
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise too_large()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"The piped text is not UTF-8 (byte {error.start}). "
            "Name the file in the prompt instead of piping it."
        ) from error
    if "\0" in text:
        raise click.UsageError("The piped text holds NUL bytes: it is not text.")
    return text.strip("\r\n")


def message_of(words: tuple[str, ...], stdin: BinaryIO, *, stdin_is_terminal: bool) -> str | None:
    """Return the message to run one turn with; None where a conversation is wanted.

    `words` are joined by blanks; a word `-` stands for what stdin holds. Without words, stdin
    is read unless it is a terminal. Raises `click.UsageError`.
    """
    if not words:
        if stdin_is_terminal:
            return None
        words = ("-",)
    if "-" in words:
        if stdin_is_terminal:
            raise click.UsageError("`-` stands for piped text, but stdin is a terminal.")
        text = piped(stdin)
        words = tuple(f"\n{text}\n" if word == "-" else word for word in words)
    message = checked(" ".join(words).strip())
    if not message:
        raise click.UsageError("The prompt is empty. Type one after `victor chat`, or pipe it in.")
    return message
