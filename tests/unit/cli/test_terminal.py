"""What needs a terminal's own settings, on a pseudo-terminal of this process."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import select
import sys
import termios
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from victor.cli.approval import read_typed_line
from victor.cli.terminal import (
    colourless,
    console,
    interactive,
    shown_from_anywhere,
    silent_keys,
    survive_odd_text,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def fingers(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a terminal that a person types at; the other one is stdin."""
    ours, theirs = pty.openpty()
    stdin: TextIO = os.fdopen(theirs, "r")
    monkeypatch.setattr(sys, "stdin", stdin)
    yield ours
    stdin.close()
    os.close(ours)


def typing(fingers: int, keys: bytes) -> Callable[[], None]:
    """Return a question that is answered at once."""

    def ask() -> None:
        os.write(fingers, keys)

    return ask


def echoes() -> bool:
    return bool(termios.tcgetattr(sys.stdin.fileno())[3] & termios.ECHO)


async def test_only_what_is_typed_after_the_question_answers_it(fingers: int) -> None:
    os.write(fingers, b"y\n")
    select.select([sys.stdin], [], [], 5)  # it has arrived
    with silent_keys():
        answer = await read_typed_line(typing(fingers, b"n\n"))
        assert answer == "n\n"
        assert not echoes()
    assert echoes()


async def test_a_cancelled_question_leaves_the_terminal_as_it_was(fingers: int) -> None:
    asked = asyncio.Event()
    question = asyncio.create_task(read_typed_line(asked.set))
    await asked.wait()
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    assert echoes()


async def test_the_end_of_input_is_no_answer(fingers: int) -> None:
    assert await read_typed_line(typing(fingers, b"\x04")) is None


def test_without_a_terminal_keys_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with silent_keys():
        assert not interactive()


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [("NO_COLOR", "1", True), ("NO_COLOR", "", False), ("TERM", "dumb", True)],
)
def test_the_environment_can_ask_for_no_colours(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, answer: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)
    assert colourless() is answer
    if answer:
        assert console().color_system is None


def test_markup_in_a_text_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console(plain=True).print("[bold]x[/bold] :smile:")
    assert capsys.readouterr().out == "[bold]x[/bold] :smile:\n"


def test_what_the_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    stream = io.TextIOWrapper(file, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    survive_odd_text()
    sys.stdout.write("· \ud800")
    sys.stdout.flush()
    assert file.getvalue() == b"\\xb7 \\ud800"


async def test_an_announcement_from_another_thread_is_seen_before_the_thread_goes_on() -> None:
    seen: list[str] = []
    report = shown_from_anywhere(
        lambda what, done, total: seen.append(what), asyncio.get_running_loop()
    )

    def load() -> list[str]:
        report("Loading", 0, 0)
        return list(seen)

    assert await asyncio.to_thread(load) == ["Loading"]
    report("Half", 1, 2)
    await asyncio.sleep(0)
    assert seen == ["Loading", "Half"]


def test_progress_after_the_end_goes_nowhere() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    shown_from_anywhere(lambda *_: pytest.fail("shown"), loop)("Loading", 0, 0)
