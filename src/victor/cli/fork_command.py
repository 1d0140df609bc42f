"""`victor fork`: another way on from a turn of a recorded session."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from victor.cli.on_record import with_record
from victor.cli.options import (
    mode_option,
    model_option,
    provider_option,
    workspace_option,
    yes_option,
)
from victor.cli.start import Options

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.protocols import SessionInfo


@dataclass(frozen=True, slots=True)
class _Forked:
    info: SessionInfo
    rest: tuple[str, ...]
    """What the user said in the turns that the fork has not."""


@click.command()
@click.argument("session_id", metavar="[SESSION]", default="last")
@click.option(
    "--at",
    "at_turn",
    metavar="TURN",
    type=click.IntRange(0),
    help="The last turn that the fork keeps; 0 keeps none.  [default: all, or with --run all but"
    " the last one]",
)
@click.option("--run", is_flag=True, help="Say in the fork what the user said after that turn.")
@provider_option
@model_option
@click.option(
    "--prompt-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A template of the system prompt to try.",
)
@click.option("--strategy", metavar="NAME", help="A way to compact the context to try.")
@mode_option
@yes_option
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print the new session, or every event.")
def fork(
    session_id: str,
    at_turn: int | None,
    run: bool,
    provider: str | None,
    model: str | None,
    prompt_file: Path | None,
    strategy: str | None,
    mode: str | None,
    yes: bool,
    workspace: Path | None,
    as_json: bool,
) -> int:
    """Begin a new session with the first turns of another.

    The fork keeps the turns up to --at, that one included; the other session stays as it is.
    (`victor rewind N` goes back to before turn N, in the session itself.) `victor sessions show`
    counts the turns. With another model, prompt or strategy, or with --run, the fork goes on at
    once: it is told what the user said in the turns after that one. Files are not set back: what
    was changed in them is there for the fork to see, and its tools work in the folder as it is;
    --mode plan only looks.

    \b
      victor fork --at 3                       keep turns 1 to 3 of the last session
      victor fork 4f2a --model other           try the last turn with another model
      victor fork 4f2a --at 0 --run --mode plan
      victor diff 4f2a FORK                    see both side by side
    """
    from victor.cli.exits import ExitCode

    trying = run or any((provider, model, prompt_file, strategy))
    made = _forked(workspace, session_id, at_turn, trying=trying, provider=provider, model=model)
    if not trying:
        _tell(made.info, as_json=as_json)
        return ExitCode.DONE
    options = Options(
        workspace,
        provider,
        model,
        mode,
        yes,
        on_record=True,
        template=str(prompt_file.resolve()) if prompt_file else None,
        strategy=strategy,
    )
    from victor.cli.chat_session import ChatSession

    code = ChatSession(options, resume=made.info.id, as_json=as_json).run(made.rest)
    if not as_json:
        click.echo(f"\n`victor diff {made.info.parent} {made.info.id}` shows both.", err=True)
    return code


def _forked(
    workspace: Path | None,
    session_id: str,
    at_turn: int | None,
    *,
    trying: bool,
    provider: str | None,
    model: str | None,
) -> _Forked:
    from victor.history import turns

    async def work(orchestrator: AgentOrchestrator) -> _Forked:
        session = orchestrator.session_coordinator
        parent = await session.resolve(session_id, str(orchestrator.workspace))
        had = turns(await session.load(parent))
        last = at_turn if at_turn is not None else len(had) - (1 if trying and had else 0)
        if trying and last == len(had):
            raise click.UsageError(
                f"Session {parent} has no turn after turn {last}, so there is nothing to try."
            )
        info = await session.fork(
            parent,
            os.urandom(8).hex(),
            at_turn=last,
            provider=provider or "",
            model=model or "",
        )
        return _Forked(info, tuple(turn.words for turn in had[last:] if turn.words.strip()))

    return with_record(workspace, work)


def _tell(info: SessionInfo, *, as_json: bool) -> None:
    if as_json:
        from victor.cli.json_lines import plain

        click.echo(json.dumps(plain(info), indent=2))
        return
    from victor.visible import one_line

    kept = f"after turn {info.parent_turn}" if info.parent_turn else "before its first turn"
    parent = one_line(info.parent)
    click.echo(f"{info.id}: a fork of {parent} {kept}. `victor chat --resume {info.id}` goes on.")
