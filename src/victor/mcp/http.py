"""Talking to a server that is an address: streamable HTTP, signed where a person has signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS, READ_SECONDS = 30.0, 300.0


@asynccontextmanager
async def talk_to(
    url: str,
    headers: dict[str, str],
    auth: httpx2.Auth | None,
    answered: Callable[[int], None] = lambda _status: None,
) -> AsyncIterator[Any]:
    """Give the streams that the SDK reads and writes messages by.

    `answered` is told the status of each answer.
    """
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    place = httpx2.URL(url)

    async def seen(response: httpx2.Response) -> None:
        # Whoever signs requests makes some of its own, elsewhere.
        if response.request.url == place:
            answered(response.status_code)

    waits = httpx2.Timeout(CONNECT_SECONDS, read=READ_SECONDS)
    hooks = {"response": [seen]}
    async with (
        httpx2.AsyncClient(headers=headers, auth=auth, timeout=waits, event_hooks=hooks) as http,
        streamable_http_client(url, http_client=http) as streams,
    ):
        yield streams
