"""From what an application asks for (a class, a type, a JSON schema) to the form of an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from inspect import isroutine
from typing import TYPE_CHECKING, Any

from victor.agent.structured_output import Misfit, OutputForm
from victor.errors import ConfigError, ToolError
from victor.messages import ToolSpec

if TYPE_CHECKING:
    from pydantic import ValidationError

_ANSWER = "answer"
_MOST_FAULTS = 8


def output_form(output: Any) -> OutputForm:
    """Return the form that `output` asks for.

    `output` is a pydantic model, a dataclass, any other type that pydantic knows (`list[int]`,
    a `TypedDict`, ...), or a JSON schema as a mapping. Raises `ConfigError` for anything else.
    """
    if isinstance(output, Mapping):
        return _by_schema(output)
    if isroutine(output):
        raise _unusable(output, TypeError("it is a function."))
    try:
        return _by_type(output)
    except TypeError as error:  # It cannot be kept, or is no type at all.
        raise _unusable(output, error) from None


def _by_schema(schema: Mapping[str, Any]) -> OutputForm:
    from victor.tools.arguments import fit_arguments

    if not schema:
        raise ConfigError("An output's JSON schema is empty.", hint="Say what its `type` is.")
    is_object = schema.get("type") == "object"

    def read(value: Any) -> Any:
        if is_object and not isinstance(value, Mapping):
            raise Misfit(f"it should be an object, not {json.dumps(value)[:80]}.")
        try:
            fitted = fit_arguments(spec, value if is_object else {"value": value})
        except ToolError as error:
            raise Misfit(str(error).removeprefix(f"{_ANSWER}: ")) from None
        return fitted if is_object else fitted["value"]

    form = OutputForm.of(str(schema.get("title") or "JSON of that schema"), schema, read)
    spec = ToolSpec(_ANSWER, "", form.schema)
    return form


@lru_cache(maxsize=128)
def _by_type(output: Any) -> OutputForm:
    from pydantic import PydanticUserError, TypeAdapter, ValidationError
    from pydantic_core import SchemaError

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(output)
        schema = adapter.json_schema()
    except (PydanticUserError, SchemaError, NameError) as error:
        raise _unusable(output, error) from None

    def read(value: Any) -> Any:
        try:
            # As JSON, so that a strict model takes its dates and tuples from it too.
            return adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            raise Misfit(_faults(error)) from None

    return OutputForm.of(getattr(output, "__name__", str(output)), schema, read)


def _faults(error: ValidationError) -> str:
    """Return what is wrong, each with its place."""
    found = error.errors(include_url=False, include_context=False)
    told = [_fault(".".join(map(str, one["loc"])), one["msg"]) for one in found[:_MOST_FAULTS]]
    more = len(found) - len(told)
    return "; ".join(told) + (f"; and {more} more." if more else ".")


def _fault(where: str, message: str) -> str:
    text = message[:1].lower() + message[1:]
    return f"{where}: {text}" if where else text


def _unusable(output: object, error: Exception) -> ConfigError:
    reason = str(error).splitlines()[0]
    return ConfigError(
        f"No output can be made of {output!r}: {reason}",
        hint="Give a pydantic model, a dataclass, a type, or a JSON schema.",
    )
