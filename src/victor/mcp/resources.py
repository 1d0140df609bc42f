"""Tools that list and read the resources of all servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

from victor.errors import ToolError
from victor.mcp.content import contents_shown
from victor.mcp.offers import LONGEST_URI, Resource
from victor.mcp.server import Server
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput

PAGE = 100
"""So many resources are listed at once."""

Readable: TypeAlias = Callable[[], tuple[Server, ...]]
"""Returns the servers whose resources a person has agreed to be read."""


@dataclass(frozen=True, slots=True)
class ListResources:
    """Tells what can be read. The words are the servers'."""

    readable: Readable

    spec: ClassVar[ToolSpec] = ToolSpec(
        "list_mcp_resources",
        "List what MCP servers let you read: addresses, and forms of addresses with places to fill"
        f" in. {PAGE} at a time.",
        {
            "type": "object",
            "properties": {
                "server": {"type": "string", "description": "Only this server's"},
                "offset": {"type": "integer", "minimum": 0, "description": "How many to skip"},
            },
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: it changes nothing."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return that it reaches for nothing but a list."""
        return Access()

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the list. Raises `ToolError`."""
        name, offset = arguments.get("server"), arguments.get("offset") or 0
        servers = self.readable() if name is None else (named(self.readable(), name),)
        lines: list[str] = []
        total = 0
        for server in servers:
            await server.list_again(environment.timeout * 0.9)
            found = server.offered.resources
            here = found[max(0, offset - total) : max(0, offset + PAGE - total)]
            total += len(found)
            templates = server.offered.reading.templates if server.offered.reading else ()
            told = [f"{server.options.name}: {_line(one)}" for one in here]
            told += [
                f"{server.options.name}: {one.uri} (a form; fill in what is in braces) {one.name}:"
                f" {one.description}"
                for one in templates
                if not offset
            ]
            lines += map(server.concealed, told)
        if total > offset + PAGE:
            lines.append(f"[{total} in all; offset {offset + PAGE} goes on]")
        if not lines:
            return ToolOutput("There are no resources.")
        source = ", ".join(server.options.source for server in servers)
        return ToolOutput("\n".join(lines), source=source)


@dataclass(frozen=True, slots=True)
class ReadResource:
    """Reads a resource: what its server lists without asking, any other address by leave only."""

    readable: Readable

    spec: ClassVar[ToolSpec] = ToolSpec(
        "read_mcp_resource",
        "Read a resource of an MCP server, such as list_mcp_resources names.",
        {
            "type": "object",
            "properties": {
                "server": {"type": "string", "description": "The server's name"},
                "uri": {"type": "string", "description": "The resource's address"},
            },
            "required": ["server", "uri"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: it changes nothing."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return `SERVER:URI`, for rules: as a path where the server lists it.

        Else as a host that is talked to: an address that the model makes up tells its server
        something.
        """
        server, uri = str(arguments["server"]), str(arguments["uri"])
        place = f"{server}:{uri}"
        known = (one for one in self.readable() if one.options.name == server)
        if any(uri == resource.uri for one in known for resource in one.offered.resources):
            return Access(paths=(place,))
        return Access(hosts=(place,))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return what it holds, marked as the server's words. Raises `ToolError`."""
        server = named(self.readable(), arguments["server"])
        seconds = environment.timeout * 0.95
        return await read(server, arguments["uri"], seconds, sees_images=environment.sees_images)


async def read(server: Server, uri: str, seconds: float, *, sees_images: bool) -> ToolOutput:
    """Return what the resource holds, marked as its server's words. Raises `ToolError`."""
    if len(uri) > LONGEST_URI:
        raise ToolError(f"An address may have {LONGEST_URI:,} characters at most.")
    result = await server.read(uri, seconds)
    text, images = contents_shown(result.contents, sees_images=sees_images)
    if not text and not images:
        text = "[It is empty.]"
    return ToolOutput(server.concealed(text), source=server.options.source, images=images)


def named(servers: tuple[Server, ...], name: str) -> Server:
    """Return the server of this name. Raises `ToolError` where its resources may not be read."""
    for server in servers:
        if server.options.name == name:
            return server
    known = ", ".join(server.options.name for server in servers) or "none"
    raise ToolError(
        f"No MCP server {name!r} has resources that may be read. Those that have: {known}."
    )


def _line(one: Resource) -> str:
    size = f", {one.size:,} bytes" if one.size is not None else ""
    kind = f" ({one.media_type}{size})" if one.media_type or size else ""
    return f"{one.uri}{kind} {one.name}: {one.description}".rstrip(": ")
