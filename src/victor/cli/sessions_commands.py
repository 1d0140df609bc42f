"""`victor sessions`: the recorded conversations."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from victor.cli.export_commands import export, import_session
from victor.cli.on_record import with_record
from victor.cli.options import workspace_option

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.history import RecordedTurn
    from victor.plans import Plan
    from victor.protocols import Record, SessionInfo, SessionMatch

all_option = click.option("--all", "everywhere", is_flag=True, help="Those of every folder.")
limit_option = click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1), help="At most."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group(invoke_without_command=True)
@workspace_option
@all_option
@click.option("--tag", metavar="TAG", help="Those that have this tag.")
@limit_option
@json_option
@click.pass_context
def sessions(
    context: click.Context,
    workspace: Path | None,
    everywhere: bool,
    tag: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the recorded sessions of this folder, the last used first.

    `victor chat --resume ID` goes on with one. Where an ID is asked for, its beginning will do, and
    `last` is the one used last in this folder.
    """
    if context.invoked_subcommand is not None:
        return

    async def found(orchestrator: AgentOrchestrator) -> tuple[SessionInfo, ...]:
        folder = None if everywhere else str(orchestrator.workspace)
        return await orchestrator.session_coordinator.list(folder, limit, tag)

    listed = with_record(workspace, found)
    if as_json:
        _print_json(listed)
        return
    _print_sessions(listed)


def _print_json(values: Any) -> None:
    from victor.cli.json_lines import plain

    click.echo(json.dumps(plain(values), indent=2))


def _print_sessions(found: tuple[SessionInfo, ...]) -> None:
    if not found:
        click.echo("No session found. `victor chat` begins one; --all lists those of all folders.")
        return
    from victor.cli.session_table import ago, session_table
    from victor.cli.terminal import console
    from victor.visible import one_line

    if sys.stdout.isatty():
        console().print(session_table(found))
        return
    for info in found:
        click.echo(
            f"{one_line(info.id)}\t{ago(info.updated)}\t{info.turns}\t{one_line(info.title)}"
        )


@sessions.command()
@click.argument("text", metavar="WORDS...", nargs=-1, required=True)
@workspace_option
@all_option
@limit_option
@json_option
def search(
    text: tuple[str, ...], workspace: Path | None, everywhere: bool, limit: int, as_json: bool
) -> None:
    """Find sessions by what was said in them, and show the place.

    Each word must stand in one message or in the title, in any case and also as a part of another
    word. Words in double quotes stand together.

    \b
      victor sessions search parser test
      victor sessions search '"off by one"' --all
    """

    async def found(orchestrator: AgentOrchestrator) -> tuple[SessionMatch, ...]:
        folder = None if everywhere else str(orchestrator.workspace)
        return await orchestrator.session_coordinator.search(" ".join(text), folder, limit)

    matches = with_record(workspace, found)
    if as_json:
        _print_json(matches)
        return
    from victor.cli.session_table import show_match
    from victor.cli.terminal import console

    screen = console(plain=not sys.stdout.isatty())
    for match in matches:
        show_match(screen, match)
    if not matches:
        click.echo("No session has these words. --all looks in those of all folders, too.")


@sessions.command()
@click.argument("session_id", metavar="[ID]", default="last")
@workspace_option
@json_option
def show(session_id: str, workspace: Path | None, as_json: bool) -> None:
    """Show what was said in a session, turn by turn."""

    async def loaded(orchestrator: AgentOrchestrator) -> tuple[SessionInfo, tuple[Record, ...]]:
        session = orchestrator.session_coordinator
        found = await session.resolve(session_id, str(orchestrator.workspace))
        return await session.info(found), await session.load(found)

    info, records = with_record(workspace, loaded)
    if as_json:
        _print_json(records)
        return
    from victor.history import taken_back, turns
    from victor.transcript.words import facts, title

    had = turns(records)
    click.echo(title(info))
    for name, value in facts(info, cut_off=sum(turn.end is None for turn in had)):
        click.echo(f"  {name:<12} {value}")
    gone = taken_back(records)
    for turn in had:
        click.echo(f"\nTurn {turn.number}{' (taken back)' if turn.id in gone else ''}")
        for line in _shown(turn):
            click.echo(line)


@sessions.command()
@click.argument("session_id", metavar="[ID]", default="last")
@workspace_option
@json_option
def plan(session_id: str, workspace: Path | None, as_json: bool) -> None:
    """Show the plan that was made in a session.

    `victor chat --resume ID --build-plan` hands it over.
    """

    async def made(orchestrator: AgentOrchestrator) -> Plan | None:
        await orchestrator.resume(session_id)
        return await orchestrator.plan()

    found = with_record(workspace, made)
    if as_json:
        _print_json(found)
    elif found is None:
        click.echo("There is no plan. `victor chat --mode plan` has one made.", err=True)
    elif sys.stdout.isatty():
        from victor.cli.plan_view import show_plan
        from victor.cli.terminal import console

        show_plan(console(), found)
    else:
        click.echo(found.text.rstrip())


