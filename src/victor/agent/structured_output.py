"""Answers of a given form: held to it by the vendor or by a tool, checked, and put right."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from victor.errors import OutputError
from victor.events import OutputRejected, ReplyDelta, ReplyFinished, TextDelta, ToolCallDelta
from victor.messages import (
    Effect,
    JsonObject,
    Message,
    Reply,
    Request,
    StopReason,
    ToolChoice,
    ToolSpec,
    user,
)
from victor.protocols import Ability, Emit, IProvider
from victor.wrapped_provider import WrappedProvider

ANSWER_TOOL = "final_answer"
"""The tool through which a model answers where its vendor cannot hold it to a form."""

REPAIRS = 2
"""How often an answer that does not fit goes back to the model."""

_VALUE = "value"
"""The key that a value stands under that is no object: vendors ask for objects."""
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
_SHOWN_SCHEMA = 4_000
_SHOWN_ANSWER = 200
_HOPELESS = frozenset({StopReason.REFUSAL, StopReason.CONTENT_FILTER, StopReason.CONTEXT_EXCEEDED})


class Misfit(ValueError):
    """A value is not of the form. The text says what is wrong, for whoever must correct it."""


@dataclass(frozen=True, slots=True)
class OutputForm:
    """What an answer must be."""

    name: str
    """For a person, such as the name of a class."""
    schema: JsonObject
    """JSON schema of an object."""
    read: Callable[[Any], Any]
    """Makes the output of decoded JSON. Raises `Misfit`."""
    wrapped: bool = False
    """Whether the output stands under the key `value` of the object."""

    @classmethod
    def of(cls, name: str, schema: JsonObject, read: Callable[[Any], Any]) -> OutputForm:
        """Return the form that `schema` describes, wrapped where that is no object."""
        if schema.get("type") == "object":
            return cls(name, schema, read)
        inner = {key: part for key, part in schema.items() if key not in ("$defs", "definitions")}
        shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        properties = {_VALUE: inner}
        outer = {"type": "object", "properties": properties, "required": [_VALUE], **shared}
        return cls(name, outer, read, wrapped=True)

    def parse(self, text: str) -> Any:
        """Return the output that `text` holds. Raises `Misfit`."""
        decoded = _decoded(text)
        if not self.wrapped:
            return self.read(decoded)
        if isinstance(decoded, dict) and decoded.keys() == {_VALUE}:
            decoded = decoded[_VALUE]
        return self.read(decoded)


class OutputCheck:
    """Decides about one turn's answers: whether one fits, goes back to the model, or is given up.

    An answer goes back `REPAIRS` times at most.
    """

    __slots__ = ("_form", "_rejected", "value")

    def __init__(self, form: OutputForm) -> None:
        self._form = form
        self._rejected = 0
        self.value: Any = None
        """The output, once an answer has fitted."""

    @property
    def schema(self) -> JsonObject:
        """JSON schema of what is asked for: an object."""
        return self._form.schema

    def objection(self, turn_id: str, reply: Reply, emit: Emit) -> Message | None:
        """Return what the model is told of an answer that does not fit; None for one that does.

        Emits `OutputRejected`. Raises `OutputError` for an answer that is given up.
        """
        text = reply.message.text
        try:
            self.value = self._form.parse(text)
        except Misfit as misfit:
            problem = _explained(misfit, reply.stop_reason)
        else:
            return None
        emit(OutputRejected(turn_id, self._rejected + 1, problem))
        if self._rejected >= REPAIRS or reply.stop_reason in _HOPELESS:
            raise self._error(text, problem, reply)
        self._rejected += 1
        schema = json.dumps(self.schema, ensure_ascii=False)
        form = f" It is described by this JSON schema: {schema}" if _short(schema) else ""
        return user(
            f"Your answer does not have the form that was asked for: {problem}\n\n"
            f"Give the whole answer again, as one JSON object and nothing else.{form}"
        )

    def _error(self, text: str, problem: str, reply: Reply) -> OutputError:
        asked = f" after {self._rejected + 1} answers" if self._rejected else ""
        shown = text if len(text) <= _SHOWN_ANSWER else f"{text[:_SHOWN_ANSWER]}..."
        return OutputError(
            f"The model ({reply.provider}, {reply.model}) gave no {self._form.name}{asked}:"
            f" {problem} It said: {shown!r}.",
            problem=problem,
            content=text,
        )


def answering(provider: IProvider, request: Request) -> IProvider:
    """Return who is asked: the provider, or one that makes it answer through a tool.

    A tool stands in where the request wants an output that the vendor does not hold the model to.
    """
    if request.output_schema is None:
        return provider
    abilities = provider.model_info(request.model).abilities
    held = Ability.STRUCTURED_OUTPUT in abilities or (
        Ability.STRUCTURED_WITHOUT_TOOLS in abilities and not request.tools
    )
    if held and is_closed(request.output_schema):
        return provider
    return AnswersByTool(provider)


class AnswersByTool(WrappedProvider):
    """A provider whose answers come through a tool, and arrive as the text of its arguments."""

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        tool = _answer_tool(request)
        tools = (tool,) if _ends(request) else (*request.tools, tool)
        asked = replace(request, tools=tools, tool_choice=ToolChoice.REQUIRED, output_schema=None)
        answers: set[int] = set()
        others = False
        async with self._call(asked) as deltas:
            async for delta in deltas:
                match delta:
                    case ToolCallDelta() if delta.name == tool.name or delta.index in answers:
                        # Of several answers the first counts.
                        answers.add(delta.index)
                        if delta.arguments and delta.index == min(answers):
                            yield TextDelta(delta.arguments)
                    case ReplyFinished() if answers and not others:
                        yield replace(delta, stop_reason=_reason(delta.stop_reason))
                    case _:
                        others = others or isinstance(delta, ToolCallDelta)
                        yield delta


def is_closed(schema: object) -> bool:
    """Return whether a vendor can hold a model to the schema.

    That takes objects whose keys are all named, no tuples, no conditions, and no recursion.
    """
    definitions = schema if isinstance(schema, Mapping) else {}
    return _closed(schema, definitions, ())


_BEYOND = frozenset(
    {"allOf", "not", "if", "then", "else", "prefixItems", "patternProperties", "propertyNames"}
    | {"contains", "dependentSchemas", "dependentRequired", "unevaluatedProperties"}
)


def _closed(schema: object, root: Mapping[str, Any], inside: tuple[str, ...]) -> bool:
    if not isinstance(schema, Mapping) or not schema or _BEYOND & schema.keys():
        return False
    reference = schema.get("$ref")
    if reference is not None:
        target = _referred(reference, root)
        return reference not in inside and _closed(target, root, (*inside, reference))
    kind = schema.get("type")
    if kind is None and not {"enum", "const", "anyOf", "oneOf"} & schema.keys():
        return False
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    is_array = kind == "array" or (isinstance(kind, list) and "array" in kind)
    if is_object and not schema.get("properties"):
        return False
    if is_object and schema.get("additionalProperties", False) is not False:
        return False
    if is_array and "items" not in schema:
        return False
    return all(_closed(part, root, inside) for part in _parts(schema))


def _parts(schema: Mapping[str, Any]) -> Iterator[object]:
    yield from schema.get("properties", {}).values()
    yield from schema.get("anyOf", ())
    yield from schema.get("oneOf", ())
    if "items" in schema:
        yield schema["items"]


def _referred(reference: object, root: Mapping[str, Any]) -> object:
    found: object = root
    for step in str(reference).removeprefix("#").strip("/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _ends(request: Request) -> bool:
    """Return whether the reply must be the answer: other tools are out of reach."""
    return request.tool_choice is ToolChoice.NONE or not request.tools


def _answer_tool(request: Request) -> ToolSpec:
    taken = {tool.name for tool in request.tools}
    name = ANSWER_TOOL
    while name in taken:
        name += "_"
    described = "Give your final answer, once you have all that it needs. Nobody reads other words."
    return ToolSpec(name, described, request.output_schema or {}, Effect.READ_ONLY)


def _reason(reason: StopReason) -> StopReason:
    return StopReason.END if reason is StopReason.TOOL_USE else reason


def _explained(misfit: Misfit, reason: StopReason) -> str:
    match reason:
        case StopReason.MAX_TOKENS:
            return "it was cut off by the output limit. Be shorter."
        case StopReason.REFUSAL | StopReason.CONTENT_FILTER:
            return f"the model or its vendor refused ({reason})."
    return str(misfit)


def _short(schema: str) -> bool:
    return len(schema) <= _SHOWN_SCHEMA


def _decoded(text: str) -> Any:
    """Return the JSON in `text`: all of it, the last fenced block, or its outermost object."""
    for candidate in _candidates(text):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    try:
        json.loads(text)
    except ValueError as error:
        raise Misfit(f"it is no JSON: {error}.") from None
    except RecursionError:
        raise Misfit("it is nested too deeply.") from None
    raise Misfit("it is no JSON.")


def _candidates(text: str) -> Iterator[str]:
    yield text
    yield from reversed(_FENCED.findall(text))
    for opening, closing in ("{}", "[]"):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            yield text[start : end + 1]
