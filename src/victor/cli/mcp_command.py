"""`victor mcp`: the servers of tools, resources and prompts, and which of them are approved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from victor.cli.exits import ExitCode
from victor.cli.options import workspace_option
from victor.cli.start import Options, configuration
from victor.errors import UnknownNameError
from victor.visible import one_line

if TYPE_CHECKING:
    from victor.mcp import McpServers, Server
    from victor.mcp.offers import Resource, Template

_SECONDS = 30.0

Function = TypeVar("Function", bound=Callable[..., Any])


@click.group(invoke_without_command=True)
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def mcp(ctx: click.Context, workspace: Path | None, as_json: bool) -> None:
    """List the MCP servers, their state and their tools.

    Those of the setting mcp_servers. Starts them to ask them, and ends them again.
    """
    ctx.obj = Options(workspace)
    if ctx.invoked_subcommand is None:
        asyncio.run(_list(ctx.obj, as_json=as_json))


def _with_options(function: Function) -> Function:
    """Give a command the options, with the folder also where it is typed behind the command."""

    @click.pass_obj
    @wraps(function)
    def with_options(options: Options, /, workspace: Path | None, **others: Any) -> Any:
        return function(replace(options, workspace=workspace or options.workspace), **others)

    return cast("Function", workspace_option(with_options))


@mcp.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Approve without asking.")
@_with_options
def approve(options: Options, name: str, yes: bool) -> int:
    """Show what a server offers that is new or changed, and approve it.

    Until then it is not used; a later change of it asks again.
    """
    return asyncio.run(_approve(options, name, yes=yes))


@mcp.command()
@click.argument("name")
@_with_options
def login(options: Options, name: str) -> int:
    """Sign in to a server that asks for it, in your browser.

    What it gives for that is kept in a file that only you can read, and renewed by itself.
    """
    from victor.cli.mcp_sign_in import run_login

    return run_login(options, name)


@mcp.command()
@click.argument("name")
@_with_options
def logout(options: Options, name: str) -> int:
    """Forget the sign-in at a server."""
    from victor.cli.mcp_sign_in import run_logout

    return run_logout(options, name)


@mcp.command()
@click.argument("name", required=False)
@_with_options
def resources(options: Options, name: str | None) -> None:
    """List what servers let be read, or what the server NAME does.

    In a message, @NAME:ADDRESS lets a resource go along.
    """
    asyncio.run(_show(options, name, _resources))


@mcp.command()
@click.argument("name", required=False)
@_with_options
def prompts(options: Options, name: str | None) -> None:
    """List the prompts of servers, or of the server NAME, with their arguments.

    In a conversation, /NAME:PROMPT starts one.
    """
    asyncio.run(_show(options, name, _prompts))


@asynccontextmanager
async def _servers(options: Options) -> AsyncIterator[McpServers | None]:
    from victor.mcp import servers_of
    from victor.safety.sandbox import sandbox_of

    config, folder = configuration(options).get_config(), options.folder
    sandbox = sandbox_of(config.get("sandbox") or "auto", folder)
    servers = servers_of(config, folder, sandbox=sandbox)
    if servers is None:
        yield None
        return
    try:
        for server in servers.servers:
            server.start()
        await servers.settle(_SECONDS)
        yield servers
    finally:
        await servers.aclose()


async def _list(options: Options, *, as_json: bool) -> None:
    async with _servers(options) as servers:
        rows = [] if servers is None else [_row(servers, one) for one in servers.servers]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("No MCP servers are set; docs/mcp.md says how.")
    for row in rows:
        _print(row)


def _print(row: dict[str, Any]) -> None:
    why = f" ({row['failure']})" if row["failure"] else ""
    click.echo(f"{row['name']}: {row['state']}{why}, {one_line(row['place'])}")
    for tool in row["tools"]:
        said = one_line(tool["description"], 80)
        click.echo(f"  {one_line(tool['name'])}: {said}{_mark(tool['approved'])}")
    for prompt in row["prompts"]:
        said = one_line(prompt["description"], 80)
        click.echo(f"  {prompt['command']}: {said}{_mark(prompt['approved'])}")
    if row["resources"] is not None:
        count = row["resources"]["count"]
        click.echo(f"  resources: {count}{_mark(row['resources']['approved'])}")
    for fault in row["faults"]:
        click.echo(f"  {fault}")
    if not row["approved"]:
        click.echo(f"  Approve them with: victor mcp approve {row['name']}")


def _mark(approved: bool) -> str:
    return "" if approved else "  [not approved]"


def _row(servers: McpServers, server: Server) -> dict[str, Any]:
    new, offered = servers.unapproved(server), server.offered
    reading = offered.reading
    return {
        "name": server.options.name,
        "state": str(server.state),
        "failure": server.failure,
        "place": server.options.place,
        "log": str(server.log),
        "left_out": offered.left_out,
        "faults": list(offered.faults),
        "approved": not new,
        "tools": [
            {"name": one.name, "description": one.description, "approved": one not in new}
            for one in offered.tools
        ],
        "prompts": [
            {
                "command": f"{one.command} {one.usage}".rstrip(),
                "description": one.description,
                "approved": one not in new,
            }
            for one in offered.prompts
        ],
        "resources": None
        if reading is None
        else {"count": len(offered.resources), "approved": reading not in new},
    }


async def _show(
    options: Options, name: str | None, lines: Callable[[Server], tuple[tuple[str, str], ...]]
) -> None:
    async with _servers(options) as servers:
        known = () if servers is None else servers.servers
        chosen = known if name is None else (_named(known, name),)
        found = [line for server in chosen for line in lines(server)]
        silent = [one for one in chosen if one.failure]
    for typed, said in found:
        click.echo(f"{one_line(typed, 300)}  {one_line(said)}".rstrip())
    for server in silent:
        click.echo(f"{server.options.name} does not run: {server.failure}", err=True)
    if not found and not silent:
        click.echo("There are none.")


def _resources(server: Server) -> tuple[tuple[str, str], ...]:
    name = server.options.name
    templates = server.offered.reading.templates if server.offered.reading else ()
    found: tuple[Resource | Template, ...] = (*server.offered.resources, *templates)
    return tuple((f"@{name}:{one.uri}", one.description or one.name) for one in found)


def _prompts(server: Server) -> tuple[tuple[str, str], ...]:
    prompts = server.offered.prompts
    return tuple((f"{one.command} {one.usage}".rstrip(), one.description) for one in prompts)


def _named(servers: tuple[Server, ...], name: str) -> Server:
    for server in servers:
        if server.options.name == name:
            return server
    raise UnknownNameError("MCP server", name, tuple(one.options.name for one in servers))


async def _approve(options: Options, name: str, *, yes: bool) -> int:
    async with _servers(options) as servers:
        if servers is None:
            raise UnknownNameError("MCP server", name, ())
        server = _named(servers.servers, name)
        if server.failure:
            click.echo(f"Error: {name} does not run: {server.failure}", err=True)
            return ExitCode.FAILED
        new = servers.unapproved(server)
        if not new:
            click.echo("All that it offers is approved.")
            return ExitCode.DONE
        click.echo(servers.question(server, new))
        if not yes and not click.confirm("\nApprove all of these?", default=False):
            click.echo("Nothing was approved.", err=True)
            return ExitCode.FAILED
        servers.approve(server, new)
        click.echo(f"Approved: {len(new)}. A change of one asks again.")
        return ExitCode.DONE
