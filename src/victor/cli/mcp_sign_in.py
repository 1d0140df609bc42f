"""`victor mcp login` and `logout`: signing in to MCP servers, and forgetting that."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import click

from victor.cli.approval import read_typed_line
from victor.cli.exits import ExitCode
from victor.cli.start import Options, configuration
from victor.cli.terminal import interactive
from victor.errors import UnknownNameError
from victor.visible import visible

if TYPE_CHECKING:
    from victor.mcp import ServerOptions


def run_login(options: Options, name: str) -> int:
    """Let the person sign in to a server, and return the exit code. Raises `ConfigError`."""
    from victor.config.files import data_folder
    from victor.mcp.login import login
    from victor.mcp.servers import SIGN_INS
    from victor.mcp.sign_ins import SignIns

    server = _server(options, name)
    sign_ins = SignIns(data_folder() / SIGN_INS)
    paste = _pasted if interactive() else None
    if not asyncio.run(login(server, sign_ins, _show, paste)):
        click.echo(f"{name} lets everybody in: there is nothing to sign in to.")
        return ExitCode.DONE
    click.echo(f"You are signed in to {name}. `victor mcp logout {name}` forgets that.")
    return ExitCode.DONE


def run_logout(options: Options, name: str) -> int:
    """Forget the sign-in at a server, and return the exit code. Raises `ConfigError`."""
    from victor.config.files import data_folder
    from victor.mcp.servers import SIGN_INS
    from victor.mcp.sign_ins import SignIns

    sign_in = SignIns(data_folder() / SIGN_INS).of(_server(options, name))
    said = f"The sign-in at {name} is forgotten here." if sign_in.forget() else "There was none."
    click.echo(said)
    return ExitCode.DONE


def _server(options: Options, name: str) -> ServerOptions:
    from victor.mcp import ServerOptions

    told = configuration(options).get_config().get("mcp_servers") or {}
    if name not in told:
        raise UnknownNameError("MCP server", name, tuple(told))
    return ServerOptions.of(name, told[name])


async def _show(url: str) -> None:
    click.echo(f"Sign in at:\n\n  {visible(url)}\n")
    graphical = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if graphical:
        import webbrowser

        await asyncio.to_thread(webbrowser.open, url)
    if interactive():
        click.echo("If your browser runs elsewhere, paste the address that it is sent to here.")


async def _pasted() -> str | None:
    return await read_typed_line(lambda: None)
