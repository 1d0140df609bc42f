"""Letting a person sign in to a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from victor.errors import ConfigError
from victor.mcp.faults import described, without
from victor.mcp.http import talk_to
from victor.mcp.options import ServerOptions
from victor.mcp.sign_ins import SignIns

Show: TypeAlias = Callable[[str], Awaitable[None]]
"""Lets a person open an address."""
Paste: TypeAlias = Callable[[], Awaitable[str | None]]
"""Returns a line that the person has pasted: where the browser was sent to. None: no more."""


async def login(
    options: ServerOptions, sign_ins: SignIns, show: Show, paste: Paste | None = None
) -> bool:
    """Let a person sign in, keep what the server gives for it, and return whether it gave any.

    What was kept before holds until then. Raises `ConfigError` where it fails.
    """
    if not options.url:
        raise ConfigError(f"{options.name} is a program: nobody signs in to it.")
    if options.signs_itself:
        raise ConfigError(f"{options.name} is signed in to by its header Authorization.")
    if not _safe(options.url):
        raise ConfigError(f"{options.name}: over http:// anybody could read what it gives.")
    from mcp import Client

    from victor.mcp.oauth import desk_at, signing_in

    async def open_page(url: str) -> None:
        if not _safe(url):
            raise ConfigError(f"the server names an unsafe address to sign in at: {url}")
        await show(url)

    sign_in = sign_ins.of(options)
    headers = await asyncio.to_thread(options.sent_headers)
    async with desk_at(options.port) as desk:
        auth = signing_in(options, sign_in, open_page, desk)
        pasting = asyncio.create_task(_take_pasted(paste, desk.take)) if paste else None
        try:
            async with Client(talk_to(options.url, headers, auth), cache=None):
                pass
        except Exception as error:  # noqa: BLE001  # the SDK raises what its parts raise
            if "tokens" not in sign_in.kept:
                own = await asyncio.to_thread(options.secrets)
                told = described(error, lambda text: without((*own, *sign_in.secrets), text))
                raise ConfigError(f"{options.name}: {told}") from None
        finally:
            if pasting is not None:
                pasting.cancel()
                await asyncio.gather(pasting, return_exceptions=True)
    return "tokens" in sign_in.kept


def _safe(url: str) -> bool:
    """Return whether what is sent there stays between the two, or on this machine."""
    parts = urlsplit(url)
    own = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    return own or parts.scheme == "https"


async def _take_pasted(paste: Paste, take: Callable[[str], bool]) -> None:
    while (line := await paste()) is not None and not take(line):
        pass
