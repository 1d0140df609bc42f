"""The ports to compaction and token counting."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from victor.messages import Context, Message

Summarizer: TypeAlias = Callable[[str, str], Awaitable[str]]
"""Asks a model: (instructions, text) to the answer's text. Raises `ProviderError`."""


@dataclass(frozen=True, slots=True)
class CompactionRequest:
    """What a strategy is told beside the context: how far to go, and with which means."""

    target_tokens: int
    """The result should not be larger than this."""
    count: Callable[[Message], int]
    """Tokens of one message; counted once and remembered."""
    summarize: Summarizer | None = None
    """A model call of the summarizer's; None where no model may be asked."""


@runtime_checkable
class ICompactionStrategy(Protocol):
    """Makes a context smaller. What it returns is checked and repaired by the coordinator."""

    @abstractmethod
    async def compact(self, context: Context) -> Context:
        """Return a smaller context that keeps what matters."""
        ...
