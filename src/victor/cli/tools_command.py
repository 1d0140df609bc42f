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
    from victor.messages import ToolSpec


@click.command()
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print them with their schemas, as JSON.")
def tools(workspace: Path | None, as_json: bool) -> None:
    """List the tools that the agent can use, and what each may do to the world.

    read_only tools change nothing and run in every mode; the others run in build mode only.
    """
    specs = asyncio.run(_specs(Options(workspace)))
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
        name = Text(one_line(spec.name), style="bold")
        table.add_row(name, Text(spec.effect, style="dim"), Text(one_line(first, 400)))
    console(plain=not sys.stdout.isatty()).print(table)


async def _specs(options: Options) -> tuple[ToolSpec, ...]:
    from victor.cli.start import Start

    start = Start(options)
    try:
        orchestrator = await start.open_without_model()
        return orchestrator.tool_coordinator.specs
    finally:
        await start.close()
