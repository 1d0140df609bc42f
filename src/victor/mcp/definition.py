"""What a server says of a tool: what a person approves, and what the model is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from victor.messages import Effect, JsonObject, ToolSpec
from victor.visible import visible

LONGEST_DESCRIPTION = 4_000
LONGEST_SCHEMA = 20_000
LONGEST_NAME = 64
"""What every vendor takes."""


@dataclass(frozen=True)
class Definition:
    """A tool of a server, with nothing hidden in its texts: signs nobody sees are spelled out."""

    server: str
    name: str
    """As the server spells it."""
    description: str
    schema: JsonObject

    @classmethod
    def of(cls, server: str, name: str, description: str, schema: Any) -> Definition | None:
        """Return the definition; None for one that no model could be told, or that is too long."""
        try:
            length = len(json.dumps(schema))
        except (TypeError, ValueError, RecursionError):
            return None
        takes_object = isinstance(schema, Mapping) and schema.get("type", "object") == "object"
        if not takes_object or length > LONGEST_SCHEMA or len(description) > LONGEST_DESCRIPTION:
            return None
        if not name or len(name) > LONGEST_NAME * 2:
            return None
        plain = _visible({"type": "object", "properties": {}, **schema})
        return cls(server, name, visible(description), plain)

    @property
    def key(self) -> str:
        """What it is approved under."""
        return self.name

    @cached_property
    def text(self) -> str:
        """All of it, for a person to read."""
        schema = json.dumps(self.schema, indent=1, sort_keys=True, ensure_ascii=False)
        return f"{visible(self.name)}\n{self.description}\n{schema}"

    @cached_property
    def digest(self) -> str:
        """A hash that no other definition has."""
        parts = (self.name, self.description, json.dumps(self.schema, sort_keys=True))
        return sha256(json.dumps(parts).encode()).hexdigest()

    def spec(self, name: str, effect: Effect) -> ToolSpec:
        """Return what the model is told, under the name that it calls it by."""
        description = f"{self.description or self.name}\n(A tool of the MCP server {self.server}.)"
        return ToolSpec(name, description, self.schema, effect)


def offered_name(server: str, tool: str, taken: set[str]) -> str:
    """Return a name that every vendor takes and that is not in `taken`, and add it there."""
    plain = "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in "_-") else "_" for sign in tool
    )
    name = f"mcp__{server}__{plain}"
    if plain != tool or len(name) > LONGEST_NAME or name in taken:
        ending = sha256(tool.encode(errors="surrogatepass")).hexdigest()[:8]
        name = f"{name[: LONGEST_NAME - 9]}_{ending}"
    taken.add(name)
    return name


def _visible(value: Any) -> Any:
    match value:
        case str():
            return visible(value)
        case Mapping():
            return {visible(str(key)): _visible(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_visible(inner) for inner in value]
    return value
