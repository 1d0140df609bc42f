"""The part of a step that makes the conversation fit the model, and the receipt of what that took.

The context counts by the model's own vocabulary where that is at hand, else by an estimate. The
window is the vendor's: what vendors report tells how many tokens of the one make the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from victor.agent.event_bus import EventBus
from victor.agent.fits import NONE, WHOLE_NUMBER
from victor.agent.stages import Stages
from victor.agent.turn import Limits, Turn
from victor.calibration import Calibration, Fit
from victor.errors import CompactionError, VictorError
from victor.events import ContextCompacted, Event
from victor.messages import Context, Message, Request, ToolSpec, Usage
from victor.protocols import (
    Emit,
    Endpoint,
    ICompacting,
    IVocabulary,
    ModelInfo,
    Record,
    Summarizer,
    TextCounter,
)


@dataclass(frozen=True, slots=True)
class VendorsTask:
    """A conversation that the vendor is to sum up itself."""

    endpoint: Endpoint
    """Its provider is one that fits `ICompacting`."""
    request: Request


Summarize: TypeAlias = Callable[[Turn, str, str | VendorsTask], Awaitable[str]]
"""Asks a model outside of the conversation, on the turn's account: (turn, instructions, what)."""

SMALLER = 0.5
"""Share of its messages that a request which was too long is cut to before it is sent again."""


