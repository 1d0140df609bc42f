"""`victor undo`, `victor redo` and `victor rewind`: take back what was done, and bring it back."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from victor.cli.exits import ExitCode
from victor.cli.options import workspace_option
from victor.cli.start import Options

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.restore_plan import UndoReport

Act: TypeAlias = "Callable[[AgentOrchestrator], Awaitable[UndoReport]]"

_session_argument = click.argument("session_id", metavar="[SESSION]", default="last")
_yes_option = click.option("--yes", "-y", is_flag=True, help="Do it without asking.")
_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON. Without --yes it only previews."
)


@dataclass(frozen=True, slots=True)
class _Restoring:
    """One of the three, from the preview to the end."""

    question: str
    nothing: str
    preview: Act
    act: Act


@click.command()
@_session_argument
@workspace_option
@_yes_option
@_json_option
def undo(session_id: str, workspace: Path | None, yes: bool, as_json: bool) -> int:
    """Take back what the last turn of a session did to files.

    Shows the difference first, and asks. SESSION is the last one of this folder unless named. A
    file that somebody else has changed since is left as it is. Undoing again goes further back;
    `victor redo` brings it back.
    """
    restoring = _Restoring(
        "Undo this?",
        "There is nothing to undo.",
        lambda orchestrator: orchestrator.preview_undo(),
        lambda orchestrator: orchestrator.undo(),
    )
    return _run(restoring, session_id, workspace, yes=yes, as_json=as_json)


@click.command()
@_session_argument
@workspace_option
@_yes_option
@_json_option
def redo(session_id: str, workspace: Path | None, yes: bool, as_json: bool) -> int:
    """Bring back what an undo or a rewind took back last.

    Possible until the agent changes something again. Shows the difference first, and asks.
    """
    restoring = _Restoring(
        "Redo this?",
        "There is nothing to redo.",
        lambda orchestrator: orchestrator.preview_redo(),
        lambda orchestrator: orchestrator.redo(),
    )
    return _run(restoring, session_id, workspace, yes=yes, as_json=as_json)


@click.command()
@click.argument("turn", metavar="[TURN]", required=False, type=click.IntRange(1))
@click.option(
    "--session",
    "session_id",
    default="last",
    metavar="ID",
    help="The session.  [default: last]",
)
@click.option("--files", is_flag=True, help="Only the files.")
@click.option("--conversation", is_flag=True, help="Only the conversation.")
@workspace_option
@_yes_option
@_json_option
def rewind(
    turn: int | None,
    session_id: str,
    files: bool,
    conversation: bool,
    workspace: Path | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Go back to before a turn: files, conversation, or both.

    What TURN and all later turns did and said is taken back: `victor rewind 3` leaves turns 1 and
    2. (`victor fork --at 3` keeps turn 3, in a session of its own.) Without TURN, list the turns.
    Shows the difference first, and asks. What the model no longer sees stays on record; `victor
    redo` brings everything back.
    """
    if turn is None:
        return asyncio.run(_list(Options(workspace), session_id, as_json=as_json))
    parts = {"files": files or not conversation, "conversation": conversation or not files}
    restoring = _Restoring(
        f"Go back to before turn {turn}?",
        "There is nothing to take back.",
        lambda orchestrator: orchestrator.preview_rewind(turn, **parts),
        lambda orchestrator: orchestrator.rewind(turn, **parts),
    )
    return _run(restoring, session_id, workspace, yes=yes, as_json=as_json)


def _run(
    restoring: _Restoring, session_id: str, workspace: Path | None, *, yes: bool, as_json: bool
) -> int:
    options = Options(workspace)
    if as_json:
        return asyncio.run(_restore_as_json(options, session_id, restoring, yes=yes))
    return asyncio.run(_restore(options, session_id, restoring, yes=yes))


async def _restore(options: Options, session_id: str, restoring: _Restoring, *, yes: bool) -> int:
    from victor.cli.restore_view import show_preview, show_result
    from victor.cli.start import Start
    from victor.cli.terminal import console

    screen = console(plain=not sys.stdout.isatty())
    start = Start(options)
    try:
        orchestrator = await start.open_without_model(resume=session_id)
        preview = await restoring.preview(orchestrator)
        if not show_preview(screen, preview):
            click.echo(restoring.nothing)
            return ExitCode.DONE
        if not (yes or _confirmed(restoring.question)):
            told = "" if sys.stdin.isatty() else " Nobody can be asked here; --yes does it unasked."
            click.echo(f"Nothing was changed.{told}", err=True)
            return ExitCode.FAILED
        done = show_result(screen, await restoring.act(orchestrator), preview)
        return ExitCode.DONE if done else ExitCode.FAILED
    finally:
        await start.close()


async def _restore_as_json(
    options: Options, session_id: str, restoring: _Restoring, *, yes: bool
) -> int:
    from victor.cli.restore_view import as_json, did_something
    from victor.cli.start import Start

    start = Start(options)
    try:
        orchestrator = await start.open_without_model(resume=session_id)
        report = await restoring.preview(orchestrator)
        if not (yes and report.turns):
            click.echo(json.dumps(as_json(report, done=False), indent=2))
            return ExitCode.DONE
        report = await restoring.act(orchestrator)
        click.echo(json.dumps(as_json(report, done=did_something(report)), indent=2))
        return ExitCode.DONE if did_something(report) else ExitCode.FAILED
    finally:
        await start.close()


async def _list(options: Options, session_id: str, *, as_json: bool) -> int:
    from victor.cli.json_lines import plain
    from victor.cli.restore_view import show_points
    from victor.cli.start import Start
    from victor.cli.terminal import console

    start = Start(options)
    try:
        orchestrator = await start.open_without_model(resume=session_id)
        points = await orchestrator.points()
        if as_json:
            click.echo(json.dumps([plain(point) for point in points], indent=2))
        elif points:
            show_points(console(plain=not sys.stdout.isatty()), points)
        else:
            click.echo("There is no turn to go back to.")
        return ExitCode.DONE
    finally:
        await start.close()


def _confirmed(question: str) -> bool:
    return sys.stdin.isatty() and click.confirm(question, default=False)
