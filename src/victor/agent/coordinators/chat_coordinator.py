"""One exchange with the model: request, stream, assemble."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from victor.errors import BadReply, ProviderError
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    JsonObject,
    Message,
    Part,
    Reply,
    Request,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
)
from victor.protocols import Emit, IProvider

EMPTY_REPLY_TRIES = 2
"""How often the model is asked before an answer without text and tool calls is an error."""


class ChatCoordinator:
    """Turns a provider's deltas into one reply that the turn can rely on."""

    def __init__(self) -> None:
        self._call_ids: set[str] = set()

    async def reply(self, provider: IProvider, request: Request, emit: Emit) -> Reply:
        """Return the model's whole answer, emitting its deltas as they arrive.

        Tool calls have ids that are unique in the conversation; one whose arguments are no JSON
        object, or which the output limit cut off, is marked `invalid`. Raises `ProviderError`,
        with the text that had arrived in its `partial`.
        """
        for _ in range(EMPTY_REPLY_TRIES):
            reply = await self._stream(provider, request, emit)
            if reply.message.parts or reply.stop_reason not in _SUCCESS:
                return _accepted(reply, request.model)
        raise BadReply(
            "The model answered with neither text nor a tool call.",
            provider=provider.name,
            model=request.model,
            hint="Ask again, or choose another model.",
        )

    async def _stream(self, provider: IProvider, request: Request, emit: Emit) -> Reply:
        assembly = _Assembly(provider.name)
        stream = cast("AsyncGenerator[ReplyDelta, None]", provider.stream(request))
        try:
            async with aclosing(stream) as deltas:
                async for delta in deltas:
                    if type(delta) is TextDelta:
                        assembly.text.append(delta.content)
                        emit(delta)
                    elif isinstance(delta, ReplyFinished):
                        assembly.finished = delta
                    else:
                        assembly.add(delta)
                        emit(delta)
        except ProviderError as failure:
            failure.partial = assembly.visible()
            raise
        if assembly.finished is None:
            cut = BadReply(
                "The answer ended before it was finished.",
                provider=provider.name,
                model=request.model,
                hint="Ask again.",
            )
            cut.partial = assembly.visible()
            raise cut
        return assembly.reply(self._call_ids)


_SUCCESS = frozenset({StopReason.END, StopReason.TOOL_USE, StopReason.UNKNOWN})


def _accepted(reply: Reply, model: str) -> Reply:
    """Return the reply. Raises `ProviderError` where it is none: nothing may stand in for it."""
    if reply.message.parts:
        return reply
    raise ProviderError(
        f"The model stopped without an answer: {reply.stop_reason}.",
        provider=reply.provider,
        model=reply.model or model,
        hint="Rephrase the request, or choose another model.",
    )


class _Assembly:
    """The reply so far: finished parts, the text that still grows, and fragments of calls."""

    __slots__ = ("_calls", "_parts", "_provider", "_thinking", "finished", "text")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._parts: list[Part] = []
        self._thinking: list[str] = []
        self._calls: dict[int, list[ToolCallDelta]] = {}
        self.text: list[str] = []
        self.finished: ReplyFinished | None = None

    def add(self, delta: object) -> None:
        """Take in a delta other than text. Raises `BadReply` for anything else."""
        match delta:
            case ThinkingDelta():
                self._close_text()
                self._thinking.append(delta.content)
                if delta.signature:
                    self._close_thinking(delta.signature)
            case ToolCallDelta():
                self._calls.setdefault(delta.index, []).append(delta)
            case _:
                raise BadReply(
                    f"The provider streamed {type(delta).__name__}, which is no part of a reply.",
                    provider=self._provider,
                )

    def visible(self) -> str:
        """Return the text that a person has seen by now."""
        done = [part.text for part in self._parts if isinstance(part, Text)]
        return "".join(done + self.text)

    def reply(self, taken_ids: set[str]) -> Reply:
        """Return the whole reply; its calls get ids that are not in `taken_ids`, and join it."""
        assert self.finished is not None  # noqa: S101  # the caller has checked
        self._close_thinking("")
        self._close_text()
        cut = self.finished.stop_reason is StopReason.MAX_TOKENS
        last = max(self._calls, default=-1)
        for index, fragments in sorted(self._calls.items()):
            self._parts.append(_call(fragments, taken_ids, cut=cut and index == last))
        return Reply(
            Message(Role.ASSISTANT, tuple(self._parts)),
            self.finished.stop_reason,
            self.finished.usage,
            self.finished.model,
            self._provider,
        )

    def _close_text(self) -> None:
        if text := "".join(self.text):
            self._parts.append(Text(text))
        self.text.clear()

    def _close_thinking(self, signature: str) -> None:
        if self._thinking or signature:
            self._parts.append(Thinking("".join(self._thinking), signature, self._provider))
        self._thinking.clear()


def _call(fragments: list[ToolCallDelta], taken_ids: set[str], *, cut: bool) -> ToolCall:
    name = next((part.name for part in fragments if part.name), "")
    wanted = next((part.id for part in fragments if part.id), "") or f"call_{len(taken_ids) + 1}"
    call_id = wanted
    while call_id in taken_ids:
        call_id = f"{wanted}_{len(taken_ids) + 1}"
    taken_ids.add(call_id)
    raw = "".join(part.arguments for part in fragments)
    arguments = None if cut else _json_object(raw or "{}")
    if arguments is None:
        return ToolCall(call_id, name, {}, invalid=raw or "(cut off by the output limit)")
    return ToolCall(call_id, name, arguments)


def _json_object(raw: str) -> JsonObject | None:
    try:
        value: Any = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
