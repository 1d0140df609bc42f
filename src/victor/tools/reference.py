"""Tools as people read of them: in the terminal, and on a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from victor.messages import Effect, ToolSpec
from victor.protocols import ITool

EFFECTS = {
    Effect.READ_ONLY: "only reads: runs in every mode, beside others, and again where it failed",
    Effect.IDEMPOTENT: "changes something, the same however often it runs: in build mode only",
    Effect.EFFECTFUL: "changes something each time it runs: in build mode only, and never twice",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """Something that a tool is told."""

    name: str
    kind: str
    required: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class ToolReference:
    """What there is to know of a tool."""

    spec: ToolSpec
    arguments: tuple[Argument, ...]
    bounds: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()

    @classmethod
    def of(cls, tool: ITool) -> ToolReference:
        """Return what a tool tells of itself: spec, and `bounds` and `refuses` if it has them."""
        spec = tool.spec
        arguments = tuple(_arguments(spec.parameters))
        bounds, refuses = getattr(tool, "bounds", ()), getattr(tool, "refuses", ())
        return cls(spec, arguments, bounds, refuses)


def page(references: tuple[ToolReference, ...]) -> str:
    """Return the sections of all tools, in Markdown."""
    return "\n".join(_section(reference) for reference in references)


def _arguments(schema: Mapping[str, Any], before: str = "") -> Iterator[Argument]:
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        whole = f"{before}{name}"
        yield Argument(whole, _kind(one), name in required, one.get("description", ""))
        inside = one.get("items") or one
        if "properties" in inside:
            yield from _arguments(inside, f"{whole}[]." if "items" in one else f"{whole}.")


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(str(choice) for choice in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = schema.get("type", "anything")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _section(reference: ToolReference) -> str:
    spec = reference.spec
    lines = [f"## {spec.name}", "", spec.description, "", f"**Effect**: `{spec.effect}`.", ""]
    if reference.arguments:
        lines += ["| Argument | Type | |", "|---|---|---|"]
        lines += [_row(argument) for argument in reference.arguments]
        lines.append("")
    for head, notes in (("Limits", reference.bounds), ("Refuses", reference.refuses)):
        if notes:
            lines += [f"**{head}**", "", *(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def _row(argument: Argument) -> str:
    told = "required" if argument.required else ""
    text = ". ".join(part for part in (told, argument.description) if part)
    kind = argument.kind.replace("|", "\\|")
    return f"| `{argument.name}` | {kind} | {text.replace('|', chr(92) + '|')} |"
