"""The ports to compaction and token counting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from victor.messages import Context, Message
from victor.protocols.registry import Registry

Summarizer: TypeAlias = Callable[[str, str], Awaitable[str]]
"""Asks a model: (instructions, text) to the answer's text. Raises `ProviderError`."""


@runtime_checkable
class IConversationSummarizer(Protocol):
    """A `Summarizer` that can also have the vendor sum up a conversation: an optional addition."""

    async def of_conversation(self, messages: tuple[Message, ...], instructions: str = "") -> str:
        """Return the vendor's summary of the messages; `instructions` take the place of its own.

        Raises `ProviderError`.
        """
        ...


@dataclass(frozen=True, slots=True)
class CompactionRequest:
    """What a strategy is told beside the context: how far to go, and with which means."""

    target_tokens: int
    """The result should not be larger than this."""
    count: Callable[[Message], int]
    """Tokens of one message; counted once and remembered."""
    summarize: Summarizer | None = None
    """A model call of the summarizer's; None where no model may be asked."""
    focus: str = ""
    """What a person wants to be kept above all, in their words; empty where nobody said."""


@runtime_checkable
class ICompactionStrategy(Protocol):
    """Makes a context smaller. What it returns is checked and repaired by the coordinator."""

    @abstractmethod
    async def compact(self, context: Context) -> Context:
        """Return a smaller context that keeps what matters."""
        ...


class BaseCompactionStrategy(ABC):
    """Base of compaction strategies: `compact` is all that one must write."""

    @abstractmethod
    async def compact(self, context: Context) -> Context:
        """Return a smaller context that keeps what matters."""

    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        """Return a context as small as `request` asks for.

        The coordinator calls this one. Override it to know the target, to count tokens or to ask a
        model; otherwise it is `compact`.
        """
        return await self.compact(context)


@dataclass(frozen=True, slots=True)
class KeptText:
    """Where a text can be read again."""

    place: Path
    line: int
    """Its first line there, counted from 1."""


class ILeftOut(Protocol):
    """Keeps what a compaction takes out, where the model's own tools can read it."""

    async def append(self, session_id: str, text: str) -> KeptText:
        """Keep `text`, which ends with a line, behind what was kept before and return where.

        Raises `OSError`.
        """
        ...


compaction_strategies: Registry[ICompactionStrategy] = Registry(
    "compaction strategy",
    ICompactionStrategy,
    hint=(
        "Register your own with victor.context.register_compaction_strategy(name, StrategyClass)"
        " before the orchestrator is made, or through the entry-point group"
        " victor.compaction_strategies."
    ),
)
"""What `context_compaction_strategy` may name beside the built-in strategies."""


def register_compaction_strategy(name: str, factory: Callable[[], ICompactionStrategy]) -> None:
    """Let the setting `context_compaction_strategy` ask for `name`, such as `custom`.

    `factory` is the strategy's class, or a function that makes one. Raises `ConfigError`.
    """
    compaction_strategies.register(name, factory)
