"""Asking the person at the terminal whether a tool call may run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from victor.messages import ToolCall
from victor.protocols import Approval
from victor.visible import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

ReadLine: TypeAlias = Callable[[Callable[[], None]], Awaitable[str | None]]
"""Shows the question by calling its argument, and waits for a line typed by a person since; None
where none will come."""

_SHOWN_LINES = 40
_REMOVED = frozenset({"old", "old_text", "old_string"})
_ADDED = frozenset({"new", "new_text", "new_string", "content"})


class YesToAll:
    """Lets everything run that the rules leave to a person."""

    async def approve(self, call: ToolCall, question: str) -> bool:
        """Return True."""
        return True


class TerminalApprover:
    """Shows what a call would do, every character of it visible, and waits for y, n or a.

    `a` is remembered until the program ends: for a shell command, that very command; for any
    other tool, the tool.
    """

    def __init__(
        self,
        console: Console,
        *,
        pause: Callable[[], None] = lambda: None,
        caught_up: Callable[[ToolCall], Awaitable[None]] | None = None,
        read_line: ReadLine | None = None,
    ) -> None:
        """`caught_up` waits until what led to the question is on the screen, `pause` clears it."""
        self._console = console
        self._caught_up = caught_up
        self.pause = pause
        self._read_line = read_line or read_typed_line
        self._always: set[tuple[str, str]] = set()
        self._asking = asyncio.Lock()

    async def approve(self, call: ToolCall, question: str) -> bool | Approval:
        """Return whether the person lets `call` run. No answer is a no."""
        async with self._asking:
            if _scope(call) in self._always:
                return Approval.SESSION
            if self._caught_up is not None:
                # What comes to the screen later would be drawn over the question.
                await self._caught_up(call)
            self.pause()
            self._show(call, question, limit=_SHOWN_LINES)
            return await self._decide(call, question)

    async def answer(self, question: str, choices: tuple[str, ...]) -> str | None:
        """Return what the person answers; the number of a choice stands for it."""
        async with self._asking:
            self.pause()
            self._show_choices(question, choices)
            answer = await self._read_line(lambda: self._ask("Your answer: "))
        number = (answer or "").strip()
        if number.isdecimal() and 0 < int(number) <= len(choices):
            return choices[int(number) - 1]
        return answer if answer is None else answer.strip()

    def _show_choices(self, question: str, choices: tuple[str, ...]) -> None:
        from rich.text import Text

        self._console.print()
        self._console.print(Text(visible(question), style="bold yellow"))
        for number, choice in enumerate(choices, 1):
            self._console.print(Text(f"  {number}. {visible(choice)}"))

    async def _decide(self, call: ToolCall, question: str) -> Approval:
        hidden = len(argument_lines(call)) > _SHOWN_LINES
        more = ", v = view all" if hidden else ""
        prompt = f"Allow? [y = yes, n = no, a = {_always_words(call)}{more}] "
        while True:
            answer = await self._read_line(lambda: self._ask(prompt))
            if answer is None:
                self._console.print()
                return Approval.REFUSED
            match answer.strip().lower():
                case "y" | "yes":
                    return Approval.ONCE
                case "n" | "no":
                    return Approval.REFUSED
                case "a" | "always":
                    self._always.add(_scope(call))
                    return Approval.SESSION
                case "v" if hidden:
                    self._show(call, question, limit=sys.maxsize)

    def _ask(self, prompt: str) -> None:
        from rich.text import Text

        self._console.print(Text(prompt, style="bold"), end="")
        self._console.file.flush()

    def _show(self, call: ToolCall, question: str, *, limit: int) -> None:
        from rich.text import Text

        asked = visible(question)
        self._console.print()
        self._console.print(Text(asked, style="bold yellow"))
        lines = argument_lines(call)
        if not _all_said(call, asked):
            self._console.print(Text(f"  {visible(call.name)}", style="bold"))
        else:
            lines = []
        for line in lines[:limit]:
            self._console.print(line)
        if len(lines) > limit:
            self._console.print(Text(f"    … {len(lines) - limit} more lines", style="dim"))


def _all_said(call: ToolCall, question: str) -> bool:
    """Return whether the question quotes every argument, so that nothing is left to show."""
    values = call.arguments.values()
    return not call.invalid and all(
        isinstance(value, str) and value and visible(value) in question for value in values
    )


def _scope(call: ToolCall) -> tuple[str, str]:
    command = call.arguments.get("command")
    return call.name, command if isinstance(command, str) else ""


def _always_words(call: ToolCall) -> str:
    what = "this command" if _scope(call)[1] else visible(call.name)
    return f"always {what} in this session"


def argument_lines(call: ToolCall) -> list[Text]:
    """Return the call's arguments in full, one or more lines each, nothing hidden in them."""
    from rich.text import Text

    if call.invalid:
        return [Text(f"    {line}") for line in visible(call.invalid).splitlines()]
    lines: list[Text] = []
    for name, value in call.arguments.items():
        lines += _value_lines(visible(str(name)), value)
    return lines


def _value_lines(name: str, value: Any) -> Iterator[Text]:
    from rich.text import Text

    text = visible(value if isinstance(value, str) else json.dumps(value, default=str))
    if "\n" not in text:
        yield Text.assemble((f"    {name}: ", "dim"), text)
        return
    style = "red" if name in _REMOVED else "green" if name in _ADDED else ""
    yield Text(f"    {name}:", style="dim")
    for line in text.split("\n"):
        yield Text(f"    | {line}", style=style)


async def read_typed_line(ask: Callable[[], None]) -> str | None:
    """Return the line typed at the terminal after `ask` was called; None at its end.

    Waits without blocking the event loop, so a cancelled turn stops asking.
    """
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    typed: asyncio.Future[str | None] = loop.create_future()

    def take() -> None:
        data = os.read(descriptor, 4096)
        if not typed.done():
            typed.set_result(data.decode("utf-8", "replace") if data else None)

    with _echoing(descriptor):
        ask()
        loop.add_reader(descriptor, take)
        try:
            return await typed
        finally:
            loop.remove_reader(descriptor)


@contextmanager
def _echoing(descriptor: int) -> Iterator[None]:
    import termios

    before = termios.tcgetattr(descriptor)
    asking = list(before)
    asking[3] |= termios.ECHO | termios.ICANON
    # What was typed before the question was seen is no answer to it.
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, asking)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
