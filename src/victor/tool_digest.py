"""Tools in a few words, for a model that is to choose among those that it is not shown whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from victor.messages import ToolSpec
from victor.protocols.selection import FIND_TOOLS

NAMES_LENGTH = 2_400
"""Characters that the names of tools take together in `names_of`: some 600 tokens."""
FEW = 30
"""So many names are listed to a model that has called what is not there."""
DESCRIPTION_LENGTH = 300
ARGUMENTS_LENGTH = 500

_SERVER = "mcp__"


def names_of(tools: Iterable[ToolSpec], limit: int = NAMES_LENGTH) -> str:
    """Return the tools' names, those of each server on a line of their own, cut to `limit`.

    Each line gets the same room. The text is the same for the same tools in the same order.
    """
    lines: dict[str, list[str]] = {}
    for tool in tools:
        server, name = _parts(tool.name)
        lines.setdefault(server, []).append(name)
    if not lines:
        return ""
    room = limit // len(lines)
    told: list[str] = []
    for server, names in lines.items():
        line = f"{server}: {_as_many(names, room - len(server) - 2)}" if server else ""
        told.append(line or _as_many(names, room))
    return "\n".join(told) if sum(map(len, told)) <= 2 * limit else _as_many(list(lines), limit)


def summary_of(tool: ToolSpec) -> str:
    """Return a tool as a signature, `name(argument: type, optional?: type)`, and what it does."""
    properties: Mapping[str, Any] = tool.parameters.get("properties") or {}
    required = tool.parameters.get("required") or ()
    told = ", ".join(
        f"{name}{'' if name in required else '?'}: {_kind(schema)}"
        for name, schema in properties.items()
    )
    about = " ".join(tool.description.split())
    return (
        f"{tool.name}({_cut(told, ARGUMENTS_LENGTH)})\n    {_cut(about, DESCRIPTION_LENGTH)}"
    ).rstrip()


def unknown_text(name: str, known: Collection[str]) -> str:
    """Return what the model is told that called a tool which there is not: all that there are, or
    where they are many those that it may have meant."""
    if len(known) <= FEW:
        return f"There is no tool {name!r}. The tools are: {', '.join(known) or 'none'}."
    near = ", ".join(get_close_matches(name, known, n=5, cutoff=0.5))
    meant = f" Did you mean: {near}?" if near else ""
    found = f" {FIND_TOOLS} finds what there is." if FIND_TOOLS in known else ""
    return f"There is no tool {name!r}.{meant}{found}"


def found_text(query: str, found: Iterable[ToolSpec], further: Iterable[str] = ()) -> str:
    """Return what the model is told of a search: the tools found, and names that fit less."""
    tools = tuple(found)
    if not tools:
        return f"No tool was found for {query!r}."
    few = "1 tool" if len(tools) == 1 else f"{len(tools)} tools"
    lines = [f"{few} for {query!r}; call them from now on as any other:"]
    lines += [summary_of(tool) for tool in tools]
    if names := ", ".join(further):
        lines.append(f"These fit less; find them by name: {names}")
    return "\n".join(lines)


def _parts(name: str) -> tuple[str, str]:
    """Return the server that a tool is of, as its name begins, and the rest of the name."""
    server, apart, rest = name.removeprefix(_SERVER).partition("__")
    if not name.startswith(_SERVER) or not apart or not rest:
        return "", name
    return f"{_SERVER}{server}__*", rest


def _as_many(names: list[str], room: int) -> str:
    """Return as many of the names as have room, and how many more there are."""
    told: list[str] = []
    for name in names:
        room -= len(name) + 2
        if room < 0:
            break
        told.append(name)
    left = len(names) - len(told)
    if left:
        told.append(f"and {left} more" if told else f"{left} tools")
    return ", ".join(told)


def _kind(schema: object) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    if choices := schema.get("enum"):
        return " | ".join(str(choice) for choice in choices)
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_kind(schema.get('items'))}"
    if isinstance(kind, list | tuple):
        return " | ".join(map(str, kind))
    return str(kind or "any")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 4]} ..."
