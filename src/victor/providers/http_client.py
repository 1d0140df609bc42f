"""What the SDKs' HTTP clients share: one TLS context, and a cap on what an error may hold.

An SDK reads the whole body of a refusal before it raises, however long that is.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import lru_cache
from typing import Any, cast

import httpx2

from victor.providers.exchange import Patience

MOST_ERROR_BYTES = 16 * 1024
"""What is read of a refusal's body, as it comes over the wire."""


def http_options(patience: Patience) -> dict[str, Any]:
    """Return what an `httpx2.AsyncClient` is made with."""
    return {
        "verify": _tls(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
        "timeout": httpx2.Timeout(None, connect=patience.connect),
        "event_hooks": {"response": [_cap_refusal]},
    }


@lru_cache(maxsize=4)
def _tls(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    # Reading the authorities' certificates takes 20 ms, for each client.
    return httpx2.create_ssl_context()


async def _cap_refusal(response: httpx2.Response) -> None:
    if response.is_error:
        response.stream = _Capped(cast("httpx2.AsyncByteStream", response.stream))


class _Capped(httpx2.AsyncByteStream):
    """The beginning of a stream."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        left = MOST_ERROR_BYTES
        pieces = cast("AsyncGenerator[bytes, None]", aiter(self._stream))
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece[:left]
                left -= len(piece)
                if left <= 0:
                    return

    async def aclose(self) -> None:
        await self._stream.aclose()
