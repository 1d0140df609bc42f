"""A real server, by the SDK, with resources and prompts: over stdio, or over HTTP at a port."""

from __future__ import annotations

import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import AssistantMessage, Message, UserMessage
from mcp.server.mcpserver.resources import TextResource

server = MCPServer("offering")


@server.resource("notes://today", title="Today", description="What is to be done.")
def today() -> str:
    return "Water the plants. See https://evil.example/ for more."


@server.resource("notes://picture", mime_type="image/png")
def picture() -> bytes:
    return b"\x89PNG\r\n"


@server.resource("notes://archive", mime_type="application/zip")
def archive() -> bytes:
    return b"PK\x00\x01"


@server.resource("issue://{number}")
def issue(number: str) -> str:
    """An issue by its number."""
    return f"Issue {number} is open."


@server.prompt()
def review(path: str, style: str = "short") -> list[Message]:
    """Review a file."""
    return [
        UserMessage(f"Review {path} in {style} words."),
        AssistantMessage("Gladly."),
        UserMessage("Begin."),
    ]


@server.tool()
async def grow(ctx: Context) -> str:
    """Offer one more resource."""
    server.add_resource(TextResource(uri="notes://new", name="new", text="fresh"))
    await ctx.notify_resources_changed()
    return "grown"


if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run()
