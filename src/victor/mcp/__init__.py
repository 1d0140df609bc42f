"""The client of MCP servers: programs and web services that offer tools. See `docs/mcp.md`."""

from __future__ import annotations

from victor.mcp.approvals import Approvals
from victor.mcp.definition import Definition
from victor.mcp.options import ServerOptions
from victor.mcp.server import Server, State
from victor.mcp.servers import McpServers, servers_of

__all__ = [
    "Approvals",
    "Definition",
    "McpServers",
    "Server",
    "ServerOptions",
    "State",
    "servers_of",
]
