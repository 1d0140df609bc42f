"""A recorded session in place of the world: its model answers, and its tools give, as they did.

Nothing is asked, run or changed, so a turn can be had again: offline, and the same each time.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from victor.errors import ProviderError
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.history import RecordedTurn
from victor.messages import (
    Effect,
    Message,
    Request,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from victor.pairing import interrupted
from victor.protocols import Access, Allow, CallReview, Emit, Executed, Mode, ModelInfo, Verdict

_ENDLESS = 2**31
"""Tokens: nothing is compacted that was not; what was is on record as it was."""


class RecordEnds(ProviderError):
    """Raised where a model call is made that the record has no answer to."""


class RecordedReplies:
    """Answers with the recorded replies of the turn that `play` names. Fits `IProvider`."""

    def __init__(self) -> None:
        self.name = "record"
        self._replies: deque[Message] = deque()
        self._failed = False
        self._last = StopReason.END

    def play(self, turn: RecordedTurn) -> None:
        """Answer from now on with what the model said in this turn."""
        end = turn.end
        self._replies = deque(turn.replies)
        self._failed = end is None or end.kind != "ended"
        self._last = _stop_reason(end.data if end is not None else {})

    @property
    def remaining(self) -> int:
        """How many replies of the turn were not asked for."""
        return len(self._replies)

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Stream the next reply; raises `RecordEnds` where there is none."""
        if not self._replies:
            raise RecordEnds("The record has no further reply in this turn.", provider=self.name)
        reply = self._replies.popleft()
        # An answer that broke off is followed by a mark of Victor's, in a part of its own.
        broke_off = self._failed and not self._replies and len(reply.parts) > 1 and _is_text(reply)
        calls = 0
        for part in reply.parts[:-1] if broke_off else reply.parts:
            match part:
                case Text(text):
                    yield TextDelta(text)
                case Thinking(text, signature):
                    yield ThinkingDelta(text, signature)
                case ToolCall():
                    arguments = part.invalid or json.dumps(dict(part.arguments))
                    yield ToolCallDelta(calls, part.id, part.name, arguments)
                    calls += 1
        if broke_off:
            raise RecordEnds("The recorded answer broke off here.", provider=self.name)
        last = self._last if not self._replies else StopReason.END
        yield ReplyFinished(StopReason.TOOL_USE if calls else last)

    def model_info(self, model: str) -> ModelInfo:
        """Return that every model has room for all, and costs nothing."""
        return ModelInfo(model, _ENDLESS, _ENDLESS, input_price=0.0, output_price=0.0)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""


class RecordedTools:
    """Gives the recorded results of the turn that `play` names. A stage for tools by its shape.

    `specs` are the tools that the model is told of.
    """

    def __init__(self, specs: tuple[ToolSpec, ...]) -> None:
        self.specs = specs
        self._results: dict[str, deque[ToolResult]] = {}
        self._searches: dict[str, str] = {}
        """What was searched for among the tools, by call: it is searched for again."""

    def play(self, turn: RecordedTurn) -> None:
        """Give from now on what the tools gave in this turn."""
        self._results = {}
        self._searches = {}
        for record in turn.records:
            if record.kind == "result" and record.result is not None:
                self._results.setdefault(record.result.call_id, deque()).append(record.result)
                self._searches[record.result.call_id] = record.data.get("search", "")

    def reviews(self, calls: tuple[ToolCall, ...]) -> tuple[CallReview, ...]:
        """Return that every call is harmless: nothing runs."""
        return tuple(CallReview(call, Effect.READ_ONLY, access=Access()) for call in calls)

    def paths(self, calls: tuple[ToolCall, ...]) -> tuple[Path, ...]:
        """Return no path: nothing is changed."""
        return ()

    async def execute(
        self,
        calls: tuple[ToolCall, ...],
        verdicts: tuple[Verdict, ...],
        mode: Mode,
        emit: Emit,
    ) -> AsyncIterator[Executed]:
        """Yield the recorded result of every call; one that has none was interrupted."""
        for call in calls:
            waiting = self._results.get(call.id)
            result = waiting.popleft() if waiting else interrupted(call)
            search = self._searches.get(call.id, "")
            if search:
                # What is found now is told in front of it, in place of what was found then.
                result = replace(result, content=result.content.rpartition("\n\n")[2])
            yield Executed(call, result, 0.0, search=search)


class AllowAll:
    """Lets every call pass, as none of them does anything. A stage for safety by its shape."""

    async def review(self, reviews: tuple[CallReview, ...], mode: Mode) -> tuple[Verdict, ...]:
        """Return that each may run."""
        return tuple(Allow("it is played from the record") for _ in reviews)

    async def ask(self, call: ToolCall, verdict: Any) -> Any:
        """Allow it."""
        return Allow("it is played from the record")


def _is_text(message: Message) -> bool:
    return all(isinstance(part, Text) for part in message.parts)


def _stop_reason(data: Mapping[str, Any]) -> StopReason:
    said = str(data.get("stop_reason", ""))
    if said not in tuple(StopReason) or said in _OURS:
        return StopReason.END
    return StopReason(said)


_OURS = frozenset({"max_tool_iterations", "tool_loop"})
"""Reasons that the turn ends for, and not the model."""
