"""The messages the model sees: counted once each, and compacted when they no longer fit.

A strategy decides what is kept. Whatever it returns is repaired to a valid history, must be
smaller, and must fit; otherwise a deterministic truncation is made instead, so that a broken
strategy costs quality, never the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from victor import tokens
from victor.agent import fitted
from victor.agent.strategy_run import attempt
from victor.compactions import difference
from victor.errors import ConfigError
from victor.events import ContextCompacted, CoordinatorFailed, HistoryRepaired
from victor.left_out import taken_out, transcript
from victor.messages import Context, Message, ToolSpec
from victor.pairing import repair
from victor.protocols import (
    CompactionRequest,
    Emit,
    ICompactionStrategy,
    Summarizer,
    TextCounter,
)
from victor.protocols.context import (
    BaseCompactionStrategy,
    ILeftOut,
    compaction_strategies,
    register_compaction_strategy,
)

__all__ = ["BaseCompactionStrategy", "ContextCoordinator", "register_compaction_strategy"]

StrategyFactory: TypeAlias = Callable[[], ICompactionStrategy]

TRUNCATION = "truncation"
"""The strategy that is always there, and the fallback of every other."""

ASKED_FOR = "asked for"
"""The reason of a compaction that a person wanted."""

REGROWTH = 1.1
"""What stayed above the threshold may grow by this factor before it is tried again."""


class ContextCoordinator:
    """Keeps the messages of a conversation and their tokens, and makes them fit."""

    def __init__(
        self,
        strategy: str | ICompactionStrategy = TRUNCATION,
        *,
        threshold: float = 0.8,
        strategies: Mapping[str, StrategyFactory] | None = None,
        count: Callable[[Message], int] = tokens.of_message,
        estimate: Callable[[str], int] = tokens.of_text,
        left_out: ILeftOut | None = None,
    ) -> None:
        """Compact with `strategy` when more than `threshold` of the room is taken.

        `strategies` are the known ones by name; without them there is `truncation`, and what was
        registered. A strategy that is given as an object stays, whatever the settings name.
        What a compaction takes out goes to `left_out`, and the model is told where.
        Raises `UnknownNameError` and `ConfigError`.
        """
        self._known = dict(strategies or {})
        self._tally = tokens.Tally(count)
        self._count, self._estimate = count, estimate
        self._text = estimate
        """What counts words: the estimate, or the model's own vocabulary."""
        self._left_out = left_out
        self._session_id = ""
        self._context: Context | None = Context()
        self._settled = 0
        """Tokens that the last compaction could not get below the threshold, and some; else 0."""
        self._overhead: tuple[str, tuple[ToolSpec, ...], int] = ("", (), 0)
        self._fixed = not isinstance(strategy, str)
        self._strategy: ICompactionStrategy | None = None
        self._name = ""
        if isinstance(strategy, str):
            self._adopt(strategy)
        else:
            self._strategy, self._name = strategy, type(strategy).__name__
        self._threshold = _checked_threshold(threshold)

    @property
    def strategy(self) -> str:
        """The name of the strategy in force."""
        return self._name

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `context_compaction_strategy` and `context_compaction_threshold`.

        Raises `UnknownNameError` or `ConfigError` and then keeps the old ones.
        """
        threshold = _checked_threshold(config.get("context_compaction_threshold", self._threshold))
        name = config.get("context_compaction_strategy", self._name)
        if not self._fixed and name != self._name:
            self._adopt(name)
        self._threshold = threshold

    def start_session(self, session_id: str) -> None:
        """Keep what is left out from now on as this session's."""
        self._session_id = session_id

    def append(self, *messages: Message) -> None:
        """Add messages: a user message, or a whole step."""
        for message in messages:
            self._tally.append(message)
        self._context = None

    def get_context(self) -> Context:
        """Return the messages in force."""
        if self._context is None:
            self._context = Context(tuple(self._tally.messages))
        return self._context

    def token_count(self) -> int:
        """Return the estimate of the tokens in force; constant time."""
        return self._tally.total

    def overhead(self, system: str, tools: tuple[ToolSpec, ...]) -> int:
        """Return the estimate of the tokens that prompt and tools take; kept while they last."""
        known_system, known_tools, size = self._overhead
        if tools is known_tools and (system is known_system or system == known_system):
            return size
        size = self._text(system) + sum(tokens.of_tool(tool, self._text) for tool in tools)
        self._overhead = (system, tools, size)
        return size

    def count_by(self, text: TextCounter | None) -> None:
        """Count words by `text` from now on, such as a model's own vocabulary; None: estimate.

        What is there is counted anew.
        """
        self._text = text or self._estimate
        self._overhead = ("", (), 0)
        self._settled = 0
        self._tally.count_by(self._count if text is None else partial(tokens.of_message, text=text))

    def replace(self, context: Context, *, source: str, emit: Emit) -> None:
        """Start over from `context`, repaired to a valid history and reported as `source`'s."""
        self._set(self._repaired(context.messages, source, emit))

    async def fit(
        self, window: int, overhead: int, emit: Emit, summarize: Summarizer | None
    ) -> Context:
        """Return a context that fits `window` tokens beside `overhead`, compacting if it must.

        Raises `CompactionError` when even the fallback cannot make it fit.
        """
        room = window - overhead
        limit = int(room * self._threshold)
        if self._tally.total <= limit or self._tally.total <= min(self._settled, room):
            return self.get_context()
        reason = f"over {self._threshold:.0%} of the {max(room, 0):,} tokens that there is room for"
        return await self._make_smaller(limit, room, emit, summarize, reason)

    async def compact(
        self,
        window: int,
        overhead: int,
        emit: Emit,
        summarize: Summarizer | None,
        focus: str = "",
    ) -> Context:
        """Return a context of about half the size, whether or not there is room for all of it.

        `focus` says what should be kept above all. The context is as it was where nothing can be
        left out. Raises `CompactionError` as `fit`.
        """
        room = window - overhead
        limit = min(int(room * self._threshold), self._tally.total - 1)
        reason = f"{ASKED_FOR}, above all to keep: {focus}" if focus else ASKED_FOR
        return await self._make_smaller(limit, room, emit, summarize, reason, focus)

    async def _make_smaller(
        self,
        limit: int,
        room: int,
        emit: Emit,
        summarize: Summarizer | None,
        reason: str,
        focus: str = "",
    ) -> Context:
        context, smaller = self.get_context(), None
        target = max(int(limit * fitted.TARGET), 0)
        request = CompactionRequest(target, self._tally.counter(), summarize, focus)
        if self._strategy is not None:
            smaller = await attempt(self._strategy, self._name, context, request, emit)
        name = TRUNCATION if smaller is None else self._name
        cut = self._cut(smaller or context.messages, limit, room, emit)
        kept, place = await self._pointed(cut, room, emit)
        return self._settle(kept, limit, room, emit, name, reason, place)

    def truncate(self, window: int, overhead: int, emit: Emit) -> Context:
        """Return a context that fits, made by the deterministic fallback alone.

        Raises `CompactionError`.
        """
        room = window - overhead
        limit = int(room * self._threshold)
        if self._tally.total <= limit:
            return self.get_context()
        cut = self._cut(self.get_context().messages, limit, room, emit)
        return self._settle(cut, limit, room, emit, TRUNCATION, "the fallback was asked for")

    def _cut(
        self, messages: tuple[Message, ...], limit: int, room: int, emit: Emit
    ) -> tuple[Message, ...]:
        """Cut `messages` to `limit` as far as that goes, and to `room` in any case."""
        smaller = fitted.cut(messages, limit, room, self._tally.counter())
        return messages if smaller is messages else self._repaired(smaller, TRUNCATION, emit)

    async def _pointed(
        self, after: tuple[Message, ...], room: int, emit: Emit
    ) -> tuple[tuple[Message, ...], str]:
        """Keep what was taken out, and say in `after` where; as it is where that fails.

        Returns the messages, and the place.
        """
        before = self.get_context().messages
        gone = taken_out(before, after)
        if self._left_out is None or not gone:
            return after, ""
        try:
            told = transcript(gone)
            kept = await self._left_out.append(self._session_id, told.text)
        except OSError as failure:
            emit(CoordinatorFailed("context", "keep what was left out", str(failure)))
            return after, ""
        count = self._tally.counter()
        return fitted.with_place(after, before, room, count, kept, told), str(kept.place)

    def _settle(
        self,
        messages: tuple[Message, ...],
        limit: int,
        room: int,
        emit: Emit,
        strategy: str,
        reason: str,
        place: str = "",
    ) -> Context:
        """Adopt the messages, with the plan and the list that hold; say so if they are others."""
        old = self.get_context().messages
        size, count = self._tally.total, self._tally.counter()
        if size <= room and fitted.size(messages, count) >= size:
            messages = old  # A note can be longer than what it stands for.
        if messages != old:
            self._set(fitted.with_work(messages, old, room, count))
            messages = self.get_context().messages
        self._settled = int(self._tally.total * REGROWTH) if self._tally.total > limit else 0
        if (len(messages), self._tally.total) != (len(old), size):
            sizes = (len(old), len(messages), size, self._tally.total)
            emit(ContextCompacted(strategy, reason, *sizes, difference(old, messages), place))
        return self.get_context()

    def _repaired(
        self, messages: tuple[Message, ...], source: str, emit: Emit
    ) -> tuple[Message, ...]:
        valid, repairs = repair(messages)
        if repairs:
            emit(HistoryRepaired(source, repairs))
        return valid

    def _set(self, messages: tuple[Message, ...]) -> None:
        self._tally.replace(messages)
        self._context = Context(messages)
        self._settled = 0

    def _adopt(self, name: str) -> None:
        # Without a factory, truncation is the fallback itself.
        self._strategy = compaction_strategies.make(name, self._known, without=TRUNCATION)
        self._name = name


def _checked_threshold(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ConfigError(
            f"context_compaction_threshold must be a number above 0 and up to 1, not {value!r}."
        )
    return float(value)
