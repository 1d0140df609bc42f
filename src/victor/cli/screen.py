"""A turn on a capable terminal: finished lines stay, one region at the bottom is live."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from victor.cli.markdown_stream import MarkdownStream
from victor.cli.tool_lines import duration
from victor.visible import one_line, readable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.segment import Segment

_FRAME_SECONDS = 0.08
_SHARE_OF_TIME = 8
"""Drawing takes at most one part in this many of the time, however long the block is."""
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_SPINNER = "|/-\\"


class Screen:
    """Prints what is final above a live region that holds the last block and a status line.

    Nothing of the answer is ever cut: where the last block outgrows the window, its upper lines
    are printed for good.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        # Without colours no escape code is wanted at all, and a dumb terminal would show them.
        self._redraws = not (console.is_dumb_terminal or console.color_system is None)
        self._answer = MarkdownStream()
        self._live: Live | None = None
        self._printed_of_tail = 0
        self._last = ""
        """What was printed last: nothing yet, a `line`, or a block of the `answer`."""
        self._status = ""
        self._status_since = 0.0
        self._share: float | None = None
        self._next_frame = 0.0
        self._stale = False
        """Whether the region shows less than there is."""

    def text(self, content: str) -> None:
        """Add a piece of the answer."""
        for block in self._answer.feed(readable(content)):
            self._print_block(block)
        self._draw()

    def status(self, text: str, *, share: float | None = None) -> None:
        """Say below the answer what is going on, with the seconds since; empty for nothing.

        `share`, from 0 to 1, is how much of it is done, where that is known.
        """
        if text != self._status:
            self._status, self._status_since = text, time.monotonic()
            self._next_frame = 0.0
        self._share = share
        self._draw()

    def tick(self) -> None:
        """Show what was held back, and move the spinner on."""
        if self._status or self._stale:
            self._draw()

    def line(self, *renderables: RenderableType) -> None:
        """Print something for good, after what has arrived of the answer."""
        self.finish_answer()
        self._erase()
        if self._last == "answer":
            self.console.print()
        self._last = "line"
        for renderable in renderables:
            # What a text says of its own wrapping is lost in printing.
            no_wrap = getattr(renderable, "no_wrap", None)
            overflow = getattr(renderable, "overflow", None)
            self.console.print(renderable, no_wrap=no_wrap, overflow=overflow)

    def finish_answer(self) -> None:
        """Print what is left of the answer: what follows is another one."""
        left = self._answer.finish()
        if left.strip():
            self._print_block(left)
        self._printed_of_tail = 0

    def pause(self) -> None:
        """Take the live region away, so that something else can use the terminal."""
        self.finish_answer()
        self._erase()

    def begin(self) -> None:
        """Let what comes next stand apart from what is there."""
        self._last = "answer"

    def _print_block(self, block: str) -> None:
        lines = self._lines(block)[self._printed_of_tail :]
        fresh = self._printed_of_tail == 0
        self._printed_of_tail = 0
        if lines:
            self._print_lines(lines, apart=fresh and bool(self._last))

    def _print_lines(self, lines: list[list[Segment]], *, apart: bool) -> None:
        from rich.segment import Segment, Segments

        self._last = "answer"
        flat = [Segment.line()] if apart else []
        for line in lines:
            flat += [*line, Segment.line()]
        self._erase()
        self.console.print(Segments(flat), end="")

    def _lines(self, markup: str) -> list[list[Segment]]:
        from victor.cli.markdown_view import rendered_lines

        return rendered_lines(self.console, markup)

    def _draw(self) -> None:
        now = time.monotonic()
        self._stale = now < self._next_frame
        if self._stale or not self._redraws:
            return
        self._show(self._region())
        spent = time.monotonic() - now
        self._next_frame = now + max(_FRAME_SECONDS, spent * _SHARE_OF_TIME)

    def _region(self) -> list[list[Segment]]:
        from rich.segment import Segment

        tail = self._answer.tail
        lines = self._lines(tail)[self._printed_of_tail :] if tail.strip() else []
        room = max(self.console.height - 4, 2)
        if len(lines) > room and self._answer.grows_only():
            # Half a window at once: each line that moves up costs a redraw of all below it.
            done = len(lines) - room // 2
            self._print_lines(lines[:done], apart=bool(self._last) and self._printed_of_tail == 0)
            self._printed_of_tail += done
            lines = lines[done:]
        shown = lines[-room:]
        apart = bool(self._last and shown) and self._printed_of_tail == 0
        return ([[Segment("")]] if apart else []) + shown + self._status_line()

    def _status_line(self) -> list[list[Segment]]:
        from rich.segment import Segment
        from rich.style import Style

        if not self._status:
            return []
        seconds = time.monotonic() - self._status_since
        frames = _ASCII_SPINNER if self.console.options.ascii_only else _SPINNER
        frame = frames[int(seconds * 10) % len(frames)]
        waited = f" {duration(seconds)}" if seconds >= 1 else ""
        if self._share is not None:
            waited = f" {_bar(self._share)} {self._share:.0%}{waited}"
        room = self.console.width - len(waited) - 3
        text = f"{frame} {one_line(self._status, max(room, 8))}{waited}"
        return [[Segment(text[: self.console.width - 1], Style(dim=True))]]

    def _show(self, lines: list[list[Segment]]) -> None:
        from rich.live import Live
        from rich.segment import Segment, Segments

        if not lines:
            self._erase()
            return
        flat: list[Segment] = []
        for index, line in enumerate(lines):
            flat += [Segment.line(), *line] if index else line
        region = Segments(flat)
        if self._live is None:
            self._live = Live(
                region,
                console=self.console,
                auto_refresh=False,
                transient=True,
                vertical_overflow="crop",
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(region, refresh=True)

    def _erase(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _bar(share: float, width: int = 12) -> str:
    full = round(min(max(share, 0.0), 1.0) * width)
    return "#" * full + "-" * (width - full)
