"""`victor fork`: another way on from a turn of a recorded session."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from victor.cli.options import workspace_option
from victor.cli.start import Options


@click.command()
@click.argument("session_id", metavar="[SESSION]", default="last")
@click.option(
    "--at",
    "at_turn",
    metavar="TURN",
    type=click.IntRange(0),
    help="The last turn that the fork keeps; 0 keeps none.  [default: all]",
)
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print the new session as JSON.")
def fork(session_id: str, at_turn: int | None, workspace: Path | None, as_json: bool) -> None:
    """Begin a new session with the history of another, up to one of its turns.

    The other stays as it is, and so do files. `victor sessions show` counts the turns.

    \b
      victor fork --at 3              keep turns 1 to 3 of the last session
    """
    from victor.cli.start import Start

    async def forked() -> str:
        start = Start(Options(workspace, on_record=True))
        try:
            orchestrator = await start.open_without_model()
            await orchestrator.fork(session_id, at_turn=at_turn)
            info = await orchestrator.session_coordinator.info(orchestrator.session_id)
        finally:
            await start.close()
        if as_json:
            from victor.cli.json_lines import plain

            return json.dumps(plain(info), indent=2)
        return (
            f"{info.id}: a fork of {info.parent} after turn {info.parent_turn}."
            f" `victor chat --resume {info.id}` goes on."
        )

    click.echo(asyncio.run(forked()))
