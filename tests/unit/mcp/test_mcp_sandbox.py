"""Servers that run in the sandbox because their settings say so."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from victor.errors import ConfigError
from victor.mcp import ServerOptions, State, servers_of
from victor.protocols import Network, NoSandbox, ToolEnvironment
from victor.safety.sandbox import sandbox_of

pytest.importorskip("mcp", reason="pip install 'victor-ai[mcp]'")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The setting of a server that writes a file; the program lies where it can be seen."""
    there = shutil.copy(Path(__file__).parent / "programs/odd_server.py", tmp_path / "server.py")

    def told(file: Path, **more: Any) -> dict[str, Any]:
        args = (str(there), "writes", str(file))
        return {"command": sys.executable, "args": args, **more}

    return told


async def written(told: dict[str, Any], folder: Path, sandbox: Any) -> str:
    """Return what the server says of its attempt to write, or why it does not run."""
    config = {"mcp_servers": {"odd": told}, "mcp_wait": 20.0}
    servers = servers_of(config, folder, folder / "data", sandbox=sandbox)
    assert servers is not None
    try:
        await servers.join()
        (server,) = servers.servers
        if server.state is not State.RUNNING:
            return server.failure
        servers.approve(server, servers.unapproved(server))
        (tool,) = await servers.join()
        output = await tool.run({}, ToolEnvironment(folder, timeout=10.0))
        return output.content
    finally:
        await servers.aclose()


async def test_a_confined_server_changes_nothing_but_what_it_may(
    tmp_path: Path, program: Callable[..., dict[str, Any]]
) -> None:
    sandbox = sandbox_of("auto", tmp_path)
    confinement = await sandbox.confinement()
    if not confinement.confines:
        pytest.skip(f"install bubblewrap: {confinement.reason}")
    file = tmp_path / "notes" / "file"
    file.parent.mkdir()
    assert "Read-only" in await written(program(file, sandbox=True), tmp_path, sandbox)
    assert not file.exists()
    may = program(file, sandbox=True, writable=("notes",), network=False)
    assert await written(may, tmp_path, sandbox) == "written"
    assert file.read_text() == "written"


async def test_without_a_sandbox_it_does_not_run(
    tmp_path: Path, program: Callable[..., dict[str, Any]]
) -> None:
    told = program(tmp_path / "file", sandbox=True)
    said = await written(told, tmp_path, NoSandbox("none was asked for"))
    assert said == "it is to run in a sandbox, and there is none: none was asked for"
    assert await written(program(tmp_path / "file"), tmp_path, NoSandbox()) == "written"


def test_what_is_said_of_the_sandbox_has_to_fit() -> None:
    found = ServerOptions.of("a", {"command": "b", "sandbox": True, "network": ("c.example",)})
    assert (found.network, found.hosts) == (Network.HOSTS, ("c.example",))
    assert ServerOptions.of("a", {"command": "b"}).network is Network.ALL
    with pytest.raises(ConfigError, match="for a server in the sandbox"):
        ServerOptions.of("a", {"command": "b", "writable": ("c",)})
    with pytest.raises(ConfigError, match="not for a url"):
        ServerOptions.of("a", {"url": "http://a", "sandbox": True})
    with pytest.raises(ConfigError, match="oauth is for a url"):
        ServerOptions.of("a", {"command": "b", "oauth": {"client_id": "c"}})
    with pytest.raises(ConfigError, match=r"client_secret holds a secret in plain text"):
        ServerOptions.of("a", {"url": "http://a", "oauth": {"client_secret": "c"}})
