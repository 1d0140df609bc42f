"""How a person is shown the session's plan, all of it: what is approved must have been seen."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from victor.visible import readable, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.segment import Segment

    from victor.plans import Plan

_WORD = re.compile(r"[^\W\d_]{2,}")
_FENCE = re.compile(r"^\s*(?:```+|~~~+)\s*[\w+-]*\s*$", re.MULTILINE)


def show_plan(console: Console, plan: Plan) -> None:
    """Print the plan between lines that say where it begins and ends, and the file that it is in.

    It is shown as Markdown, or as it is written where Markdown would keep words of it back.
    """
    from rich.rule import Rule
    from rich.text import Text

    line = "-" if console.options.ascii_only else "─"
    title = "Plan, approved" if plan.approved else "Plan"
    console.print(Rule(Text(title, style="bold"), characters=line, style="cyan", align="left"))
    _print_text(console, visible(plan.text.replace("\r\n", "\n")))
    console.print(Rule(characters=line, style="cyan"))
    console.print(Text(readable(plan.path), style="dim", overflow="fold"))


def _print_text(console: Console, text: str) -> None:
    from rich.segment import Segment, Segments
    from rich.text import Text

    from victor.cli.markdown_view import rendered_lines

    if _kept_back(text):
        console.print(Text(text.rstrip()))
        return
    flat: list[Segment] = []
    for line in rendered_lines(console, text):
        flat += [*line, Segment.line()]
    console.print(Segments(flat), end="")


def _kept_back(text: str) -> bool:
    """Return whether there are words in the text that its Markdown does not show.

    Such as those of a comment, of a link's title, or behind the language of a block of code.
    """
    from rich.console import Console

    from victor.cli.markdown_view import rendered_lines

    wide = Console(width=max(map(len, text.split("\n"))) * 2 + 80, color_system=None)
    shown = "\n".join("".join(piece.text for piece in one) for one in rendered_lines(wide, text))
    return bool(_words(_FENCE.sub("", text)) - _words(shown))


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text))
