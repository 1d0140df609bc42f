"""A server's tool, as a tool of Victor's."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from victor.errors import ToolError
from victor.mcp.definition import Definition
from victor.mcp.server import Server
from victor.messages import Effect, Image, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput

if TYPE_CHECKING:
    from mcp_types import CallToolResult

MOST_CHARACTERS = 2_000_000
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PICTURE_BYTES = 3_500_000


class McpTool:
    """Runs a tool of a server, as long as it is what was approved."""

    def __init__(self, server: Server, definition: Definition, name: str) -> None:
        """`name` is what the model calls it by."""
        self.server = server
        self.definition = definition
        # What a server claims of its tools is not believed; the person may say it.
        reads = definition.name in server.options.read_only
        self._spec = definition.spec(name, Effect.READ_ONLY if reads else Effect.EFFECTFUL)

    @property
    def spec(self) -> ToolSpec:
        """The tool as the model is told of it."""
        return self._spec

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: what it changes is not known here."""
        return ()

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return what the server gives, marked as its words. Raises `ToolError`."""
        if self.definition not in self.server.definitions:
            raise ToolError(
                f"{self._spec.name} is not what was approved any more. It will be asked about when"
                " the person writes again."
            )
        seconds = environment.timeout * 0.95
        result = await self.server.call(self.definition.name, dict(arguments), seconds)
        text, images = _shown(result, sees_images=environment.sees_images)
        return ToolOutput(
            text[:MOST_CHARACTERS],
            is_error=bool(result.is_error),
            source=f"the MCP server {self.server.options.name}",
            images=images,
        )


def _shown(result: CallToolResult, *, sees_images: bool) -> tuple[str, tuple[Image, ...]]:
    """Return the texts of a result, and the pictures that can be shown."""
    texts: list[str] = []
    images: list[Image] = []
    for part in result.content:
        if part.type == "text":
            texts.append(part.text)
        elif part.type == "resource_link":
            texts.append(f"[resource {part.uri}: {part.name}]")
        elif part.type == "resource":
            inner = getattr(part.resource, "text", None)
            texts.append(inner if inner is not None else f"[{part.resource.uri}: no text]")
        elif part.type == "image" and sees_images and (picture := _picture(part)) is not None:
            images.append(picture)
        else:
            texts.append(f"[{part.type} that cannot be shown]")
    return "\n".join(texts), tuple(images)


def _picture(part: object) -> Image | None:
    media_type, data = getattr(part, "mime_type", ""), getattr(part, "data", "")
    if media_type not in _PICTURES or len(data) > _PICTURE_BYTES * 4 // 3:
        return None
    try:
        return Image(base64.b64decode(data, validate=True), media_type)
    except binascii.Error:
        return None
