"""A real server, by the SDK: over stdio, or over HTTP where it is given a port."""

from __future__ import annotations

import os
import sys

from mcp.server.mcpserver import Image, MCPServer

server = MCPServer("real")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def picture() -> Image:
    """A picture."""
    return Image(data=b"\x89PNG\r\n", format="png")


@server.tool()
def environment() -> list[str]:
    """The names of the variables that it is given."""
    return sorted(os.environ)


@server.tool()
def broken() -> str:
    """It always fails."""
    raise ValueError("not today")


print("words for the log", file=sys.stderr, flush=True)
if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    print("a greeting that is no message", flush=True)
    server.run()
