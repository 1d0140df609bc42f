"""Of the network, a sandbox has the hosts of a list, and nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from victor.safety.outlet import PORT, outlet_to
from victor.safety.proxy import Hosts, Proxy, is_public, resolve

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PRIVATE = (
    *("0.0.0.0", "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.0.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200"),
    *("192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:a00:1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::", "2001:db8::1", "64:ff9b:1::1"),
    *("2001:0:7f00:1::", "2001:0:0:0:0:0:80ff:fffe", "", "localhost", "0x7f000001", "2130706433"),
    *("0177.0.0.1", "127.1", "1.1.1.1.", "1.1.1.1/8", "[::1]"),
)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_known_as_such(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


def test_a_list_means_names_and_ports_and_no_more() -> None:
    hosts = Hosts(("pypi.org", "*.npmjs.org", "git.example:22", "[fd00::1]:80", "Example.COM."))
    for host, port in (
        *(("pypi.org", 443), ("PyPI.org.", 80), ("registry.npmjs.org", 443), ("git.example", 22)),
        *(("fd00::1", 80), ("example.com", 443)),
    ):
        assert hosts.let_through(host, port), host
    for host, port in (
        *(("pypi.org", 22), ("evil-pypi.org", 443), ("pypi.org.evil.org", 443), ("npmjs.org", 443)),
        *(("evilnpmjs.org", 443), ("git.example", 443), ("fd00::1", 443), ("", 443)),
        *(("pypi.org\0.evil.org", 443), ("files.pypi.org", 443)),
    ):
        assert not hosts.let_through(host, port), host
    assert not Hosts(("*.0.0.1",)).let_through("127.0.0.1", 80)


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server of this machine that answers each request with its first line."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heard.append(head)
        line = head.split(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(line) + line)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


async def _said(port: int, text: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text.encode())
        return (await asyncio.wait_for(reader.read(), 5)).decode()
    finally:
        writer.close()


async def test_a_listed_host_is_reached_and_another_is_not() -> None:
    async with _server() as (port, heard):
        listed = (f"127.0.0.1:{port}", f"localhost:{port}")
        async with outlet_to(listed, own_loopback=False) as outlet:
            answer = await _said(
                outlet.port,
                f"GET http://127.0.0.1:{port}/a?b HTTP/1.1\r\nHost: evil.example\r\n"
                "Proxy-Authorization: secret\r\nX-Other: 1\r\n\r\n",
            )
            assert answer.endswith("GET /a?b HTTP/1.1")
            assert heard[0].split(b"\r\n")[1:5] == [
                b"Host: 127.0.0.1:%d" % port,
                b"Connection: close",
                b"X-Other: 1",
                b"",
            ]
            tunnel = await _said(
                outlet.port,
                f"CONNECT localhost:{port} HTTP/1.1\r\n\r\nGET /inner HTTP/1.1\r\n\r\n",
            )
            assert "200 Connection established" in tunnel
            assert tunnel.endswith("GET /inner HTTP/1.1")
            for request in (
                "GET http://other.example/ HTTP/1.1\r\n\r\n",
                "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n",
                f"CONNECT 127.0.0.2:{port} HTTP/1.1\r\n\r\n",
            ):
                refused = await _said(outlet.port, request)
                assert refused.startswith("HTTP/1.1 403")
                assert "sandbox_hosts" in refused
            for odd in (
                "GET / HTTP/1.1\r\n\r\n",
                "\r\n\r\n",
                "A B\r\n\r\n",
                "CONNECT a:b C\r\n\r\n",
            ):
                assert (await _said(outlet.port, odd)).startswith("HTTP/1.1 403")
    assert len(heard) == 2


@asynccontextmanager
async def _proxy(proxy: Proxy) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with proxy.serving(listening):
            yield listening.getsockname()[1]


async def test_a_name_that_leads_to_a_private_address_is_refused_unless_that_is_listed() -> None:
    asked: list[str] = []

    async def rebound(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        return ("169.254.169.254", "127.0.0.1")

    async with _server() as (port, heard):
        for listed, allowed in (((), False), ((f"127.0.0.1:{port}",), True)):
            proxy = Proxy(Hosts((f"names.example:{port}", *listed)), rebound)
            async with _proxy(proxy) as way:
                request = f"GET http://names.example:{port}/ HTTP/1.1\r\n\r\n"
                answer = await _said(way, request)
            assert answer.startswith("HTTP/1.1 200" if allowed else "HTTP/1.1 403"), answer
        assert len(heard) == 1
    # Each time it was resolved once: the connection goes where the check looked.
    assert asked == ["names.example", "names.example"]


async def test_what_cannot_be_resolved_is_said() -> None:
    async def fails(host: str, port: int) -> tuple[str, ...]:
        raise OSError

    async with _proxy(Proxy(Hosts(("a.example",)), fails)) as way:
        assert "cannot be resolved" in await _said(way, "CONNECT a.example:443 HTTP/1.1\r\n\r\n")
    assert await resolve("127.0.0.1", 80) == ("127.0.0.1",)


async def test_an_outlet_that_nobody_uses_ends() -> None:
    async with outlet_to(("a.example",), own_loopback=True) as outlet:
        assert outlet.port == PORT
        assert outlet.channel >= 0
