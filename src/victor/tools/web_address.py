"""Where a web address leads: taken apart in one way, and looked up once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from victor import addresses
from victor.addresses import Resolve
from victor.errors import ToolError
from victor.visible import one_line

_PORTS = {"http": 80, "https": 443}
_ODD = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_LONGEST = 4_096


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A web page's address, every part of it checked."""

    scheme: str
    host: str
    """As `victor.addresses.host_of` gives it."""
    port: int
    target: str
    """Path and query, as they are sent."""

    @classmethod
    def of(cls, text: str) -> WebAddress:
        """Return the address that is written so. Raises `ToolError` that says what is wrong."""
        shown = one_line(text)
        if len(text) > _LONGEST:
            raise ToolError(f"The address is longer than {_LONGEST:,} characters.")
        if _ODD.search(text):
            raise ToolError(
                f"{shown}: an address has no spaces, control characters or backslashes."
            )
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise ToolError(f"{shown} is no web address: {error}.") from None
        if parts.scheme not in _PORTS:
            raise ToolError(f"{shown}: only addresses with http:// or https:// can be fetched.")
        if "@" in parts.netloc:
            raise ToolError(f"{shown}: names and passwords in addresses are not sent.")
        try:
            host = addresses.host_of(_host_in(parts.netloc))
        except ValueError as error:
            raise ToolError(f"{shown} is refused: {error}.") from None
        target = quote(parts.path or "/", safe=_SAFE)
        if parts.query:
            target += f"?{quote(parts.query, safe=_SAFE)}"
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], target)

    @property
    def authority(self) -> str:
        """Host and, where it is not the usual one, port: what the server is told."""
        host = _bracketed(self.host)
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """Return the address of the same page at a machine that needs no looking up."""
        return f"{self.scheme}://{_bracketed(address)}:{self.port}{self.target}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


@dataclass(frozen=True, slots=True)
class Lookup:
    """Looks hosts up, and lets only public addresses pass."""

    resolve: Resolve = addresses.resolve
    is_public: Callable[[str], bool] = addresses.is_public

    async def addresses(self, page: WebAddress) -> tuple[str, ...]:
        """Return the addresses to connect to. Raises `ToolError` where any is refused."""
        try:
            found = await self.resolve(page.host, page.port)
        except OSError as error:
            raise ToolError(f"{page.host} cannot be found: {error.strerror or error}.") from None
        if not found:
            raise ToolError(f"{page.host} has no address.")
        for address in found:
            if not self.is_public(address):
                raise ToolError(
                    f"{page.host} is refused: {one_line(address)} is no address of the public"
                    " internet."
                )
        return found


def _host_in(netloc: str) -> str:
    """Return the netloc without its port; `urlsplit` would change its case and brackets."""
    if netloc.startswith("["):
        return netloc[: netloc.rfind("]") + 1]
    return netloc.partition(":")[0]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
