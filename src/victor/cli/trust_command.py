"""`victor trust`: let a project's configuration count."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from victor.cli.exits import ExitCode
from victor.cli.options import workspace_option
from victor.cli.start import Options


@click.command()
@workspace_option
@click.option("--yes", "-y", is_flag=True, help="Trust it without asking.")
@click.option("--forget", is_flag=True, help="Trust it no longer.")
def trust(workspace: Path | None, yes: bool, forget: bool) -> int:
    """Trust the folder's .victor/config.toml, after showing what it says.

    A project's file can allow commands and send your words elsewhere, so it counts only once you
    trust it, and again after each change of it.
    """
    from victor.config.files import read_bytes
    from victor.config.trust import PROJECT_FILE, Trust
    from victor.visible import visible

    folder = Options(workspace).folder
    if forget:
        Trust().forget(folder)
        click.echo(f"{folder / PROJECT_FILE} is not trusted any more.")
        return ExitCode.DONE
    content = read_bytes(folder / PROJECT_FILE)
    if content is not None:
        click.echo(f"{folder / PROJECT_FILE}:\n")
        click.echo(visible(content.decode("utf-8", "replace")).rstrip() + "\n")
        if not (yes or _confirmed(f"Trust this in {folder}?")):
            click.echo("Nothing was changed.", err=True)
            return ExitCode.FAILED
        if read_bytes(folder / PROJECT_FILE) != content:
            click.echo("Error: The file has changed meanwhile. Look at it again.", err=True)
            return ExitCode.FAILED
    Trust().trust(folder)
    click.echo("Trusted. A change of the file takes the trust away.")
    return ExitCode.DONE


def _confirmed(question: str) -> bool:
    """Return whether a person says yes; without a terminal, nobody does."""
    if not sys.stdin.isatty():
        return False
    return click.confirm(question, default=False)
