"""SDK clients, one for each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What both SDKs' asynchronous clients are."""

    async def close(self) -> None:
        """Close the connections."""
        ...


ClientT = TypeVar("ClientT", bound=Closable)


class ClientPerLoop(Generic[ClientT]):
    """Makes a client when an event loop first needs one, and closes it with the loop.

    A connection belongs to the loop that opened it: a client kept over two `asyncio.run` calls
    would fail with "Event loop is closed" in the second.
    """

    __slots__ = ("_clients", "_make")

    def __init__(self, make: Callable[[], ClientT]) -> None:
        self._make = make
        self._clients: dict[
            asyncio.AbstractEventLoop, tuple[ClientT, AsyncGenerator[None, None]]
        ] = {}

    def __len__(self) -> int:
        return len(self._clients)

    async def get(self) -> ClientT:
        """Return the running loop's client. Raises what `make` raises."""
        loop = asyncio.get_running_loop()
        kept = self._clients.get(loop)
        if kept is not None:
            return kept[0]
        # A loop that was closed by hand, without its generators, has left its client behind.
        for closed in [other for other in self._clients if other.is_closed()]:
            del self._clients[closed]
        client = self._make()
        # asyncio.run closes the generators of its loop while the loop still works: the only
        # moment at which connections that nobody closed can still be closed properly.
        closing = self._closed_with_loop(client)
        self._clients[loop] = (client, closing)
        await anext(closing)
        return client

    async def aclose(self) -> None:
        """Close the running loop's client. Safe to call twice."""
        kept = self._clients.get(asyncio.get_running_loop())
        if kept is not None:
            await kept[1].aclose()

    async def _closed_with_loop(self, client: ClientT) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._clients.pop(asyncio.get_running_loop(), None)
            await client.close()