class ContextStep:
    """Fits the context into the window of the model that is going to be asked."""

    def __init__(self, stages: Stages, bus: EventBus, summarize: Summarize) -> None:
        self._stages = stages
        self._publish = bus.publish
        self._guard = bus.guard
        self._summarize = summarize
        self._calibration = Calibration()
        self.limits = Limits()
        self._known_model: tuple[Endpoint | None, ModelInfo | None] = (None, None)
        self._counted_for: Endpoint | None = None
        self._sums_up = False
        """Whether its vendor sums up conversations itself; asking the type each time takes long."""
        self.vocabulary: TextCounter | None = None
        """What counts by the vocabulary of the model that was fitted for last; None: estimate."""
        self.overhead = 0
        """Estimate of the tokens that prompt and tools take, as last fitted beside."""

    def configure(self, limits: Limits) -> None:
        """Adopt the limits; what the settings say of models is asked for anew."""
        self.limits = limits
        self._known_model = (None, None)

    async def fit(
        self,
        turn: Turn,
        endpoint: Endpoint,
        system: str,
        tools: tuple[ToolSpec, ...],
        *,
        was_too_long: bool = False,
    ) -> Context:
        """Return a context that fits the model's window beside prompt and tools.

        One that `was_too_long`, whatever the estimate says, is made smaller. Raises
        `CompactionError`, or `CoordinatorError` when the coordinator cannot even truncate.
        """
        context = self._stages.context
        await self.count_for(endpoint)
        overhead = self._measure(system, tools)
        room = self.room(endpoint)
        if was_too_long:
            room = min(room, overhead + int(self.size() * SMALLER))
        receipt = _Receipt(turn, self._publish)
        summarize = self._summarizer(turn, endpoint, system, tools)
        fitted = await self._guard.optional(
            "context",
            "fit",
            lambda: context.fit(room, overhead, receipt, summarize),
            None,
            fits=_context,
            seconds=self.limits.model_call_timeout,
        )
        if fitted is None:
            fitted = self._guard.require(
                "context",
                "truncate",
                lambda: context.truncate(room, overhead, receipt),
                fits=_context,
            )
        turn.compaction = receipt.compacted
        return fitted

    async def compact(
        self,
        turn: Turn,
        endpoint: Endpoint,
        system: str,
        tools: tuple[ToolSpec, ...],
        focus: str = "",
    ) -> ContextCompacted | None:
        """Make the context smaller at once; return what was done, None where nothing could be.

        Raises `CompactionError`, or `VictorError` where the context has no such ability.
        """
        compact: Any = getattr(self._stages.context, "compact", None)
        if compact is None:
            raise VictorError("This context coordinator cannot compact on request.")
        await self.count_for(endpoint)
        overhead = self._measure(system, tools)
        room = self.room(endpoint)
        receipt = _Receipt(turn, self._publish)
        summarize = self._summarizer(turn, endpoint, system, tools)
        await self._guard.critical(
            "context",
            "compact",
            lambda: compact(room, overhead, receipt, summarize, focus),
            fits=_context,
            seconds=self.limits.model_call_timeout,
            error=CompactionError,
        )
        return receipt.compacted

    async def count_for(self, endpoint: Endpoint) -> None:
        """Let the context count by the vocabulary of the endpoint's model, where it is at hand."""
        if endpoint is self._counted_for or endpoint == self._counted_for:
            return
        self._counted_for = endpoint
        self._sums_up = isinstance(endpoint.provider, ICompacting)
        known, self.vocabulary = self.vocabulary, await self._vocabulary(endpoint)
        count_by: Any = getattr(self._stages.context, "count_by", None)
        if count_by is None:
            self.vocabulary = None
        elif self.vocabulary is not known:
            count = self.vocabulary
            self._guard.read("context", "count_by", lambda: count_by(count), None, fits=NONE)

    async def _vocabulary(self, endpoint: Endpoint) -> TextCounter | None:
        provider = endpoint.provider
        if not isinstance(provider, IVocabulary):
            return None
        ask = provider.text_counter
        return await self._guard.optional(
            "provider",
            "text_counter",
            lambda: asyncio.to_thread(ask, endpoint.model),
            None,
            fits=lambda value: value is None or callable(value),
        )

    def _summarizer(
        self, turn: Turn, endpoint: Endpoint, system: str, tools: tuple[ToolSpec, ...]
    ) -> Summarizer:
        if not self._sums_up:
            return partial(self._summarize, turn)

        def sent(messages: tuple[Message, ...]) -> Request:
            return Request(endpoint.model, messages, system=system, tools=tools)

        return _VendorsSummarizer(turn, endpoint, sent, self._summarize)

    def room(self, endpoint: Endpoint) -> int:
        """Return how many tokens of the estimate fit beside the space kept for the answer."""
        window, reserve = self.window(endpoint)
        return int((window - reserve) / self.calibrated(endpoint).factor)

    def window(self, endpoint: Endpoint) -> tuple[int, int]:
        """Return the model's window and what of it is kept for the answer, in its own tokens."""
        info = self.model_info(endpoint)
        window = info.context_window
        return window, min(self.limits.max_output_tokens or info.max_output, window // 4)

    def size(self) -> int:
        """Return the estimate of the messages' tokens."""
        stage = self._stages.context
        return self._guard.read("context", "token_count", stage.token_count, 0, fits=WHOLE_NUMBER)

    def calibrated(self, endpoint: Endpoint) -> Fit:
        """Return how the endpoint's own counts stand to the estimate."""
        return self._calibration.of(endpoint.provider.name, endpoint.model)

    def learn(self, endpoint: Endpoint, estimated: int, usage: Usage) -> None:
        """Take note of the endpoint's own count of a request."""
        self._calibration.learn(
            endpoint.provider.name, endpoint.model, estimated=estimated, reported=usage.input
        )

    def learn_from(self, records: tuple[Record, ...]) -> None:
        """Take note of the vendors' own counts in a recorded conversation."""
        self._calibration.learn_from(records)

    def _measure(self, system: str, tools: tuple[ToolSpec, ...]) -> int:
        measure = self._stages.context.overhead
        self.overhead = self._guard.read(
            "context", "overhead", lambda: measure(system, tools), 0, fits=WHOLE_NUMBER
        )
        return self.overhead

    def model_info(self, endpoint: Endpoint) -> ModelInfo:
        """Return what is known of the endpoint's model, the settings first."""
        asked, told = self._known_model
        if told is not None and (endpoint is asked or endpoint == asked):
            return told
        known = self._stages.provider.model_info
        info = self._guard.read("provider", "model_info", lambda: known(endpoint), None, fits=_info)
        found = info or endpoint.provider.model_info(endpoint.model)
        if self.limits.context_window:
            found = replace(found, context_window=self.limits.context_window)
        if info is not None:
            self._known_model = endpoint, found
        return found


class _VendorsSummarizer:
    """Asks for a summary of a text, or the vendor for one of the conversation as it would be sent.

    The vendor then reads what it has in its cache. It fits `Summarizer`.
    """

    __slots__ = ("_endpoint", "_sent", "_summarize", "_turn")

    def __init__(
        self,
        turn: Turn,
        endpoint: Endpoint,
        sent: Callable[[tuple[Message, ...]], Request],
        summarize: Summarize,
    ) -> None:
        self._turn = turn
        self._endpoint = endpoint
        self._sent = sent
        self._summarize = summarize

    async def __call__(self, instructions: str, text: str) -> str:
        return await self._summarize(self._turn, instructions, text)

    async def of_conversation(self, messages: tuple[Message, ...], instructions: str = "") -> str:
        """Return the vendor's summary of the messages. Raises `ProviderError`."""
        asked = VendorsTask(self._endpoint, self._sent(messages))
        return await self._summarize(self._turn, instructions, asked)


class _Receipt:
    """Publishes what happens, and puts into the receipt what the model calls meanwhile took."""

    __slots__ = ("_cost", "_publish", "_tokens", "_turn", "compacted")

    def __init__(self, turn: Turn, publish: Emit) -> None:
        self._turn = turn
        self._publish = publish
        self._tokens, self._cost = turn.usage.total, turn.cost
        self.compacted: ContextCompacted | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, ContextCompacted):
            turn = self._turn
            unknown = turn.cost is None or self._cost is None
            took = turn.usage.total - self._tokens
            cost = None if unknown and took else (turn.cost or 0.0) - (self._cost or 0.0)
            event = self.compacted = replace(event, summary_tokens=took, cost=cost)
        self._publish(event)


def _context(value: object) -> bool:
    return isinstance(value, Context)


def _info(value: object) -> bool:
    return isinstance(value, ModelInfo)
