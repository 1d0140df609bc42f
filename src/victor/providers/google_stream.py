"""The bytes of Gemini's streamed answers.

The SDK's own reader takes U+2028 within an answer for the end of a line and a comment for JSON, and
caps nothing. So a client that Victor makes has a hook that keeps the body from it. From a ready
client, what its reader made of the answer is written out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import httpx2

_kept: ContextVar[list[httpx2.Response] | None] = ContextVar("_kept", default=None)


async def keep_body(response: httpx2.Response) -> None:
    """Keep what the response holds for `own_answer`, and leave the SDK nothing to read."""
    kept = _kept.get()
    if kept is not None and response.status_code == 200:
        held = httpx2.Response(
            200, headers=response.headers, stream=response.stream, request=response.request
        )
        kept.append(held)
        response.stream = _Nothing()


class _Nothing(httpx2.AsyncByteStream):
    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return
        yield


class OwnAnswer:
    """A response whose body nobody has read yet. Fits `SdkStream`."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response

    async def close(self) -> None:
        """Close the response."""
        await self.response.aclose()


async def own_answer(call: Any) -> OwnAnswer:
    """Make the SDK's streamed `call` on a client with `keep_body`. Raises what the SDK does."""
    kept: list[httpx2.Response] = []
    token = _kept.set(kept)
    try:
        async for _ in await call:
            pass
        return OwnAnswer(kept.pop())
    finally:
        _kept.reset(token)
        for left in kept:
            await left.aclose()


class ReadAnswer:
    """The SDK's responses to a streamed call, as the events that they came from.

    Fits `SdkStream`, and is the response of it. The SDK's generators, left in the middle, hold the
    connection until they are collected as garbage. A task that waits inside them is cancelled where
    it waits, which closes it.
    """

    def __init__(self, call: Any, translated: Callable[[], AbstractContextManager[None]]) -> None:
        """Begin the call; what it raises is raised as `translated` makes it."""
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()
        self._translated = translated
        self._reading = asyncio.create_task(self._read(call))
        self.response = self

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield an event for each response."""
        while (response := await self._arrived.get()) is not None:
            told = response.model_dump_json(by_alias=True, exclude_none=True)
            yield f"data: {told}\n\n".encode()
        await self._reading

    async def close(self) -> None:
        """End the call."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, call: Any) -> None:
        try:
            with self._translated():
                async for response in await call:
                    self._arrived.put_nowait(response)
        finally:
            self._arrived.put_nowait(None)
