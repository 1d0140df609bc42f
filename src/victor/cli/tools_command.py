"""`victor tools`: what the agent can do."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from victor.cli.options import workspace_option
from victor.cli.start import Options

if TYPE_CHECKING:
    from victor.tools.reference import ToolReference


@click.command()
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print them with their schemas, as JSON.")
@click.argument("name", required=False)
def tools(workspace: Path | None, as_json: bool, name: str | None) -> None:
    """List the agent's tools, or show all there is to know of one.

    read_only tools change nothing and run in every mode. The others run in build mode; in plan and
    explore only calls of them that read, and commands in a sandbox where they can change nothing.
    """
    references = asyncio.run(_references(Options(workspace)))
    specs = [reference.spec for reference in references]
    if name is not None:
        _show_one(name, references, as_json=as_json)
        return
    if as_json:
        from victor.cli.json_lines import plain

        click.echo(json.dumps([plain(spec) for spec in specs], indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    from victor.cli.terminal import console
    from victor.visible import one_line

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for spec in specs:
        first = spec.description.split("\n\n")[0]
        title = Text(one_line(spec.name), style="bold")
        table.add_row(title, Text(spec.effect, style="dim"), Text(one_line(first, 400)))
    console(plain=not sys.stdout.isatty()).print(table)


def _show_one(name: str, references: tuple[ToolReference, ...], *, as_json: bool) -> None:
    from victor.cli.json_lines import plain
    from victor.errors import UnknownNameError
    from victor.tools.reference import page

    found = [reference for reference in references if reference.spec.name == name]
    if not found:
        known = tuple(reference.spec.name for reference in references)
        raise UnknownNameError("tool", name, known)
    click.echo(json.dumps(plain(found[0]), indent=2) if as_json else page(tuple(found)).rstrip())


async def _references(options: Options) -> tuple[ToolReference, ...]:
    from victor.cli.start import Start
    from victor.tools.reference import ToolReference

    start = Start(options)
    try:
        orchestrator = await start.open_without_model()
        return tuple(map(ToolReference.of, orchestrator.tool_coordinator.tools))
    finally:
        await start.close()
