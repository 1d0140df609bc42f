"""Recorded sessions as a table for people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from victor.visible import one_line

if TYPE_CHECKING:
    from rich.text import Text

    from victor.protocols import SessionInfo, SessionMatch


def session_table(sessions: tuple[SessionInfo, ...], current: str = "") -> Any:
    """Return the sessions as a table, the one called `current` marked."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
    rows = [_cells(info, current) for info in sessions]
    for index, name in enumerate(("session", "used", "turns", "cost")):
        # The title gives way, not these.
        least = max((len(cells[index]) for cells in rows), default=0)
        justify: Any = "right" if index > 1 else "left"
        table.add_column(name, no_wrap=True, min_width=least, justify=justify)
    table.add_column("title", overflow="ellipsis", no_wrap=True, ratio=1)
    for cells, info in zip(rows, sessions, strict=True):
        table.add_row(*map(Text, cells), titled(info))
    return table


def _cells(info: SessionInfo, current: str) -> tuple[str, ...]:
    mark = " *" if info.id == current else ""
    return one_line(info.id) + mark, ago(info.updated), str(info.turns), cost(info)


def match_lines(match: SessionMatch) -> Text:
    """Return a found session with the words around the place, on two lines."""
    from rich.text import Text

    lines = Text(one_line(match.info.id), style="bold")
    lines.append(f"  {ago(match.info.updated)}  ", style="dim")
    lines.append_text(titled(match.info))
    if match.excerpt:
        lines.append(f"\n    {one_line(match.excerpt)}", style="dim")
    return lines


def titled(info: SessionInfo) -> Text:
    """Return the title with the tags, and what it was forked from."""
    from rich.text import Text

    text = Text(one_line(info.title) or "(no title)")
    if info.parent:
        text.append(f" (fork at {info.parent_turn})", style="dim")
    for tag in info.tags:
        text.append(f" #{one_line(tag)}", style="cyan")
    return text


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
