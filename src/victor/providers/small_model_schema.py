"""What a small model may answer, as a JSON schema: one of the tools offered, or a reply.

Long arguments are left out of the schema, because a small model cannot write code inside JSON;
they are written afterwards, in a generation of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from victor.messages import JsonObject, ToolSpec

REPLY = "reply"
"""The name that stands for answering in words."""

_LONG_NAMES = frozenset(
    {"content", "old", "new", "old_string", "new_string", "old_text", "new_text", "patch", "code"}
)
_KEPT_OPTIONAL = frozenset({"path"})
_SUBSTITUTES = {"edit": ("write",), "glob": ("list", "grep")}
"""Tools that are not offered beside the ones that do the same for a small model, better."""


def long_arguments(spec: ToolSpec) -> tuple[str, ...]:
    """Return the string arguments that take whole texts, in the schema's order.

    A property is long when it is marked `"x-long": true`, or by its name.
    """
    properties = spec.parameters.get("properties", {})
    return tuple(
        name
        for name, schema in properties.items()
        if schema.get("type") == "string" and schema.get("x-long", name in _LONG_NAMES)
    )


def short_parameters(spec: ToolSpec) -> dict[str, Any]:
    """Return the schema of the arguments that stand in the JSON.

    Optional ones are left out but for a path: a small model fills in whatever it may.
    """
    properties: JsonObject = spec.parameters.get("properties", {})
    required = spec.parameters.get("required", ())
    left_out = long_arguments(spec)
    kept = {
        name: _plain(schema)
        for name, schema in properties.items()
        if name not in left_out and (name in required or name in _KEPT_OPTIONAL)
    }
    # A path that may be left out is asked for: "." costs one token and settles where it looks.
    return {
        "type": "object",
        "properties": kept,
        "required": list(kept),
        "additionalProperties": False,
    }


def _plain(schema: JsonObject) -> dict[str, Any]:
    """Return the schema without what only describes it, kept from being left empty."""
    plain = {
        key: value
        for key, value in schema.items()
        if key not in {"description", "title", "default", "examples", "x-long"}
    }
    if plain.get("type") == "string" and not {"enum", "const", "pattern"} & plain.keys():
        plain.setdefault("minLength", 1)
        plain.setdefault("maxLength", 400)
    return plain


def answer_schema(
    tools: tuple[ToolSpec, ...],
    *,
    reply: bool,
    paths: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, Any]:
    """Return the schema of one answer: a call of one of `tools`, or a reply if that is allowed.

    `paths` says, by tool, what its argument `path` may be; a tool not in it takes any.
    """
    choices = [_choice(spec.name, _held(spec, paths or {})) for spec in tools]
    if reply or not choices:
        message = {
            "type": "object",
            "properties": {"message": {"type": "string", "minLength": 1}},
            "required": ["message"],
            "additionalProperties": False,
        }
        choices.append(_choice(REPLY, message))
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _held(spec: ToolSpec, paths: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    parameters = short_parameters(spec)
    if spec.name in paths and "path" in parameters["properties"]:
        parameters["properties"]["path"] = {"type": "string", "enum": list(paths[spec.name])}
    return parameters


def _choice(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"tool": {"const": name}, "arguments": arguments},
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    }


def offered(
    tools: tuple[ToolSpec, ...], limit: int, *, by_parts: bool = False
) -> tuple[ToolSpec, ...]:
    """Return the few tools that a small model is told of, at most `limit`, in their order.

    Files are written whole, unless one is too long for that and changes are made `by_parts`.
    """
    names = {spec.name for spec in tools}
    left_out = {name for name, others in _SUBSTITUTES.items() if names.issuperset(others)} | {REPLY}
    if by_parts and "edit" in names:
        left_out.discard("edit")
    return tuple(spec for spec in tools if spec.name not in left_out)[:limit]
