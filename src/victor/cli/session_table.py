"""Recorded sessions as a table for people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from victor.visible import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from victor.protocols import SessionInfo, SessionMatch


_NUMBERS = 2
"""The column from which on figures stand."""


def session_table(sessions: tuple[SessionInfo, ...], current: str = "") -> Any:
    """Return the sessions as a table, the one called `current` marked.

    Where it is too wide for the terminal, the titles are cut.
    """
    from rich.console import Group
    from rich.text import Text

    rows = [("session", "used", "turns", "cost"), *(_cells(info, current) for info in sessions)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    titles = [Text("title"), *map(titled, sessions)]
    lines = []
    for cells, title in zip(rows, titles, strict=True):
        padded = (
            cell.ljust(width) if index < _NUMBERS else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        line = Text("  ".join(padded) + "  ", no_wrap=True, overflow="ellipsis")
        lines.append(line.append_text(title))
    lines[0].stylize("dim")
    return Group(*lines)


def _cells(info: SessionInfo, current: str) -> tuple[str, ...]:
    mark = " *" if info.id == current else ""
    return one_line(info.id) + mark, ago(info.updated), str(info.turns), cost(info)


def show_match(screen: Console, match: SessionMatch) -> None:
    """Print a found session, and below it the words around the place."""
    from rich.padding import Padding
    from rich.text import Text

    head = Text(one_line(match.info.id), style="bold", no_wrap=True, overflow="ellipsis")
    head.append(f"  {ago(match.info.updated)}  ", style="dim")
    head.append_text(titled(match.info))
    screen.print(head, soft_wrap=not screen.is_terminal)
    if not match.excerpt:
        return
    excerpt = Text(one_line(match.excerpt), style="dim")
    if screen.is_terminal:
        screen.print(Padding(excerpt, (0, 0, 0, 4)))
    else:
        screen.print(f"    {excerpt}", soft_wrap=True)


def titled(info: SessionInfo) -> Text:
    """Return the title behind the tags, and a mark in front of a fork's."""
    from rich.text import Text

    text = Text()
    if info.parent:
        text.append("↳ ", style="dim")
    for tag in info.tags:
        text.append(f"#{one_line(tag)} ", style="cyan")
    return text.append(one_line(info.title) or "(no title)")


def cost(info: SessionInfo) -> str:
    """Return the dollars in few characters; `?` marks what has no known price."""
    unknown = "?" if info.unpriced_turns else ""
    if not info.cost_usd:
        return unknown or "-"
    return f"${info.cost_usd:.2f}{unknown}" if info.cost_usd >= 0.01 else f"<1¢{unknown}"


def ago(moment: float, *, now: float | None = None) -> str:
    """Return how long `moment`, in seconds since the epoch, is past: `3 min ago`."""
    seconds = max((time.time() if now is None else now) - moment, 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"
