"""Asking the person at the terminal whether a tool call may run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from victor.cli.change_preview import change_lines
from victor.cli.terminal import hanging
from victor.messages import ToolCall
from victor.protocols import Approval, Ask, Rewrite
from victor.visible import one_line, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

ReadLine: TypeAlias = Callable[[Callable[[], None]], Awaitable[str | None]]
"""Shows the question by calling its argument, and waits for a line typed by a person since; None
where none will come."""

_SHOWN_LINES = 40
_LAST_LINES = 10
"""Of what is cut: the end is where a command likes to hide something."""
_REMOVED = frozenset({"old", "old_text", "old_string"})
_ADDED = frozenset({"new", "new_text", "new_string", "content"})


class YesToAll:
    """Lets everything run that the rules leave to a person."""

    async def approve(self, call: ToolCall, question: str) -> bool:
        """Return True."""
        return True


class TerminalApprover:
    """Shows what a call would do, every character of it visible, and waits for an answer.

    Before anything is remembered, the rule that would be is shown, and where it can be kept.
    """

    def __init__(
        self,
        console: Console,
        *,
        pause: Callable[[], None] = lambda: None,
        caught_up: Callable[[ToolCall], Awaitable[None]] | None = None,
        read_line: ReadLine | None = None,
        folder: Path | None = None,
    ) -> None:
        """`caught_up` waits until what led to the question is on the screen, `pause` clears it.

        Of a file in `folder` that would be replaced, the difference is shown.
        """
        self._folder = folder
        self._console = console
        self._caught_up = caught_up
        self.pause = pause
        self._read_line = read_line or read_typed_line
        self._asking = asyncio.Lock()

    async def approve(self, call: ToolCall, question: str) -> bool | Approval:
        """Return whether the person lets `call` run. No answer is a no.

        For what is asked apart from the calls of a reply: no event announces it.
        """
        async with self._asking:
            decision = await self._decision(call, Ask(question, ""))
        return decision if isinstance(decision, Approval) else Approval.REFUSED

    async def decide(self, call: ToolCall, ask: Ask) -> Approval | Rewrite:
        """Return the person's answer; the call as they want it where they changed the command."""
        async with self._asking:
            if self._caught_up is not None:
                # What comes to the screen later would be drawn over the question.
                await self._caught_up(call)
            return await self._decision(call, ask)

    async def answer(self, question: str, choices: tuple[str, ...]) -> str | None:
        """Return what the person answers the model; the number of a choice stands for it."""
        from rich.text import Text

        async with self._asking:
            self.pause()
            self._console.print()
            self._console.print(Text(visible(question), style="bold yellow"))
            for number, choice in enumerate(choices, 1):
                self._console.print(Text(f"  {number}. {visible(choice)}"))
            answer = await self._line("Your answer: ")
        if answer is None:
            return None
        words = answer.strip()
        if words.isdecimal() and 0 < int(words) <= len(choices):
            return choices[int(words) - 1]
        return words

    async def _decision(self, call: ToolCall, ask: Ask) -> Approval | Rewrite:
        self.pause()
        self._show(call, ask.question, limit=_SHOWN_LINES)
        while (answer := await self._answer(call, ask)) is None:
            pass
        return answer

    async def _answer(self, call: ToolCall, ask: Ask) -> Approval | Rewrite | None:
        """Return the answer; None where it was none yet."""
        hidden = len(self._lines(call)) > _SHOWN_LINES
        keys = ["y = yes", "n = no", *["a = always"] * bool(ask.rules)]
        keys += [*["e = edit"] * _has_command(call, ask), *["v = view all"] * hidden]
        match await self._key(f"Allow? [{', '.join(keys)}] "):
            case None | "n" | "no":
                return Approval.REFUSED
            case "y" | "yes":
                return Approval.ONCE
            case "a" | "always" if ask.rules:
                return await self._place(call, ask)
            case "e" | "edit" if _has_command(call, ask):
                return await self._edited(call)
            case "v" if hidden:
                self._show(call, ask.question, limit=sys.maxsize)
        return None

    async def _place(self, call: ToolCall, ask: Ask) -> Approval | None:
        """Return for how long the rules shall hold; None where the person thinks again."""
        from rich.text import Text

        self._console.print(Text("This will be allowed from now on:", style="bold"))
        for rule in ask.rules:
            self._console.print(Text(f"  {visible(rule)}"))
        keys = "s = session"
        every = "command" not in call.arguments
        if every:
            keys += f", t = any {one_line(call.name, 9)}"
        if ask.lasting:
            keys += ", p = project, u = everywhere"
        match await self._key(f"Keep it? [{keys}, n = no] "):
            case None:
                return Approval.REFUSED
            case "s":
                return Approval.SESSION
            case "t" if every:
                return Approval.TOOL
            case "p" if ask.lasting:
                return Approval.PROJECT
            case "u" if ask.lasting:
                return Approval.USER
        return None

    async def _edited(self, call: ToolCall) -> Rewrite | None:
        command = await self._line("Run instead (nothing: back): ")
        if command is None or not command.strip():
            return None
        changed = replace(call, arguments={**call.arguments, "command": command.strip()})
        return Rewrite(changed, "the person changed it")

    async def _key(self, prompt: str) -> str | None:
        answer = await self._line(prompt)
        return None if answer is None else answer.strip().lower()

    async def _line(self, prompt: str) -> str | None:
        try:
            answer = await self._read_line(lambda: self._ask(prompt))
        except asyncio.CancelledError:
            self._console.print()  # What is said of it has a line of its own.
            raise
        if answer is None:
            self._console.print()
        return answer

    def _lines(self, call: ToolCall) -> list[Text]:
        """Return what the call does: the difference that it makes, or its arguments in full."""
        changed = [] if self._folder is None else change_lines(call, self._folder)
        return changed or argument_lines(call)

    def _ask(self, prompt: str) -> None:
        from rich.text import Text

        self._console.print(Text(prompt, style="bold"), end="")
        self._console.file.flush()

    def _show(self, call: ToolCall, question: str, *, limit: int) -> None:
        from rich.text import Text

        asked = visible(question)
        self._console.print()
        self._console.print(Text(asked, style="bold yellow"))
        lines = self._lines(call)
        if not _all_said(call, asked):
            self._console.print(Text(f"  {visible(call.name)}", style="bold"))
        else:
            lines = []
        left_out = max(0, len(lines) - limit)
        begins_again = len(lines) - _LAST_LINES if left_out else len(lines)
        for line in lines[: begins_again - left_out]:
            self._console.print(hanging(line, 6, self._console.width))
        if left_out:
            self._console.print(Text(f"    … {left_out} more lines …", style="dim"))
        for line in lines[begins_again:]:
            self._console.print(hanging(line, 6, self._console.width))


def _all_said(call: ToolCall, question: str) -> bool:
    """Return whether the question quotes every argument, so that nothing is left to show."""
    values = call.arguments.values()
    return not call.invalid and all(
        isinstance(value, str) and value and visible(value) in question for value in values
    )


def _has_command(call: ToolCall, ask: Ask) -> bool:
    """Return whether it is a command that can be changed here: one that nothing is wrong with."""
    command = call.arguments.get("command")
    return bool(ask.rules) and isinstance(command, str) and not call.invalid


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
