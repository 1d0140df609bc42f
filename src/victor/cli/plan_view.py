"""How a person is shown the session's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from victor.visible import readable

if TYPE_CHECKING:
    from rich.console import Console

    from victor.plans import Plan


def show_plan(console: Console, plan: Plan) -> None:
    """Print the plan, all of it, between lines that say where it begins, ends, and lies."""
    from rich.rule import Rule
    from rich.segment import Segment, Segments
    from rich.text import Text

    from victor.cli.markdown_view import rendered_lines

    line = "-" if console.options.ascii_only else "─"
    title = "Plan, approved" if plan.approved else "Plan"
    console.print(Rule(Text(title, style="bold"), characters=line, style="cyan", align="left"))
    shown: list[Segment] = []
    for one in rendered_lines(console, readable(plan.text)):
        shown += [*one, Segment.line()]
    console.print(Segments(shown), end="")
    console.print(Rule(characters=line, style="cyan"))
    console.print(Text(readable(plan.path), style="dim", overflow="fold"))
