"""`victor mcp`: the servers of tools, and which of their tools are approved."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from victor.cli.exits import ExitCode
from victor.cli.options import workspace_option
from victor.cli.start import Options, configuration
from victor.errors import UnknownNameError
from victor.visible import one_line

if TYPE_CHECKING:
    from victor.mcp import McpServers, Server

_SECONDS = 30.0


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


@mcp.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Approve without asking.")
@click.pass_obj
def approve(options: Options, name: str, yes: bool) -> int:
    """Show a server's new and changed tools, and approve them.

    Until then they are not offered to the model; a later change of one asks again.
    """
    return asyncio.run(_approve(options, name, yes=yes))


async def _servers(options: Options) -> McpServers | None:
    from victor.mcp import servers_of

    servers = servers_of(configuration(options).get_config(), options.folder)
    if servers is not None:
        for server in servers.servers:
            server.start()
        await servers.settle(_SECONDS)
    return servers


async def _list(options: Options, *, as_json: bool) -> None:
    servers = await _servers(options)
    try:
        rows = [] if servers is None else [_row(servers, one) for one in servers.servers]
    finally:
        if servers is not None:
            await servers.aclose()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("No MCP servers are set; docs/mcp.md says how.")
    for row in rows:
        why = f" ({row['failure']})" if row["failure"] else ""
        click.echo(f"{row['name']}: {row['state']}{why}, {one_line(row['place'])}")
        for tool in row["tools"]:
            mark = "" if tool["approved"] else "  [not approved]"
            click.echo(f"  {one_line(tool['name'])}: {one_line(tool['description'], 80)}{mark}")
        if any(not tool["approved"] for tool in row["tools"]):
            click.echo(f"  Approve them with: victor mcp approve {row['name']}")


def _row(servers: McpServers, server: Server) -> dict[str, Any]:
    new = servers.unapproved(server)
    return {
        "name": server.options.name,
        "state": str(server.state),
        "failure": server.failure,
        "place": server.options.place,
        "log": str(server.log),
        "left_out": server.offered.left_out,
        "tools": [
            {"name": one.name, "description": one.description, "approved": one not in new}
            for one in server.definitions
        ],
    }


async def _approve(options: Options, name: str, *, yes: bool) -> int:
    servers = await _servers(options)
    try:
        known = {} if servers is None else {one.options.name: one for one in servers.servers}
        if servers is None or name not in known:
            raise UnknownNameError("MCP server", name, tuple(known))
        server = known[name]
        if server.failure:
            click.echo(f"Error: {name} does not run: {server.failure}", err=True)
            return ExitCode.FAILED
        new = servers.unapproved(server)
        if not new:
            click.echo("All of its tools are approved.")
            return ExitCode.DONE
        click.echo(servers.question(server, new))
        if not yes and not click.confirm("\nApprove all of these?", default=False):
            click.echo("Nothing was approved.", err=True)
            return ExitCode.FAILED
        servers.approve(server, new)
        click.echo(f"Approved: {len(new)}. A change of one asks again.")
        return ExitCode.DONE
    finally:
        if servers is not None:
            await servers.aclose()
