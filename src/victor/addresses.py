"""Which machines may be talked to where nobody said which: those on the public internet."""

from __future__ import annotations

import asyncio
import re
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Resolve: TypeAlias = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""Returns the addresses of a host, the one to try first in front. Raises `OSError`."""

_MACHINES_OWN = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet", ".corp")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NOT_PUBLIC = (
    IPv4Network("168.63.129.16/32"),  # Azure's virtual machines ask it for their secrets
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)
_PUBLIC_6 = IPv6Network("2000::/3")
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"))
_SHORT_TRANSLATED = IPv6Network("64:ff9b:1::/48")
_ISATAP = (0x00005EFE, 0x02005EFE)


def host_of(text: str) -> str:
    """Return the host that `text` names, in the one form that is looked up and shown.

    Lower case and ASCII, IPv6 without brackets. Raises `ValueError` that says what is odd about it:
    a spelling that programs read differently, or a name that is this network's own.
    """
    host = unicodedata.normalize("NFKC", text).lower()
    if host.startswith("[") or ":" in host:
        return _ipv6(host)
    if not host.isascii():
        if any(sign.isdigit() and not sign.isascii() for sign in host):
            raise ValueError("it has digits that some programs read as others")
        host = _in_ascii(host)
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise ValueError("it is no name of a host")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _ipv4(host)
    if host == "localhost" or host.endswith(_MACHINES_OWN):
        raise ValueError("it is a name of this machine or its network")
    return host


def is_public(address: str) -> bool:
    """Return whether the address is one of the public internet, in whichever form it is written.

    One that stands for another, as IPv6 has them of IPv4, is as public as that.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _is_public(found)
    if found.scope_id is not None:
        return False
    inner = tuple(_stands_for(found))
    return all(map(_is_public, inner)) if inner else _is_public(found)


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host, the one to try first in front. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    if isinstance(address, IPv6Address) and address not in _PUBLIC_6:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _stands_for(address: IPv6Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that packets to it end up at, or may."""
    last = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped is not None or any(address in network for network in _TRANSLATED):
        yield last
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address.teredo is not None:
        yield from address.teredo
    elif address in _SHORT_TRANSLATED:
        # Where in it the address stands is for each network to choose, so none is let through.
        yield IPv4Address(0)
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        yield last


def _ipv4(host: str) -> str:
    parts = host.split(".")
    plain = len(parts) == 4 and all(part.isdecimal() and str(int(part)) == part for part in parts)
    if not plain:
        raise ValueError("it is an odd spelling of an address")
    return str(IPv4Address(host))


def _ipv6(host: str) -> str:
    try:
        found = IPv6Address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError("it is no address") from None
    if found.scope_id is not None:
        raise ValueError("it names a network of this machine")
    return str(found)


def _in_ascii(host: str) -> str:
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError("it is no name of a host") from None
