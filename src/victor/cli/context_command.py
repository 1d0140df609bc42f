"""`victor context`: what fills the model's window."""

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
    from victor.context_picture import ContextPicture


@click.command()
@click.option("--session", "session_id", metavar="ID", help="The session.  [default: last]")
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def context(session_id: str | None, workspace: Path | None, as_json: bool) -> None:
    """Show what fills the model's window.

    It is of a session as it would go on now: system prompt, tools, messages, what is
    kept for the answer, and what is free add up to the window. Where nothing is recorded yet, it is
    what a first turn would begin with.
    """
    shown = asyncio.run(_picture(Options(workspace, on_record=True), session_id))
    if as_json:
        from victor.cli.json_lines import plain

        click.echo(json.dumps(plain(shown), indent=2))
        return
    from victor.cli.context_view import show_picture
    from victor.cli.terminal import console

    show_picture(console(plain=not sys.stdout.isatty()), shown)


async def _picture(options: Options, session_id: str | None) -> ContextPicture:
    from victor.cli.start import Start

    start = Start(options)
    try:
        served = await asyncio.to_thread(start.choose)
        orchestrator = await start.open(served.provider, served.model)
        if session_id is not None or await orchestrator.sessions(1):
            orchestrator = await start.open(
                served.provider, served.model, resume=session_id or "last"
            )
        return await orchestrator.context_picture()
    finally:
        await start.close()
