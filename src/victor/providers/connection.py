"""SDK clients, one for each event loop."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeAlias, TypeVar


class Closable(Protocol):
    """What both SDKs' asynchronous clients are."""

    async def close(self) -> None:
        """Close the connections."""
        ...


ClientT = TypeVar("ClientT", bound=Closable)
_Loop: TypeAlias = asyncio.AbstractEventLoop
_Closing: TypeAlias = AsyncGenerator[None, None]

# Collected as garbage, an open connection warns and a client tries to close it on whichever loop
# runs then. So each client is held here until it was closed on its own.
_open: dict[Closable, _Closing] = {}
_ending: set[asyncio.Task[None]] = set()


class ClientPerLoop(Generic[ClientT]):
    """Makes a client when an event loop first needs one, and closes it with the loop.

    A connection belongs to the loop that opened it: a client kept over two `asyncio.run` calls
    would fail with "Event loop is closed" in the second. The client is closed by `aclose`, or when
    this object is dropped, or when the loop ends, whichever comes first.
    """

    __slots__ = ("__weakref__", "_clients", "_make")

    def __init__(self, make: Callable[[], ClientT]) -> None:
        self._make = make
        self._clients: dict[_Loop, ClientT] = {}

    def __len__(self) -> int:
        return len(self._clients)

    async def get(self) -> ClientT:
        """Return the running loop's client. Raises what `make` raises."""
        loop = asyncio.get_running_loop()
        kept = self._clients.get(loop)
        if kept is not None:
            return kept
        # A loop that was closed by hand, without its generators, has left its client behind.
        for closed in [other for other in self._clients if other.is_closed()]:
            _open.pop(self._clients.pop(closed), None)
        client = self._clients[loop] = self._make()
        # asyncio.run closes the generators of its loop while the loop still works: the only
        # moment at which connections that nobody closed can still be closed properly.
        closing = _open[client] = _closed_with_loop(client, loop, self._clients)
        weakref.finalize(self, _release, client, loop).atexit = False
        await anext(closing)
        return client

    async def aclose(self) -> None:
        """Close the running loop's client. Safe to call twice."""
        client = self._clients.get(asyncio.get_running_loop())
        if client is not None and (closing := _open.get(client)) is not None:
            await closing.aclose()


async def _closed_with_loop(
    client: ClientT, loop: _Loop, clients: dict[_Loop, ClientT]
) -> _Closing:
    try:
        yield
    finally:
        clients.pop(loop, None)
        await client.close()
        _open.pop(client, None)


def _release(client: Closable, loop: _Loop) -> None:
    """Close a client whose owner was dropped, on its own loop."""
    if client not in _open:
        return
    if loop.is_closed():
        del _open[client]
    else:
        loop.call_soon_threadsafe(_close_soon, client)


def _close_soon(client: Closable) -> None:
    closing = _open.get(client)
    if closing is not None:
        task = asyncio.ensure_future(_close(closing))
        _ending.add(task)
        task.add_done_callback(_ending.discard)


async def _close(closing: _Closing) -> None:
    # It is running already where the loop ends at the same time, and closes its generators.
    with suppress(RuntimeError):
        await closing.aclose()
