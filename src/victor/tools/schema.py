"""The JSON schema of a function's arguments, from its signature and docstring.

Plain types are described here. For anything else, such as enums and dataclasses, pydantic is
loaded at first use; it then also turns the arguments into those types.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from victor.errors import ToolError
from victor.protocols import ToolEnvironment

_PLAIN: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
    list: "array",
}
_ARGUMENT = re.compile(r"(\*{0,2}\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_ARGUMENTS_HEAD = re.compile(r"(?:Args|Arguments|Parameters):\s*")
_SECTION = re.compile(
    r"(?:Returns?|Raises|Yields?|Examples?|Notes?|Attributes|See Also|Warns?):\s*"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument that the model gives."""

    name: str
    type: Any
    description: str
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes."""

    summary: str
    """Its docstring, without the section on arguments and what follows."""
    parameters: tuple[Parameter, ...]
    environment: str
    """Name of the parameter that the `ToolEnvironment` is passed as; empty where there is none."""
    schema: Mapping[str, Any]
    """JSON schema of the arguments."""
    convert: Callable[[Mapping[str, Any]], dict[str, Any]]
    """Turns fitting JSON arguments into keyword arguments. Raises `ToolError`."""


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return what `function` takes. Raises `TypeError` where no schema can be made of it."""
    name = getattr(function, "__name__", type(function).__name__)
    summary, described = _docstring(function)
    try:
        hints = get_type_hints(_annotated(function), include_extras=True)
    except NameError as error:
        raise TypeError(
            f"The types of tool {name} cannot be resolved: {error}. Define them in the module."
        ) from error
    environment = ""
    parameters: list[Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"Tool {name} takes *{parameter.name}; name its arguments instead.")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"Argument {parameter.name} of tool {name} is positional only.")
        hint = hints.get(parameter.name, Any)
        if hint is ToolEnvironment:
            environment = parameter.name
            continue
        kind, text = _unannotated(hint)
        text = text or described.get(parameter.name, "")
        parameters.append(Parameter(parameter.name, kind, text, parameter.default))
    schema, convert = _schema_and_conversion(name, tuple(parameters))
    return Signature(summary, tuple(parameters), environment, schema, convert)


def _annotated(function: Callable[..., Any]) -> Any:
    """Return what holds the annotations of something that can be called."""
    if isinstance(function, functools.partial):
        return _annotated(function.func)
    return function if inspect.isroutine(function) else type(function).__call__


def _schema_and_conversion(
    name: str, parameters: tuple[Parameter, ...]
) -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], dict[str, Any]]]:
    schema: dict[str, Any]
    convert: Callable[[Mapping[str, Any]], dict[str, Any]]
    plain = {parameter.name: _plain_schema(parameter.type) for parameter in parameters}
    if None in plain.values():
        schema, convert = _with_pydantic(name, parameters)
    else:
        schema, convert = {"type": "object", "properties": plain}, dict
    properties = schema["properties"]
    for parameter in parameters:
        _describe(properties[parameter.name], parameter)
    required = [parameter.name for parameter in parameters if parameter.required]
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    return schema, convert


def _describe(schema: dict[str, Any], parameter: Parameter) -> None:
    if parameter.description:
        schema["description"] = parameter.description
    if parameter.required or parameter.default is None:
        return
    try:
        json.dumps(parameter.default)
    except (TypeError, ValueError):
        return
    schema["default"] = parameter.default


def _plain_schema(kind: Any) -> dict[str, Any] | None:
    """Return the schema of a type whose values are JSON as they are; None for other types."""
    if kind is Any or kind is inspect.Parameter.empty:
        return {}
    if isinstance(kind, type) and kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _literal_schema(arguments)
    if origin in (Union, types.UnionType):
        return _union_schema(arguments)
    if origin is list:
        items = _plain_schema(arguments[0])
        return None if items is None else {"type": "array", "items": items}
    if origin is dict and arguments[0] is str:
        values = _plain_schema(arguments[1])
        return None if values is None else {"type": "object", "additionalProperties": values}
    return None


def _literal_schema(choices: tuple[Any, ...]) -> dict[str, Any] | None:
    if not all(type(choice) in (str, int, bool, type(None)) for choice in choices):
        return None
    schema: dict[str, Any] = {"enum": list(choices)}
    kinds = {_PLAIN[type(choice)] for choice in choices}
    return {"type": kinds.pop(), **schema} if len(kinds) == 1 else schema


def _union_schema(kinds: tuple[Any, ...]) -> dict[str, Any] | None:
    schemas = [_plain_schema(kind) for kind in kinds]
    if any(schema is None for schema in schemas):
        return None
    return {"anyOf": schemas}


def _with_pydantic(
    name: str, parameters: tuple[Parameter, ...]
) -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], dict[str, Any]]]:
    # Loaded only for tools whose types need it: it takes longer than all the rest together.
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
    from typing_extensions import TypedDict

    fields = {
        parameter.name: (Required if parameter.required else NotRequired)[parameter.type]
        for parameter in parameters
    }
    try:
        adapter = TypeAdapter(TypedDict(f"{name}_arguments", fields))  # type: ignore[operator]  # fields known only at run time
        described = adapter.json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise TypeError(f"No schema can be made of the types of tool {name}: {error}") from error

    def convert(arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            converted: dict[str, Any] = adapter.validate_python(dict(arguments))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)
            )
            raise ToolError(f"{name}: {problems}.") from error
        return converted

    schema = {"type": "object", "properties": described.get("properties", {})}
    if "$defs" in described:
        schema["$defs"] = described["$defs"]
    for property_schema in schema["properties"].values():
        property_schema.pop("title", None)
    return schema, convert


def _unannotated(hint: Any) -> tuple[Any, str]:
    """Return (the type, the text) of `Annotated[type, "text"]`; other annotations stay."""
    if get_origin(hint) is not Annotated:
        return hint, ""
    kind, *notes = get_args(hint)
    texts = [note for note in notes if isinstance(note, str)]
    others = [note for note in notes if not isinstance(note, str)]
    for note in others:
        kind = Annotated[kind, note]
    return kind, " ".join(texts)


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return (what comes before the sections, the text of each argument)."""
    lines = (inspect.getdoc(function) or "").splitlines()
    summary: list[str] = []
    described: dict[str, str] = {}
    position = 0
    while position < len(lines):
        line = lines[position]
        if _ARGUMENTS_HEAD.fullmatch(line):
            position = _argument_section(lines, position + 1, described)
            break
        if _SECTION.fullmatch(line):
            break
        summary.append(line)
        position += 1
    if position < len(lines) and not described:
        _find_arguments(lines, position, described)
    return "\n".join(summary).strip(), described


def _find_arguments(lines: list[str], position: int, described: dict[str, str]) -> None:
    for number in range(position, len(lines)):
        if _ARGUMENTS_HEAD.fullmatch(lines[number]):
            _argument_section(lines, number + 1, described)
            return


def _argument_section(lines: list[str], position: int, described: dict[str, str]) -> int:
    """Read the indented lines from `position` into `described`; return where they end."""
    name = ""
    indent = 0
    while position < len(lines):
        line = lines[position]
        text = line.strip()
        if text and not line[0].isspace():
            break
        depth = len(line) - len(line.lstrip())
        match = _ARGUMENT.fullmatch(text)
        if match and (not name or depth <= indent):
            name, indent = match[1].lstrip("*"), depth
            described[name] = match[2]
        elif text and name:
            described[name] = f"{described[name]} {text}".strip()
        position += 1
    return position
