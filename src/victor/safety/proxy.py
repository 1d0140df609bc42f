"""The only way out of a sandbox: a proxy that lets some hosts through, and no others.

It speaks HTTP, for plain requests and for `CONNECT`. A name is resolved once and the connection
goes to that very address, so that no second answer can lead elsewhere. Addresses that are not of
the public network, such as those of this machine, of its neighbours and of a cloud's metadata, are
refused unless they are in the list themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from victor.addresses import Resolve, is_public, resolve

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0
CONNECT_SECONDS = 20.0
MOST_CONNECTIONS = 64
_CHUNK = 64 * 1024
_PORTS = {"http": 80, "https": 443}
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class Refused(Exception):
    """A request is not let through. The text is told to who asked."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """A list of hosts: names, `*.example.org` for all below one, `name:port` for one port."""

    listed: tuple[str, ...]

    def let_through(self, host: str, port: int) -> bool:
        """Return whether the list names the host. Without a port, it means those of HTTP."""
        name = _plain(host)
        return any(_matches(entry, name, port) for entry in self.listed)


def _matches(entry: str, name: str, port: int) -> bool:
    wanted, wanted_port = _parted(entry)
    if port not in (_PORTS.values() if wanted_port is None else (wanted_port,)):
        return False
    wanted = _plain(wanted)
    if wanted.startswith("*."):
        return name.endswith(wanted[1:]) and _address(name) is None
    return name == wanted


def _parted(entry: str) -> tuple[str, int | None]:
    """Return the host and the port of an entry; an address of version 6 stands in brackets."""
    host, colon, port = entry.strip().rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        return entry.strip(), None
    return host, int(port)


def _plain(host: str) -> str:
    """Return the one spelling of a host's name."""
    return host.strip("[]").rstrip(".").casefold()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Proxy:
    """Serves the processes of one sandbox."""

    hosts: Hosts
    resolve: Resolve = resolve

    @asynccontextmanager
    async def serving(self, listening: socket.socket) -> AsyncIterator[None]:
        """Take connections at the socket as long as the context is open; then all are closed."""
        running: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        listening.settimeout(0)

        async def take() -> None:
            while True:
                accepted, _ = await loop.sock_accept(listening)
                if len(running) >= MOST_CONNECTIONS:
                    accepted.close()
                    continue
                task = asyncio.create_task(self._serve(accepted))
                running.add(task)
                task.add_done_callback(running.discard)

        taking = asyncio.create_task(take())
        try:
            yield
        finally:
            tasks = (taking, *running)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, accepted: socket.socket) -> None:
        """Serve one connection to its end."""
        try:
            reader, writer = await asyncio.open_connection(sock=accepted, limit=HEAD_BYTES)
        except OSError:
            accepted.close()
            return
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._pass_on(head, reader, writer)
        except Refused as refused:
            with contextlib.suppress(OSError):
                writer.write(_answer(str(refused)))
                await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # Whoever asked is gone, or says nothing that could be answered.
        finally:
            writer.close()

    async def _pass_on(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, _, rest = head.partition(b"\r\n")
        method, host, port, line = _request(first)
        address = await self._admitted(host, port)
        async with asyncio.timeout(CONNECT_SECONDS):
            there, out = await asyncio.open_connection(address, port, limit=HEAD_BYTES)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                out.write(line + b"\r\n" + _headers(rest, host, port))
            await _both_ways((reader, out), (there, writer))
        finally:
            out.close()

    async def _admitted(self, host: str, port: int) -> str:
        """Return the address to connect to. Raises `Refused`."""
        if not self.hosts.let_through(host, port):
            raise Refused(f"{host}:{port} is not among the hosts that commands may talk to.")
        try:
            addresses = await self.resolve(host, port)
        except OSError as error:
            raise Refused(f"{host} cannot be resolved.") from error
        for address in addresses:
            own = _plain(host) == "localhost" or self.hosts.let_through(address, port)
            if own or is_public(address):
                return address
        raise Refused(f"{host} leads to an address that is not public.")


def _request(line: bytes) -> tuple[str, str, int, bytes]:
    """Return (method, host, port, the line as the server gets it). Raises `Refused`."""
    try:
        method, target, version = line.decode("ascii").split(" ")
        if method == "CONNECT":
            parts = urlsplit(f"//{target}")
            return method, str(parts.hostname or ""), parts.port or 443, b""
        parts = urlsplit(target)
        if parts.scheme != "http" or not parts.hostname:
            raise Refused("Only http addresses and CONNECT are understood.")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        passed = f"{method} {path} {version}".encode("ascii")
        return method, parts.hostname, parts.port or 80, passed
    except ValueError as error:
        raise Refused("The request is not understood.") from error


def _headers(rest: bytes, host: str, port: int) -> bytes:
    """Return the headers for the server: the host that was checked, one request, no more."""
    kept = [
        line
        for line in rest.rstrip(b"\r\n").split(b"\r\n")
        if line.partition(b":")[0].strip().lower()
        not in (b"host", b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive")
    ]
    named = f"[{host}]" if ":" in host else host
    suffix = "" if port == _PORTS["http"] else f":{port}"
    own = [f"Host: {named}{suffix}".encode("ascii"), b"Connection: close"]
    return b"\r\n".join([*own, *kept]) + b"\r\n\r\n"


async def _both_ways(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Carry bytes both ways until one side has said all; the other may end what it is saying."""
    tasks = [asyncio.create_task(_carry(source, target)) for source, target in ways]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        target.write(data)
        await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


def _answer(text: str) -> bytes:
    body = f"victor: {text} The setting sandbox_hosts lists them.\n".encode()
    return (
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body
