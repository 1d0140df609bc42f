"""`@tool`: a typed function as a tool."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, overload

from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.provenance import targets_in
from victor.tools.schema import Signature, signature_of
from victor.tools.threads import in_thread

P = ParamSpec("P")
R = TypeVar("R")

PathsOf: TypeAlias = Callable[[JsonObject, ToolEnvironment], tuple[Path, ...]]
"""Tells which paths a call with these arguments may change."""


class FunctionTool(Generic[P, R]):
    """A tool made of a function. Called directly, it is still that function.

    The function's types and docstring are looked at when the tool is first asked for its `spec`.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        effect: Effect = Effect.EFFECTFUL,
        paths: tuple[str, ...] | PathsOf = (),
        essential: bool = False,
        targets: tuple[str, ...] | None = None,
    ) -> None:
        """Make a tool; see `tool` for what the parameters say."""
        functools.update_wrapper(self, function)
        own: str = getattr(function, "__name__", type(function).__name__)
        self._function = function
        self._name = name or own
        self._description = description
        self._effect = Effect(effect)
        self._paths = paths
        self._essential = essential
        self._targets = targets
        self._asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004  # an object may have an async __call__
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self._name}>"

    @functools.cached_property
    def spec(self) -> ToolSpec:
        """The tool as the model is told of it.

        Raises `TypeError` if types have no schema, or a target is no parameter.
        """
        signature = self._signature
        known = signature.schema["properties"]
        if strangers := [name for name in self._targets or () if name not in known]:
            raise TypeError(f"{self._name} has no parameter {strangers[0]!r} to be a target.")
        description = self._description or signature.summary or self._name.replace("_", " ")
        return ToolSpec(self._name, description, signature.schema, self._effect, self._essential)

    @functools.cached_property
    def _signature(self) -> Signature:
        return signature_of(self._function)

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return the paths that running it may change, links resolved."""
        if not isinstance(self._paths, tuple):
            return tuple(self._paths(arguments, environment))
        named = (arguments.get(name) for name in self._paths)
        return tuple((environment.workspace / path).resolve() for path in named if path)

    def targets(self, arguments: JsonObject) -> tuple[str, ...] | None:
        """Return whom or what a call is aimed at; None where that was not declared."""
        return targets_in(arguments, self._targets)

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Call the function, in a thread unless it is async, and return its result as text."""
        keywords = self._signature.convert(arguments)
        if self._signature.environment:
            keywords[self._signature.environment] = environment
        result: Any
        if self._asynchronous:
            result = await self._function(**keywords)  # type: ignore[call-arg,misc]  # checked against the schema
        else:
            result = await in_thread(functools.partial(self._function, **keywords))
            if inspect.isawaitable(result):
                result = await result
        return to_output(result)


@overload
def tool(function: Callable[P, R], /) -> FunctionTool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = Effect.EFFECTFUL,
    paths: tuple[str, ...] | PathsOf = (),
    essential: bool = False,
    targets: tuple[str, ...] | None = None,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = Effect.EFFECTFUL,
    paths: tuple[str, ...] | PathsOf = (),
    essential: bool = False,
    targets: tuple[str, ...] | None = None,
) -> Any:
    """Make a tool of a typed function, as `@tool` or `@tool(effect=Effect.READ_ONLY)`.

    The model is told the docstring, the types, and the texts of its `Args:` section or of
    `Annotated[type, "text"]`. A parameter of type `ToolEnvironment` is filled in and not told. The
    result may be a text, a `ToolOutput`, bytes, or anything that has a JSON form.

    Args:
        function: What runs; a plain function runs in a thread.
        name: What the model calls it; the function's name if left out.
        description: Told instead of the docstring.
        effect: What running it may do. The default, EFFECTFUL, is the careful one: such a tool is
            refused in the modes that only read, asked for, and never run twice.
        paths: Names of the arguments that hold paths it may change, or a function that tells
            them; these are kept before it runs, so that it can be undone.
        essential: Whether the model is told of it however many tools there are.
        targets: Names of the arguments that say whom or what it is aimed at, such as a recipient or
            an account. Once foreign words are in the conversation, a call whose targets neither
            the person has named nor a result vouches for is asked about, and so is a link in it
            that nobody has named. With none, such as for deleting, each call is then asked about.
    """

    def made(function: Callable[..., Any]) -> FunctionTool[..., Any]:
        return FunctionTool(
            function,
            name=name,
            description=description,
            effect=effect,
            paths=paths,
            essential=essential,
            targets=targets,
        )

    return made if function is None else made(function)


def to_output(result: object) -> ToolOutput:
    """Return what a function gave as the output of a tool."""
    match result:
        case ToolOutput():
            return result
        case str():
            return ToolOutput(result)
        case None:
            return ToolOutput("Done.")
        case bytes() | bytearray() | memoryview():
            return ToolOutput(_bytes(bytes(result)))
        case _:
            return ToolOutput(json.dumps(result, ensure_ascii=False, default=_jsonable))


def _bytes(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"[{len(data):,} bytes that are no text]"
    return f"[{len(data):,} bytes that are no text]" if "\0" in text else text


def _jsonable(value: Any) -> Any:
    """Return a JSON form of what `json` does not know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, bytes | bytearray):
        return _bytes(bytes(value))
    return str(value)
