"""A provider whose calls give the vendor's own summary of the conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

from victor.events import ReplyDelta
from victor.messages import Request
from victor.protocols import Endpoint, ICompacting, IProvider


def vendors_own(endpoint: Endpoint, instructions: str) -> Endpoint:
    """Return the endpoint, asked for summaries: its provider must fit `ICompacting`."""
    return Endpoint(
        cast("IProvider", _Summarizing(endpoint.provider, instructions)), endpoint.model
    )


class _Summarizing:
    """The provider in all else, so that limits, prices and accounts are its own."""

    def __init__(self, provider: IProvider, instructions: str) -> None:
        self._provider = provider
        self._instructions = instructions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        """Make the call. Raises `ProviderError`."""
        return cast("ICompacting", self._provider).summarize(request, self._instructions)
