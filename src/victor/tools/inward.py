"""What tools have in common that stay among the agent's own: they reach for nothing outside."""

from __future__ import annotations

from pathlib import Path

from victor.messages import JsonObject
from victor.protocols import Access, ToolEnvironment


class InwardTool:
    """A tool that by itself reaches for no file, command or host."""

    __slots__ = ()

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: it changes no file."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return nothing: there is nothing that a rule could name."""
        return Access()
