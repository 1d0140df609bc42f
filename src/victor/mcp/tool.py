"""A server's tool, as a tool of Victor's."""

from __future__ import annotations

from pathlib import Path

from victor.errors import ToolError
from victor.mcp.content import shown
from victor.mcp.definition import Definition
from victor.mcp.server import Server
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.provenance import targets_in


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

    def targets(self, arguments: JsonObject) -> tuple[str, ...] | None:
        """Return whom or what a call is aimed at; None where the person has not said it."""
        return targets_in(arguments, self.server.options.targets.get(self.definition.name))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return what the server gives, marked as its words. Raises `ToolError`."""
        if self.definition not in self.server.definitions:
            raise ToolError(
                f"{self._spec.name} is not what was approved any more. It will be asked about when"
                " the person writes again."
            )
        seconds = environment.timeout * 0.95
        result = await self.server.call(self.definition.name, dict(arguments), seconds)
        text, images = shown(result.content, sees_images=environment.sees_images)
        return ToolOutput(
            self.server.concealed(text),
            is_error=bool(result.is_error),
            source=self.server.options.source,
            images=images,
        )
