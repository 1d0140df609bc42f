"""Checking a call's arguments against the tool's JSON schema, for a reader who must correct them.

The part of JSON Schema (2020-12) that tools use: types, properties, items, enum, const, unions,
references inside the schema, bounds. Keywords beyond it are not checked.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

from victor.errors import ToolError
from victor.messages import JsonObject, ToolSpec

_SHOWN = 80
_NUMBERS = ("integer", "number")


class _Unfit(Exception):
    """A value is not as the schema says. The text tells where and what is expected."""


def fit_arguments(spec: ToolSpec, arguments: JsonObject) -> JsonObject:
    """Return `arguments` as the tool's schema has them.

    A number, truth value, list or object that the model wrote as a text is read out of it, and null
    for an argument that may be left out is dropped. Raises `ToolError` that says what is wrong.
    """
    schema = spec.parameters
    try:
        return _object(dict(arguments), schema, "", schema, "argument")
    except _Unfit as unfit:
        raise ToolError(f"{spec.name}: {unfit}.") from None
    except (AttributeError, TypeError, re.error, RecursionError) as error:
        # The schema may be anybody's, such as a server's.
        raise ToolError(
            f"{spec.name}: arguments cannot be checked, as its schema is not valid: {error}."
        ) from None


def _fit(value: Any, schema: Any, where: str, root: JsonObject) -> Any:
    if not isinstance(schema, Mapping):
        if schema is False:
            raise _Unfit(f"{where} is not allowed")
        return value
    if "$ref" in schema:
        return _fit(value, _referred(schema["$ref"], root), where, root)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            value = _one_of(value, schema[union], where, root)
    for part in schema.get("allOf", ()):
        value = _fit(value, part, where, root)
    if "type" in schema:
        value = _typed(value, schema["type"], where)
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        choices = ", ".join(_shown(choice) for choice in schema["enum"])
        raise _Unfit(f"{where} must be one of {choices}, not {_shown(value)}")
    if "const" in schema and not _same(value, schema["const"]):
        raise _Unfit(f"{where} must be {_shown(schema['const'])}, not {_shown(value)}")
    return _inside(value, schema, where, root)


def _inside(value: Any, schema: JsonObject, where: str, root: JsonObject) -> Any:
    """Check what depends on the kind of the value."""
    match value:
        case dict():
            return _object(value, schema, where, root, "key")
        case list():
            return _array(value, schema, where, root)
        case str():
            _bounds(len(value), schema, "Length", f"the length of {where}")
            if "pattern" in schema and re.search(schema["pattern"], value) is None:
                raise _Unfit(f"{where} must match {schema['pattern']!r}")
        case int() | float() if not isinstance(value, bool):
            _bounds(value, schema, "imum", where)
    return value


def _object(
    value: dict[str, Any], schema: JsonObject, where: str, root: JsonObject, noun: str
) -> dict[str, Any]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = schema.get("required", ())
    others = schema.get("additionalProperties", True)
    fitted: dict[str, Any] = {}
    for key, item in value.items():
        at = f"{where}.{key}" if where else key
        if key not in properties:
            if others is False:
                raise _Unfit(_unknown(key, where, properties, noun))
            fitted[key] = _fit(item, others, at, root)
        elif item is None and key not in required and not _takes_null(properties[key], root):
            continue
        else:
            fitted[key] = _fit(item, properties[key], at, root)
    missing = [key for key in required if key not in fitted]
    if missing:
        inside = f" in {where}" if where else ""
        expected = ", ".join(f"{key} ({_kind(properties.get(key, {}), root)})" for key in missing)
        raise _Unfit(f"missing {noun}{inside}: {expected}")
    return fitted


def _unknown(key: str, where: str, properties: Mapping[str, Any], noun: str) -> str:
    nearest = difflib.get_close_matches(key, properties, 1) or [
        name for name in properties if name in key or key in name
    ]
    meant = f"; did you mean {nearest[0]!r}?" if nearest else ""
    known = ", ".join(properties) or "none"
    inside = f" in {where}" if where else ""
    return f"unknown {noun} {key!r}{inside}{meant} Known: {known}".replace("' Known", "'. Known")


def _array(value: list[Any], schema: JsonObject, where: str, root: JsonObject) -> list[Any]:
    _bounds(len(value), schema, "Items", f"the number of items in {where}")
    first = schema.get("prefixItems", ())
    rest = schema.get("items", True)
    if rest is True and not first:
        return value
    return [
        _fit(item, first[index] if index < len(first) else rest, f"{where}[{index}]", root)
        for index, item in enumerate(value)
    ]


def _one_of(value: Any, choices: Any, where: str, root: JsonObject) -> Any:
    failures: list[str] = []
    # A choice that the value fits as it is comes before one that it must be read into.
    for choice in sorted(choices, key=lambda choice: not _plainly(value, choice, root)):
        try:
            return _fit(value, choice, where, root)
        except _Unfit as unfit:
            failures.append(str(unfit))
    kinds = " or ".join(dict.fromkeys(_kind(choice, root) for choice in choices))
    if len(failures) == 1:
        raise _Unfit(failures[0])
    raise _Unfit(f"{where} must be {kinds}, not {_shown(value)}")


def _plainly(value: Any, schema: Any, root: JsonObject) -> bool:
    if isinstance(schema, Mapping) and "$ref" in schema:
        schema = _referred(schema["$ref"], root)
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return kind is None or any(_is(value, name) for name in _names(kind))


def _typed(value: Any, kind: Any, where: str) -> Any:
    names = _names(kind)
    if any(_is(value, name) for name in names):
        if isinstance(value, float) and "number" not in names:
            return int(value)
        return value
    if isinstance(value, str) and "string" not in names:
        read = _read(value)
        if any(_is(read, name) for name in names):
            return _typed(read, kind, where)
    expected = " or ".join(_NOUNS.get(name, name) for name in names)
    raise _Unfit(f"{where} must be {expected}, not {_shown(value)}")


def _names(kind: Any) -> tuple[str, ...]:
    return (kind,) if isinstance(kind, str) else tuple(kind)


def _read(text: str) -> Any:
    """Return the JSON value written in `text`; the text itself where there is none."""
    stripped = text.strip()
    try:
        plain = stripped.lower() if stripped in ("True", "False") else stripped
        return json.loads(plain, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    match name:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        case "number":
            return isinstance(value, int | float)
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list | tuple)
        case "null":
            return value is None
        case _:
            return False


_NOUNS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _kind(schema: Any, root: JsonObject) -> str:
    """Return in a few words what the schema wants."""
    if not isinstance(schema, Mapping):
        return "anything"
    if "$ref" in schema:
        return _kind(_referred(schema["$ref"], root), root)
    if "enum" in schema:
        return "one of " + ", ".join(_shown(choice) for choice in schema["enum"])
    if "const" in schema:
        return _shown(schema["const"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(choice, root) for choice in schema["anyOf"]))
    if "type" in schema:
        return " or ".join(_NOUNS.get(name, name) for name in _names(schema["type"]))
    return "anything"


def _takes_null(schema: Any, root: JsonObject) -> bool:
    if not isinstance(schema, Mapping):
        return schema is not False
    if "$ref" in schema:
        return _takes_null(_referred(schema["$ref"], root), root)
    if "anyOf" in schema:
        return any(_takes_null(choice, root) for choice in schema["anyOf"])
    if "enum" in schema:
        return None in schema["enum"]
    return "null" in _names(schema.get("type", "null"))


def _referred(reference: str, root: JsonObject) -> Any:
    """Return the part of `root` that `#/a/b` points to; anything goes where it points nowhere."""
    found: Any = root
    for key in reference.removeprefix("#/").split("/"):
        if not isinstance(found, Mapping) or key not in found:
            return True
        found = found[key]
    return found


def _bounds(value: float, schema: JsonObject, suffix: str, what: str) -> None:
    least, most = schema.get(f"min{suffix}"), schema.get(f"max{suffix}")
    if least is not None and value < least:
        raise _Unfit(f"{what} must be at least {least}, not {value}")
    if most is not None and value > most:
        raise _Unfit(f"{what} must be at most {most}, not {value}")
    if suffix != "imum":
        return
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None and value <= above:
        raise _Unfit(f"{what} must be more than {above}, not {value}")
    if below is not None and value >= below:
        raise _Unfit(f"{what} must be less than {below}, not {value}")


def _same(value: Any, choice: Any) -> bool:
    return bool(value == choice) and isinstance(value, bool) == isinstance(choice, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
