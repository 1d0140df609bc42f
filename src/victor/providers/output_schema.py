"""A JSON schema as the vendors enforce it: every key named and required, bounds only described."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from victor.messages import JsonObject

Json: TypeAlias = dict[str, Any]

NAME = "answer"
"""What the form is called where a vendor wants a name."""

_KEPT = ("$ref", "enum", "const", "description", "title")
_FORMATS = frozenset(
    {"date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_STRUCTURE = frozenset(
    {*_KEPT, "type", "properties", "required", "items", "anyOf", "oneOf", "$defs", "definitions"}
    | {"additionalProperties", "discriminator", "default", "examples", "$schema", "$id"}
)


def strict_schema(schema: JsonObject) -> Json:
    """Return what both vendors accept of `schema`; the rest is said in descriptions.

    An object's keys all become required, since one vendor knows no others; a model then writes
    the value that a default would have given. `schema` is one that a vendor can enforce.
    """
    if "$ref" in schema:
        # What stands beside a reference is refused.
        return {"$ref": schema["$ref"], **_definitions(schema)}
    strict: Json = {key: schema[key] for key in _KEPT if key in schema}
    kinds = schema.get("type")
    if isinstance(kinds, list):
        rest = {key: part for key, part in schema.items() if key != "type"}
        return {"anyOf": [strict_schema({**rest, "type": kind}) for kind in kinds]}
    if kinds is not None:
        strict["type"] = kinds
    for union in ("anyOf", "oneOf"):
        if union in schema:
            strict["anyOf"] = [strict_schema(choice) for choice in schema[union]]
    if "properties" in schema:
        properties = schema["properties"].items()
        strict["properties"] = {key: strict_schema(part) for key, part in properties}
        strict["required"] = list(schema["properties"])
        strict["additionalProperties"] = False
    if "items" in schema:
        strict["items"] = strict_schema(schema["items"])
    _describe_bounds(schema, strict)
    return {**strict, **_definitions(schema)}


def _definitions(schema: Mapping[str, Any]) -> Json:
    return {
        key: {name: strict_schema(part) for name, part in schema[key].items()}
        for key in ("$defs", "definitions")
        if key in schema
    }


def _describe_bounds(schema: Mapping[str, Any], strict: Json) -> None:
    """Put what a vendor does not enforce where the model can read it."""
    told = {key: part for key, part in schema.items() if key not in _STRUCTURE}
    if told.get("format") in _FORMATS:
        strict["format"] = told.pop("format")
    if told:
        bounds = ", ".join(f"{key}: {json.dumps(part)}" for key, part in told.items())
        strict["description"] = f"{schema.get('description', '')} ({bounds})".strip()
