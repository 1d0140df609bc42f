"""`victor replay`: a recorded session had again, offline, and where it departs from the record."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from victor.cli.options import workspace_option
from victor.cli.start import Options
from victor.history import PARTS

if TYPE_CHECKING:
    from victor.agent.session_replay import Replay


@click.command()
@click.argument("session_id", metavar="[SESSION]", default="last")
@click.option(
    "--ignore",
    metavar="PART",
    multiple=True,
    type=click.Choice(PARTS),
    help=f"Let this part differ; may be given several times: {', '.join(PARTS)}.",
)
@click.option(
    "--look-again",
    is_flag=True,
    help="Let read, list, glob and grep look now, and say where they find something else.",
)
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def replay(
    session_id: str,
    ignore: tuple[str, ...],
    look_again: bool,
    workspace: Path | None,
    as_json: bool,
) -> int:
    """Have a session again, and say where it departs from its record.

    The model's answers and the tools' results are those of the record: nothing is sent, run or
    changed. What is made anew is all that Victor adds: the prompt, the tools, the settings, the
    order of things. Ends with 1 where one of them is another now. Dates in the prompt are let be.
    """
    from victor.cli.exits import ExitCode

    name, made = asyncio.run(_replayed(workspace, session_id, look_again=look_again))
    made = replace(made, divergences=tuple(d for d in made.divergences if d.part not in ignore))
    if as_json:
        from victor.cli.json_lines import plain

        click.echo(json.dumps({"session": name, **plain(made)}, indent=2))
    else:
        _show(name, made)
    return ExitCode.FAILED if made.divergences else ExitCode.DONE


async def _replayed(
    workspace: Path | None, session_id: str, *, look_again: bool
) -> tuple[str, Replay]:
    from victor.agent.session_replay import ALONE, looked_again
    from victor.agent.session_replay import replay as have_again
    from victor.cli.start import Start
    from victor.config.settings import Settings

    start = Start(Options(workspace, on_record=True))
    try:
        orchestrator = await start.open_without_model()
        session, folder = orchestrator.session_coordinator, orchestrator.workspace
        name = await session.resolve(session_id, str(folder))
        records = await session.load(name)
    finally:
        await start.close()
    # Nothing that a tool finds now is to be kept.
    start = Start(Options(workspace, ephemeral=True))
    try:
        orchestrator = await start.open_without_model()
        tools = orchestrator.tool_coordinator
        settings = Settings(**{**start.config.get_config(), **ALONE})
        made = await have_again(records, settings, workspace=folder, specs=tools.specs)
        if look_again:
            others = (*made.divergences, *await looked_again(records, tools))
            ordered = tuple(sorted(others, key=lambda one: (one.turn, one.step)))
            made = replace(made, divergences=ordered)
        return name, made
    finally:
        await start.close()


def _show(name: str, made: Replay) -> None:
    from victor.transcript.words import counted
    from victor.visible import visible

    calls = f"{counted(made.model_calls, 'model call')}, {counted(made.tool_calls, 'tool call')}"
    click.echo(f"{name}: {counted(made.turns, 'turn')}, {calls}, had again from the record.")
    if not made.divergences:
        click.echo("All is as it was recorded.")
        return
    first, *others = made.divergences
    where = f"turn {first.turn}" + (f", model call {first.step}" if first.step else "")
    click.echo(f"It first departs in {where}, {_named(first.part)}:")
    click.echo(visible(first.shown))
    if others:
        click.echo("After that:")
    for one in others:
        place = visible(one.shown.splitlines()[0].strip())
        click.echo(f"  turn {one.turn}: {_named(one.part)}, {place}")


def _named(part: str) -> str:
    names = {
        "system": "the system prompt",
        "tools": "the tools",
        "options": "the options of the call",
        "settings": "the settings",
        "user": "the user's message",
        "reply": "the model's answer",
        "result": "a tool's result",
        "end": "the end of the turn",
    }
    return names.get(part, f"the {part}")
