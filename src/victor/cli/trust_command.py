"""`victor trust`: let a project's configuration count."""

from __future__ import annotations

import sys
from collections.abc import Mapping
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
    """Trust what the folder keeps in .victor, after showing it.

    Where it was trusted before, what changed since is shown. A project's configuration can allow
    commands and send your words elsewhere, so it counts only once you trust it, and again after
    each change of it.
    """
    from victor.config.trust import PROJECT_FOLDER, Trust, contents

    folder = Options(workspace).folder
    if forget:
        Trust().forget(folder)
        click.echo(f"{folder / PROJECT_FOLDER} is not trusted any more.")
        return ExitCode.DONE
    found = contents(folder)
    if found:
        _show(folder, found, Trust().changes(folder, found))
        if not (yes or _confirmed(f"Trust this in {folder}?")):
            click.echo("Nothing was changed.", err=True)
            return ExitCode.FAILED
        if contents(folder) != found:
            click.echo("Error: It has changed meanwhile. Look at it again.", err=True)
            return ExitCode.FAILED
    Trust().trust(folder, found)
    click.echo("Trusted. A change of it takes the trust away.")
    return ExitCode.DONE


def _show(folder: Path, found: Mapping[str, bytes], changes: str) -> None:
    """Print what changed since it was trusted, or else all of it."""
    from victor.visible import visible

    if changes:
        click.echo(f"What changed in {folder} since you trusted it:\n")
        click.echo(visible(changes).rstrip() + "\n")
        return
    for path, data in found.items():
        click.echo(f"{folder / path}:\n")
        click.echo(visible(data.decode("utf-8", "replace")).rstrip() + "\n")


def _confirmed(question: str) -> bool:
    """Return whether a person says yes; without a terminal, nobody does."""
    if not sys.stdin.isatty():
        return False
    return click.confirm(question, default=False)
