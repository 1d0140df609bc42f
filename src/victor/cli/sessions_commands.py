"""`victor sessions`: the recorded conversations."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from victor.cli.options import workspace_option
from victor.cli.start import Options, configuration, session_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from victor.protocols import Record, SessionInfo
    from victor.storage.sqlite import SqliteSessionStore


@click.group(invoke_without_command=True)
@workspace_option
@click.option("--all", "everywhere", is_flag=True, help="List those of every folder.")
@click.option("--search", metavar="TEXT", help="List those in which TEXT stands.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def sessions(
    context: click.Context,
    workspace: Path | None,
    everywhere: bool,
    search: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the recorded sessions of this folder, the last used first.

    `victor chat --resume ID` goes on with one.
    """
    if context.invoked_subcommand is not None:
        return
    options = Options(workspace)
    folder = None if everywhere else str(options.folder)
    if search:
        matches = _with_store(options, lambda store: store.search(search, folder, limit))
        found = tuple(match.info for match in matches)
    else:
        found = _with_store(options, lambda store: store.list(folder, limit))
    if as_json:
        from victor.cli.json_lines import plain

        click.echo(json.dumps([plain(info) for info in found], indent=2))
        return
    _print_sessions(found)


def _print_sessions(found: tuple[SessionInfo, ...]) -> None:
    if not found:
        click.echo("No session found. `victor chat` begins one; --all lists those of all folders.")
        return
    from victor.cli.slash_commands import ago, session_table
    from victor.cli.terminal import console
    from victor.visible import one_line

    if sys.stdout.isatty():
        console().print(session_table(found))
        return
    for info in found:
        click.echo(f"{info.id}\t{ago(info.updated)}\t{info.turns}\t{one_line(info.title)}")


@sessions.command()
@click.argument("session_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print every record as JSON.")
def show(session_id: str, as_json: bool) -> None:
    """Show what was said in a session."""
    records = _with_store(Options(), lambda store: store.load(session_id))
    if as_json:
        from victor.cli.json_lines import plain

        click.echo(json.dumps([plain(record) for record in records], indent=2))
        return
    for record in records:
        text = _shown(record)
        if text:
            click.echo(text)


def _shown(record: Record) -> str:
    from victor.cli.tool_lines import main_argument, summary
    from victor.visible import readable

    if record.result is not None:
        return f"    {summary(record.result)}"
    if record.message is None:
        return "" if record.kind == "ended" else f"    ({record.kind})"
    words = readable(record.message.text)
    if record.kind == "user":
        return f"\n> {words}"
    calls = [f"  * {call.name} {main_argument(call)}".rstrip() for call in record.calls]
    return "\n".join([*([words] if words else []), *calls])


@sessions.command()
@click.argument("session_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Delete without asking.")
def delete(session_ids: tuple[str, ...], yes: bool) -> int:
    """Forget sessions, with everything that was said in them."""
    from victor.cli.exits import ExitCode

    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("There is no terminal to ask on. Give --yes to delete.")
        if not click.confirm(f"Delete {len(session_ids)} session(s) for good?", default=False):
            return ExitCode.FAILED

    async def forget(store: SqliteSessionStore) -> None:
        for session_id in session_ids:
            await store.delete(session_id)
            click.echo(f"Deleted {session_id}.")

    _with_store(Options(), forget)
    return ExitCode.DONE


def _with_store(options: Options, work: Callable[[SqliteSessionStore], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        store = session_store(configuration(options).get_config())
        try:
            return await work(store)
        finally:
            await store.aclose()

    return asyncio.run(run())
