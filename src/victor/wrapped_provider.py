"""A provider that stands before another, such as one that counts or records its calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from victor.events import ReplyDelta
from victor.messages import Request
from victor.protocols import IProvider, ModelInfo


class WrappedProvider:
    """Answers for `provider` in everything but its calls; with `stream`, it fits `IProvider`."""

    def __init__(self, provider: IProvider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        """The vendor."""
        return self._provider.name

    def model_info(self, model: str) -> ModelInfo:
        """Return what is known of `model`, without the network."""
        return self._provider.model_info(model)

    async def aclose(self) -> None:
        """Release connections. Safe to call twice."""
        await self._provider.aclose()

    def _call(self, request: Request) -> aclosing[AsyncGenerator[ReplyDelta, None]]:
        """Return the other's call, to be read in `async with`: left early, it is cancelled."""
        return aclosing(cast("AsyncGenerator[ReplyDelta, None]", self._provider.stream(request)))