def _shown(turn: RecordedTurn) -> list[str]:
    """Return what happened in a turn, each call and result on one line."""
    from victor.cli.tool_lines import main_argument, summary
    from victor.messages import Text
    from victor.transcript.words import outcome, took
    from victor.visible import one_line, readable

    lines = []
    for record in turn.records:
        if record.result is not None:
            lines.append(f"    {summary(record.result)}")
        if record.kind == "user" and record.message is not None:
            texts = [part.text for part in record.message.parts if isinstance(part, Text)]
            lines.append(f"> {readable(''.join(texts[:1]))}")
            lines += [f"    ({one_line(text)})" for text in texts[1:]]
        elif record.message is not None and (said := readable(record.message.text)):
            lines.append(said)
        lines += [f"  * {one_line(c.name)} {main_argument(c)}".rstrip() for c in record.calls]
        if record.kind == "compacted":
            lines.append("    (the context was compacted)")
    ends = (outcome(turn), took(turn))
    return [*lines, *(f"    ({said})" for said in ends if said)]


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.argument("title", nargs=-1, required=True)
@workspace_option
def rename(session_id: str, title: tuple[str, ...], workspace: Path | None) -> None:
    """Give a session another title."""

    async def renamed(orchestrator: AgentOrchestrator) -> SessionInfo:
        session = orchestrator.session_coordinator
        found = await session.resolve(session_id, str(orchestrator.workspace))
        await session.rename(found, " ".join(title))
        return await session.info(found)

    info = with_record(workspace, renamed)
    from victor.visible import one_line

    click.echo(f"{one_line(info.id)}: {one_line(info.title)}")


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@workspace_option
def tag(session_id: str, tags: tuple[str, ...], workspace: Path | None) -> None:
    """Put tags on a session.

    `victor sessions --tag TAG` lists those that have one.
    """
    _tag(session_id, workspace, add=tags)


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@workspace_option
def untag(session_id: str, tags: tuple[str, ...], workspace: Path | None) -> int:
    """Take tags off a session."""
    from victor.cli.exits import ExitCode

    missing = _tag(session_id, workspace, remove=tags)
    for one in missing:
        click.echo(f"It had no tag #{one}.", err=True)
    return ExitCode.FAILED if missing else ExitCode.DONE


def _tag(
    session_id: str,
    workspace: Path | None,
    *,
    add: tuple[str, ...] = (),
    remove: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Change the tags, print those that it has then, and return what could not be taken off."""

    async def tagged(orchestrator: AgentOrchestrator) -> tuple[str, set[str], tuple[str, ...]]:
        session = orchestrator.session_coordinator
        found = await session.resolve(session_id, str(orchestrator.workspace))
        before = set((await session.info(found)).tags)
        return found, before, await session.tag(found, *add, remove=remove)

    found, before, tags = with_record(workspace, tagged)
    click.echo(f"{found}: {' '.join(f'#{one}' for one in tags) or 'no tags'}")
    return tuple(one for one in remove if one not in before)


@sessions.command()
@click.argument("session_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Delete without asking.")
@workspace_option
def delete(session_ids: tuple[str, ...], yes: bool, workspace: Path | None) -> int:
    """Forget sessions, with everything that was said in them.

    Their checkpoints go as well, so what they did to files can no longer be undone, and so do the
    outputs of tools that were set aside.
    """
    from victor.cli.exits import ExitCode

    async def meant(orchestrator: AgentOrchestrator) -> tuple[SessionInfo, ...]:
        session = orchestrator.session_coordinator
        folder = str(orchestrator.workspace)
        return tuple([await session.info(await session.resolve(i, folder)) for i in session_ids])

    async def forgotten(orchestrator: AgentOrchestrator) -> None:
        for info in infos:
            await orchestrator.delete_session(info.id)
            click.echo(f"Deleted {info.id}.")

    infos = tuple(dict.fromkeys(with_record(workspace, meant)))
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("There is no terminal to ask on. Give --yes to delete.")
        _print_sessions(infos)
        from victor.transcript.words import counted

        if not click.confirm(f"Delete {counted(len(infos), 'session')} for good?", default=False):
            return ExitCode.FAILED
    with_record(workspace, forgotten)
    return ExitCode.DONE


sessions.add_command(export)
sessions.add_command(import_session)
