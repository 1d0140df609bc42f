"""A provider that plays a script, and the words to write one with."""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from victor.errors import ProviderError
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import Message, Reply, Request, StopReason, Text, Thinking, ToolCall, Usage
from victor.protocols import ModelInfo

ScriptedReply: TypeAlias = (
    "str | Message | Reply | ToolCall | BaseException"
    " | Iterable[ToolCall | ReplyDelta | BaseException]"
    " | Callable[[Request], ScriptedReply | Awaitable[ScriptedReply]]"
)
"""What a script is made of; see `ScriptedProvider`."""

_USAGE = Usage(input=10, output=5)
_ids = itertools.count(1)


def call(name: str, /, *, call_id: str = "", **arguments: Any) -> ToolCall:
    """Return a call of the tool `name`, with an id of its own unless one is given."""
    return ToolCall(call_id or f"call_{next(_ids)}", name, arguments)


def chunks(*pieces: str) -> tuple[TextDelta, ...]:
    """Return a reply whose text arrives in these pieces."""
    return tuple(TextDelta(piece) for piece in pieces)


@dataclass(frozen=True, slots=True)
class _Part:
    """One reply, ready to be streamed."""

    deltas: tuple[ReplyDelta, ...]
    error: BaseException | None = None
    """Raised after the deltas."""


class ScriptedProvider:
    """Plays its replies in order, one for each model call, and records what it was sent.

    A reply is one of: a text, a `Message`, a `Reply`, a `ToolCall`, several tool calls, several
    stream deltas (then streamed as they are), an exception (then raised, also in the middle of
    deltas), or a function of the request that returns one of these, awaited if it is a coroutine.

    When the script is used up, the next call raises `ProviderError`, or with `repeat=True` plays
    the last reply again, with fresh ids for its tool calls.
    """

    def __init__(
        self,
        *replies: ScriptedReply,
        repeat: bool = False,
        name: str = "scripted",
        usage: Usage = _USAGE,
        context_window: int = 1_000_000,
        max_output: int = 100_000,
        recording: bool = True,
    ) -> None:
        self.name = name
        self.requests: list[Request] = []
        """Every request in order; stays empty with `recording=False`."""
        self.closed = False
        self._usage = usage
        self._window = context_window
        self._max_output = max_output
        self._repeat = repeat
        self._recording = recording
        self._replies = tuple(
            reply if callable(reply) else _part(reply, usage) for reply in replies
        )
        self._played = 0

    @property
    def remaining(self) -> int:
        """How many replies were not asked for yet."""
        return max(0, len(self._replies) - self._played)

    async def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        """Stream the next reply of the script."""
        if self._recording:
            self.requests.append(request)
        reply = self._next()
        part = reply if isinstance(reply, _Part) else await self._ask(reply, request)
        for delta in part.deltas:
            yield delta
        if part.error is not None:
            raise part.error.with_traceback(None)

    def model_info(self, model: str) -> ModelInfo:
        """Return the same figures for every model; it costs nothing."""
        return ModelInfo(model, self._window, self._max_output, input_price=0.0, output_price=0.0)

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True

    def _next(self) -> _Part | Callable[[Request], Any]:
        index = self._played
        self._played = index + 1
        if index < len(self._replies):
            return self._replies[index]
        if not (self._repeat and self._replies):
            raise ProviderError(
                f"The script is used up: this is model call {index + 1},"
                f" and it has {len(self._replies)} replies.",
                provider=self.name,
                hint="Add a reply, or pass repeat=True.",
            )
        last = self._replies[-1]
        return _again(last) if isinstance(last, _Part) else last

    async def _ask(self, function: Callable[[Request], Any], request: Request) -> _Part:
        reply = function(request)
        if inspect.isawaitable(reply):
            reply = await reply
        return _part(reply, self._usage)


def _part(reply: ScriptedReply, usage: Usage) -> _Part:
    """Return `reply` as the deltas of a stream, ending as a whole one unless it breaks off."""
    match reply:
        case str():
            return _whole((TextDelta(reply),) if reply else (), StopReason.END, usage)
        case Reply():
            return _whole(_deltas(reply.message), reply.stop_reason, reply.usage, reply.model)
        case Message():
            stop = StopReason.TOOL_USE if reply.tool_calls else StopReason.END
            return _whole(_deltas(reply), stop, usage)
        case ToolCall():
            return _part((reply,), usage)
        case BaseException():
            return _Part((), reply)
        case _:
            return _sequence(tuple(cast("Iterable[Any]", reply)), usage)


def _sequence(pieces: tuple[ToolCall | ReplyDelta | BaseException, ...], usage: Usage) -> _Part:
    deltas: list[ReplyDelta] = []
    calls = 0
    for piece in pieces:
        if isinstance(piece, BaseException):
            return _Part(tuple(deltas), piece)
        if isinstance(piece, ToolCall):
            deltas.append(_call_delta(calls, piece))
            calls += 1
        else:
            deltas.append(piece)
    if deltas and isinstance(deltas[-1], ReplyFinished):
        return _Part(tuple(deltas))
    called = any(isinstance(delta, ToolCallDelta) for delta in deltas)
    return _whole(tuple(deltas), StopReason.TOOL_USE if called else StopReason.END, usage)


def _whole(
    deltas: tuple[ReplyDelta, ...], stop: StopReason, usage: Usage, model: str = ""
) -> _Part:
    return _Part((*deltas, ReplyFinished(stop, usage, model)))


def _deltas(message: Message) -> tuple[ReplyDelta, ...]:
    deltas: list[ReplyDelta] = []
    calls = itertools.count()
    for part in message.parts:
        match part:
            case Text():
                deltas.append(TextDelta(part.text))
            case Thinking():
                deltas.append(ThinkingDelta(part.text, part.signature))
            case ToolCall():
                deltas.append(_call_delta(next(calls), part))
            case _:
                raise TypeError(f"A model does not answer with {type(part).__name__}.")
    return tuple(deltas)


def _call_delta(index: int, made: ToolCall) -> ToolCallDelta:
    arguments = made.invalid or json.dumps(dict(made.arguments))
    return ToolCallDelta(index, made.id, made.name, arguments)


def _again(part: _Part) -> _Part:
    """Return the same reply with fresh call ids: one conversation has each id once."""
    if not any(isinstance(delta, ToolCallDelta) for delta in part.deltas):
        return part
    fresh: dict[int, str] = {}
    return _Part(tuple(_renamed(delta, fresh) for delta in part.deltas), part.error)


def _renamed(delta: ReplyDelta, fresh: dict[int, str]) -> ReplyDelta:
    if not isinstance(delta, ToolCallDelta) or not delta.id:
        return delta
    call_id = fresh.setdefault(delta.index, f"call_{next(_ids)}")
    return ToolCallDelta(delta.index, call_id, delta.name, delta.arguments)
