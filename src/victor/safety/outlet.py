"""The way from inside of a sandbox to the proxy that is outside."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from victor.safety.proxy import Hosts, Proxy
from victor.safety.rooms import Outlet

PORT = 3128
"""Of a loopback that nobody else is on."""


@asynccontextmanager
async def outlet_to(hosts: tuple[str, ...], *, own_loopback: bool) -> AsyncIterator[Outlet]:
    """Run a proxy to these hosts as long as the context is open, and return the way to it.

    With `own_loopback` the process is in a network of its own: there it listens itself, and hands
    the socket out, at which it is then served from here.
    """
    proxy = Proxy(Hosts(hosts))
    if not own_loopback:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            async with proxy.serving(listening):
                yield Outlet(listening.getsockname()[1])
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        serving = asyncio.create_task(_serve_received(proxy, ours))
        try:
            yield Outlet(PORT, theirs.fileno())
        finally:
            serving.cancel()
            await asyncio.wait((serving,))


async def _serve_received(proxy: Proxy, channel: socket.socket) -> None:
    """Serve at the socket that comes over the channel, until cancelled."""
    channel.settimeout(0)
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(channel, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(channel)
    try:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    except ConnectionError:
        return
    if not descriptors:
        return  # The process has ended before it could listen.
    with socket.socket(fileno=descriptors[0]) as listening:
        async with proxy.serving(listening):
            await asyncio.Event().wait()
