"""`victor undo`: take back what the last turn did to files."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from victor.cli.exits import ExitCode
from victor.cli.options import workspace_option
from victor.cli.start import Options


@click.command()
@click.argument("session_id", metavar="[SESSION]", default="last")
@workspace_option
@click.option("--yes", "-y", is_flag=True, help="Undo without asking.")
def undo(session_id: str, workspace: Path | None, yes: bool) -> int:
    """Take back what the last turn of a session did to files.

    Shows the difference first, and asks. SESSION is the last one of this folder unless named. A
    file that somebody else has changed since is left as it is. Undoing again goes further back.
    """
    return asyncio.run(_undo(Options(workspace), session_id, yes=yes))


async def _undo(options: Options, session_id: str, *, yes: bool) -> int:
    from victor.cli.slash_commands import show_undo, show_undo_result
    from victor.cli.start import Start
    from victor.cli.terminal import console

    screen = console(plain=not sys.stdout.isatty())
    start = Start(options)
    try:
        orchestrator = await start.open_without_model(resume=session_id)
        if not show_undo(screen, await orchestrator.preview_undo()):
            click.echo("There is nothing to undo.")
            return ExitCode.DONE
        if not (yes or _confirmed()):
            click.echo("Nothing was changed.", err=True)
            return ExitCode.FAILED
        show_undo_result(screen, await orchestrator.undo())
        return ExitCode.DONE
    finally:
        await start.close()


def _confirmed() -> bool:
    return sys.stdin.isatty() and click.confirm("Undo this?", default=False)
