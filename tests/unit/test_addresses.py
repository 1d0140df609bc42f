"""Which hosts may be talked to where nobody said which."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from victor.addresses import host_of, is_public, resolve
from victor.errors import ToolError
from victor.tools.web_address import Lookup, WebAddress

pytestmark = pytest.mark.anyio

_TABLE = Path(__file__).with_name("private_addresses.txt").read_text("utf-8").splitlines()
PRIVATE = tuple(line for line in _TABLE if line and not line.startswith("#"))
PUBLIC = (
    *("8.8.8.8", "1.1.1.1", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.15.0.1"),
    *("172.32.0.1", "192.0.1.1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1"),
    *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"),
)


async def by_the_system_without_asking(host: str, port: int) -> tuple[str, ...]:
    """What a resolver makes of what it takes for an address; it knows `localhost`, too."""
    if host.rstrip(".") == "localhost":
        return ("127.0.0.1", "::1")
    try:
        found = socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)
    except OSError:
        return ("8.8.8.8",)
    return tuple(str(entry[4][0]) for entry in found)


def test_there_are_120_spellings() -> None:
    assert len(set(PRIVATE)) >= 120


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("form", ["http://{}/", "HTTPS://{}:8443/a?b=c"])
async def test_private_addresses_are_refused_however_they_are_spelt(host: str, form: str) -> None:
    lookup = Lookup(by_the_system_without_asking)
    with pytest.raises(ToolError):
        await lookup.addresses(WebAddress.of(form.format(host)))


@pytest.mark.parametrize("address", [one.strip("[]") for one in PRIVATE if one[0] == "["])
def test_no_address_of_a_private_network_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert is_public(address)
    assert host_of(f"[{address}]" if ":" in address else address)


def test_what_is_no_address_is_not_public() -> None:
    assert not is_public("example.org")
    assert not is_public("fe80::1%eth0")


@pytest.mark.parametrize(
    ("spelt", "host"),
    [
        ("Example.ORG", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("\uff25xample.org", "example.org"),
        ("[2606:4700:0:0::1111]", "2606:4700::1111"),
        ("a_b.example.org", "a_b.example.org"),
        ("3com.example", "3com.example"),
    ],
)
def test_a_host_has_one_form(spelt: str, host: str) -> None:
    assert host_of(spelt) == host


@pytest.mark.parametrize(
    "odd", ["", ".", "a..b", "-a.org", "a b.org", "a" * 64, "\udcff.org", "é" * 80, "a\u0967.org"]
)
def test_what_is_no_host_is_refused(odd: str) -> None:
    with pytest.raises(ValueError, match=r"it (is|has)"):
        host_of(odd)


async def test_the_system_is_asked_for_addresses() -> None:
    assert await resolve("127.0.0.1", 80) == ("127.0.0.1",)
