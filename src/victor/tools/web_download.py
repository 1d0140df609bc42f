"""Getting what is at a web address: a connection to a checked machine, and never too much of it."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from victor.errors import ToolError
from victor.tools.web_address import Lookup, WebAddress

if TYPE_CHECKING:
    import httpx2

MOST_REDIRECTS = 5
MOST_BYTES = 2_000_000
"""Of one page, sent and unpacked; the rest is not fetched."""
MOST_ADDRESSES = 4
"""That are tried of one host."""
CONNECT_SECONDS = 10.0

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Download:
    """What a server sent."""

    address: WebAddress
    """Where it came from, after redirects."""
    content_type: str
    data: bytes
    cut: bool = False
    """Whether there was more."""


@dataclass(frozen=True, slots=True)
class RedirectElsewhere:
    """Another host has it, which nobody has been asked about."""

    address: WebAddress


async def download(
    page: WebAddress, lookup: Lookup, seconds: float, accept: str
) -> Download | RedirectElsewhere:
    """Return what is at `page`. No cookie, no credential and no proxy of the environment is used.

    Redirects are followed on the same host only, each looked up and checked as the first. Raises
    `ToolError`.
    """
    try:
        async with asyncio.timeout(seconds):
            for _ in range(MOST_REDIRECTS + 1):
                found = await _fetched(page, lookup, accept)
                if isinstance(found, Download):
                    return found
                if found.host != page.host:
                    return RedirectElsewhere(found)
                if page.scheme == "https" and found.scheme == "http":
                    raise ToolError(f"{page} redirects to {found}, which is not encrypted.")
                page = found
    except TimeoutError:
        raise ToolError(f"{page.host} took longer than {seconds:.0f} s.") from None
    raise ToolError(f"{page.host} redirects more than {MOST_REDIRECTS} times.")


async def _fetched(page: WebAddress, lookup: Lookup, accept: str) -> Download | WebAddress:
    """Return what the server sent, or where it redirects to. Raises `ToolError`."""
    import httpx2

    tried = (await lookup.addresses(page))[:MOST_ADDRESSES]
    for address in tried:
        try:
            async with _response(page, address, accept) as response:
                return await _read(page, response)
        except httpx2.ConnectError as error:
            failure = str(error) or "no connection"
        except httpx2.HTTPError as error:
            raise ToolError(f"{page.host}: {str(error) or type(error).__name__}.") from None
    raise ToolError(f"{page.host} cannot be reached: {failure}.")


@asynccontextmanager
async def _response(page: WebAddress, address: str, accept: str) -> AsyncIterator[httpx2.Response]:
    """Ask the machine at `address`, by the page's name, for which its certificate must be.

    Every request has a connection of its own: one that is shared by address could have been made
    for another name.
    """
    import httpx2

    headers = {
        "Host": page.authority,
        "User-Agent": "victor-ai (web_fetch)",
        "Accept": accept,
        "Accept-Encoding": "gzip, deflate",
    }
    waits = httpx2.Timeout(30.0, connect=CONNECT_SECONDS).as_dict()
    request = httpx2.Request(
        "GET",
        page.at(address),
        headers=headers,
        extensions={"sni_hostname": page.host, "timeout": waits},
    )
    async with httpx2.AsyncHTTPTransport() as transport:
        response = await transport.handle_async_request(request)
        response.request = request
        try:
            yield response
        finally:
            await response.aclose()


async def _read(page: WebAddress, response: httpx2.Response) -> Download | WebAddress:
    location = response.headers.get("location")
    if response.status_code in _REDIRECTS and location:
        return WebAddress.of(urljoin(str(page), location))
    if response.status_code != HTTPStatus.OK:
        raise ToolError(f"{page} answers with {_status(response.status_code)}.")
    unpacked = _Unpacked(response.headers.get("content-encoding", ""), page)
    async for chunk in response.aiter_raw():
        if not unpacked.add(chunk):
            break
    content_type = response.headers.get("content-type", "")
    return Download(page, content_type, bytes(unpacked.data), unpacked.full)


class _Unpacked:
    """Takes in what is sent and keeps it unpacked, up to a limit that holds for both."""

    def __init__(self, encoding: str, page: WebAddress) -> None:
        """Raises `ToolError` for an encoding that was not asked for."""
        self.data = bytearray()
        self.full = False
        self._sent = 0
        self._page = page
        self._unpack: zlib._Decompress | None = None
        match encoding.strip().lower():
            case "" | "identity":
                pass
            case "gzip" | "x-gzip" | "deflate":
                self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
            case other:
                raise ToolError(f"{page} is packed as {other[:40]!r}, which was not asked for.")

    def add(self, chunk: bytes) -> bool:
        """Take in a chunk; return whether there is room for more. Raises `ToolError`."""
        self._sent += len(chunk)
        room = MOST_BYTES - len(self.data)
        if self._unpack is None:
            self.full = len(chunk) > room
            self.data += chunk[:room]
            return not self.full
        try:
            # One byte more than fits tells whether there is more.
            found = self._unpack.decompress(chunk, room + 1)
        except zlib.error:
            raise ToolError(f"{self._page} is packed wrongly.") from None
        self.full = len(found) > room or self._sent > MOST_BYTES
        self.data += found[:room]
        return not self.full


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
