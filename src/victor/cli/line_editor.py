"""Reading a person's messages: history, line editing and several lines at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

_FENCE = "```"
_REMEMBERED = 2000


class LineEditor:
    """Reads messages at a terminal with the standard library's `readline`, where there is one.

    A line that ends with a backslash goes on with the next; a line that begins with ``` opens a
    block that a line of ``` closes. The history is kept in `history`, readable by its owner only.
    """

    def __init__(
        self,
        history: Path | None = None,
        *,
        completions: tuple[str, ...] = (),
        named: Callable[[], tuple[str, ...]] = tuple,
        colour: bool = True,
    ) -> None:
        """`completions` complete a line; `named` tells what completes a word of it now: anywhere,
        or at the beginning only where it begins with a slash.
        """
        self._history = history
        self._completions = completions
        self._named = named
        self._colour = colour
        self._ready = False
        self._fitting: tuple[str, ...] = ()
        """What completes the text that was asked about last."""

    def read(self, prompt: str) -> str | None:
        """Return the next message; None at the end of input. Ctrl-C raises `KeyboardInterrupt`."""
        self._prepare()
        try:
            message = read_message(self._line, prompt)
        except EOFError:
            return None
        self._remember(message)
        return message

    def _line(self, prompt: str) -> str:
        if self._colour and "readline" in sys.modules:
            # The marks keep readline from counting the escape codes as columns.
            prompt = f"\001\x1b[1;36m\002{prompt}\001\x1b[0m\002"
        return input(prompt)

    def _prepare(self) -> None:
        if self._ready:
            return
        self._ready = True
        try:
            import readline
        except ImportError:
            return
        readline.set_auto_history(False)
        readline.set_completer_delims("")
        readline.set_completer(self._complete)
        readline.parse_and_bind("tab: complete")
        # Python switches it off; without it each line of what is pasted is a message of its own.
        readline.parse_and_bind("set enable-bracketed-paste on")
        readline.set_history_length(_REMEMBERED)
        if self._history is not None:
            try:
                readline.read_history_file(self._history)
            except OSError:
                return

    def _complete(self, text: str, state: int) -> str | None:
        if state == 0:
            self._fitting = self._all_fitting(text)
        fitting = self._fitting
        return fitting[state] if state < len(fitting) else None

    def _all_fitting(self, text: str) -> tuple[str, ...]:
        before, space, word = text.rpartition(" ")
        lines = (line for line in self._completions if text and line.startswith(text))
        words = (
            f"{before}{space}{name}"
            for name in self._named()
            if word and name.startswith(word) and not (before and name.startswith("/"))
        )
        return (*lines, *words)

    def _remember(self, message: str) -> None:
        readline = sys.modules.get("readline")
        if readline is None or not message.strip():
            return
        count = readline.get_current_history_length()
        if count and readline.get_history_item(count) == message:
            return
        readline.add_history(message)
        if self._history is None:
            return
        try:
            self._history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._history, os.O_CREAT | os.O_APPEND, 0o600))
            readline.write_history_file(self._history)
            self._history.chmod(0o600)
        except OSError:
            # A history that cannot be kept is no reason to stop a conversation.
            self._history = None


def read_message(read_line: Callable[[str], str], prompt: str) -> str:
    """Return one message made of one or more lines of `read_line`.

    Raises `EOFError` where the input ends before a message began.
    """
    line = read_line(prompt)
    if line.lstrip().startswith(_FENCE):
        return _fenced(read_line, line)
    lines = [line]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(_next(read_line))
    return "\n".join(lines)


def _fenced(read_line: Callable[[str], str], first: str) -> str:
    lines = [first]
    while len(lines) == 1 or lines[-1].strip() != _FENCE:
        try:
            lines.append(read_line("... "))
        except EOFError:
            break
    # A bare fence only groups the lines; one that names a language is part of the message.
    if first.strip() == _FENCE:
        return "\n".join(lines[1:-1] if lines[-1].strip() == _FENCE else lines[1:])
    return "\n".join(lines)


def _next(read_line: Callable[[str], str]) -> str:
    try:
        return read_line("... ")
    except EOFError:
        return ""
