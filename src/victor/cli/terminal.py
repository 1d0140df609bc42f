"""What the terminal can do, and the consoles that write to it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from rich.console import Console, RenderableType
    from rich.text import Text

_PATIENCE_SECONDS = 0.5


def interactive() -> bool:
    """Return whether a person can be asked: both stdin and stdout are terminals."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def colourless() -> bool:
    """Return whether the environment asks for no escape codes (see no-color.org)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def console(*, plain: bool = False, stderr: bool = False) -> Console:
    """Return a console that takes text literally; without any escape code if `plain`."""
    from rich.console import Console

    if plain or colourless():
        return Console(color_system=None, stderr=stderr, highlight=False, markup=False, emoji=False)
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def hanging(text: Text, indent: int, width: int) -> RenderableType:
    """Return a text whose further lines begin at the column `indent`, where `width` is too small.

    So no line looks like one of its own.
    """
    from rich.table import Table

    if text.cell_len <= width:
        return text
    row = Table.grid()
    row.add_column(width=indent, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(text[:indent], text[indent:])
    return row


def survive_odd_text() -> None:
    """Make stdout and stderr write what their encoding lacks as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def shown_from_anywhere(
    show: Callable[[str, int, int], None], loop: asyncio.AbstractEventLoop
) -> Callable[[str, int, int], None]:
    """Return a reporter of progress for any thread that lets `show` run on `loop`.

    An announcement is waited for: what it announces may keep Python from doing anything else.
    """

    def report(what: str, done: int, total: int) -> None:
        if loop.is_closed():
            return
        seen = threading.Event()

        def on_loop() -> None:
            show(what, done, total)
            seen.set()

        loop.call_soon_threadsafe(on_loop)
        if not total and threading.current_thread() is not threading.main_thread():
            seen.wait(_PATIENCE_SECONDS)

    return report


@contextmanager
def silent_keys() -> Iterator[None]:
    """Keep keys typed meanwhile from showing up in the output; they wait for the next prompt."""
    if not sys.stdin.isatty():
        yield
        return
    import termios

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = list(before)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
