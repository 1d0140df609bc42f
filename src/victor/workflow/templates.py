"""Templates and expressions of workflows: Jinja2 in its immutable sandbox, undefined names refused.

Every function raises `WorkflowError` without saying which step it was; the caller knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from victor.errors import WorkflowError

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.environment import TemplateExpression
    from jinja2.sandbox import ImmutableSandboxedEnvironment

_FAILURES: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What an expression can raise beside Jinja's own errors."""

_UNDEFINED_HINT: Final = "A step that may be skipped is asked for by `steps.id is defined`."


class Namespace:
    """Values by name, for templates: `steps.build`. No method stands in the way of a name."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values


@dataclass(frozen=True, slots=True)
class References:
    """What a template refers to."""

    names: frozenset[str]
    """Plain names."""
    steps: frozenset[str]
    """The x of each `steps.x`."""
    inputs: frozenset[str]
    """The x of each `inputs.x`."""


def render(template: str, names: Mapping[str, Any]) -> str:
    """Return the text that the template gives."""
    from jinja2 import TemplateError

    try:
        return _template(template).render(names)
    except (TemplateError, *_FAILURES) as error:
        raise WorkflowError(f"The template fails: {error}.", hint=_UNDEFINED_HINT) from error


def evaluate(expression: str, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression, in its own type."""
    from jinja2 import TemplateError, Undefined, UndefinedError

    try:
        value = _expression(expression)(names)
        if isinstance(value, Undefined):
            raise UndefinedError(value._undefined_message)  # noqa: SLF001  it has no public name
        return value
    except (TemplateError, *_FAILURES) as error:
        raise WorkflowError(
            f"The expression {expression!r} fails: {error}.", hint=_UNDEFINED_HINT
        ) from error


def is_true(expression: str, names: Mapping[str, Any]) -> bool:
    """Return whether an expression holds."""
    return bool(evaluate(expression, names))


def fill(value: Any, names: Mapping[str, Any]) -> Any:
    """Return a JSON value with every text in it rendered."""
    match value:
        case str():
            inner = _sole_expression(value)
            return render(value, names) if inner is None else _plain(evaluate(inner, names))
        case Mapping():
            return {key: fill(one, names) for key, one in value.items()}
        case list() | tuple():
            return [fill(one, names) for one in value]
        case _:
            return value


def literal(template: str) -> str:
    """Return what the template says itself, without what it is filled with."""
    from jinja2 import TemplateSyntaxError

    try:
        tokens = _environment().lex(template)
        return " ".join(text for _, kind, text in tokens if kind in ("data", "string"))
    except TemplateSyntaxError:
        return ""


def references(template: str) -> References:
    """Return what a template refers to."""
    from jinja2 import TemplateSyntaxError

    try:
        _template(template)
    except TemplateSyntaxError as error:
        raise WorkflowError(
            f"The template does not parse: {error.message} (its line {error.lineno})."
        ) from error
    return _references(template)


def expression_references(expression: str) -> References:
    """Return what an expression refers to."""
    from jinja2 import TemplateSyntaxError

    try:
        _expression(expression)
    except TemplateSyntaxError as error:
        raise WorkflowError(
            f"The expression {expression!r} does not parse: {error.message}.",
            hint="Write it without braces.",
        ) from error
    return _references("{{ (" + expression + ") }}")


def _references(template: str) -> References:
    from jinja2 import meta, nodes

    tree = _environment().parse(template)
    found: dict[str, set[str]] = {"steps": set(), "inputs": set()}
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        key = _key(node)
        owner = getattr(node, "node", None)
        if key and isinstance(owner, nodes.Name) and owner.name in found:
            found[owner.name].add(key)
    names = meta.find_undeclared_variables(tree) - _environment().globals.keys()
    return References(frozenset(names), frozenset(found["steps"]), frozenset(found["inputs"]))


def _key(node: Any) -> str:
    from jinja2 import nodes

    if isinstance(node, nodes.Getattr):
        return node.attr
    argument = node.arg
    is_name = isinstance(argument, nodes.Const) and isinstance(argument.value, str)
    return argument.value if is_name else ""


def _sole_expression(text: str) -> str | None:
    stripped = text.strip()
    if not (stripped.startswith("{{") and stripped.endswith("}}")):
        return None
    inner = stripped[2:-2].strip("-").strip()
    return None if "}}" in inner or "{{" in inner else inner


def _plain(value: Any) -> Any:
    """A step stands for its output where an argument is asked for."""
    return value.output if isinstance(value, StepView) else value


@dataclass(frozen=True, slots=True)
class StepView:
    """A step that has run, as templates see it: `steps.x` is its output's text."""

    output: Any
    status: str
    error: str = ""

    def __str__(self) -> str:
        return self.output if isinstance(self.output, str) else json.dumps(self.output, default=str)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    environment.filters["from_json"] = json.loads
    return environment


@lru_cache(maxsize=256)
def _template(text: str) -> Template:
    return _environment().from_string(text)


@lru_cache(maxsize=256)
def _expression(text: str) -> TemplateExpression:
    return _environment().compile_expression(text, undefined_to_none=False)
