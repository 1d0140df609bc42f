"""The port to a model vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from victor.events import ReplyDelta
from victor.messages import Request


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model."""

    name: str
    context_window: int
    """Tokens of input and output together."""
    max_output: int
    """Tokens of one reply."""
    input_price: float | None = None
    """USD for a million input tokens; None where unknown."""
    output_price: float | None = None
    """USD for a million output tokens; None where unknown."""
    cache_read_price: float | None = None
    """USD for a million input tokens read from the vendor's cache; None: as input."""
    cache_write_price: float | None = None
    """USD for a million input tokens written to the vendor's cache; None: as input."""
    known: bool = True
    """False where the figures are the honest default for an unknown model."""


@runtime_checkable
class IProvider(Protocol):
    """One vendor's wire protocol.

    `stream` is an async generator: it yields deltas as they arrive and ends with exactly one
    `ReplyFinished`. Every failure is raised as a `ProviderError`, before or between deltas;
    a stream that breaks off raises `BadReply` and never ends silently. Closing the generator
    early cancels the call.
    """

    @property
    def name(self) -> str:
        """The vendor, such as `anthropic`."""
        ...

    def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        """Make one model call. Raises `ProviderError`."""
        ...

    def model_info(self, model: str) -> ModelInfo:
        """Return what is known of `model`, without the network."""
        ...

    async def aclose(self) -> None:
        """Release connections. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model call goes."""

    provider: IProvider
    model: str
