"""`victor doctor`: what is set up, what is missing, and what to do about it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from victor.cli.exits import ExitCode
from victor.cli.options import workspace_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--repair", is_flag=True, help="Repair the store first; nothing damaged is deleted.")
def doctor(workspace: Path | None, as_json: bool, repair: bool) -> int:
    """Check what Victor needs: settings, models, storage, programs.

    Nothing is sent or downloaded. Ends with 1 if something that is needed is broken.
    """
    from victor.cli.findings import State, findings

    if repair:
        _repair(workspace)
    found = findings(workspace)
    broken = any(finding.state is State.BROKEN for finding in found)
    if as_json:
        listed = [
            {"name": one.name, "state": str(one.state), "detail": one.detail, "remedy": one.remedy}
            for one in found
        ]
        click.echo(json.dumps({"ok": not broken, "findings": listed}, indent=2))
        return ExitCode.FAILED if broken else ExitCode.DONE
    from rich.text import Text

    from victor.cli.terminal import console, hanging
    from victor.visible import readable

    screen = console(plain=not sys.stdout.isatty())
    # What goes into a file or a search has a line for each thing, however long.
    whole = not screen.is_terminal
    looks = {State.OK: ("ok    ", "green"), State.NOTE: ("note  ", "yellow")}
    for one in found:
        mark, style = looks.get(one.state, ("BROKEN", "bold red"))
        head = Text.assemble((mark, style), f"  {one.name}: ", readable(one.detail))
        screen.print(head if whole else hanging(head, 8, screen.width), soft_wrap=whole)
        if one.remedy:
            remedy = Text(f"        {readable(one.remedy)}", style="dim")
            screen.print(remedy if whole else hanging(remedy, 8, screen.width), soft_wrap=whole)
    return ExitCode.FAILED if broken else ExitCode.DONE


def _repair(workspace: Path | None) -> None:
    """Tell on stderr what is done, as it is done."""
    from victor.cli.start import Options, configuration
    from victor.cli.store_findings import repairs
    from victor.visible import readable

    done = False
    for text in repairs(configuration(Options(workspace)).get_config()):
        click.echo(readable(text), err=True)
        done = True
    if not done:
        click.echo("There is nothing to repair in the store.", err=True)
