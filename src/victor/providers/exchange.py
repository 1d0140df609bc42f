"""One HTTP exchange with a vendor: sent through an SDK, its answer read with patience and caps.

The SDKs' own readers accept a cut stream as a whole one, cannot tell a ping from progress, cap
nothing, and let the errors of decoders through. So only the request is theirs.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from victor.errors import ProviderError
from victor.events import ReplyDelta
from victor.providers.errors import (
    CallSite,
    against_protocol,
    cut_off,
    not_an_api,
    silent,
    stream_error,
    too_large,
    translate,
)
from victor.providers.rate_limit_headers import rate_limits
from victor.providers.sse import EventDecoder, EventTooLarge, LineDecoder, ServerEvent
from victor.rate_limits import RateLimits

_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_-]")

MOST_REPLY_BYTES = 64 * 1024 * 1024
"""What one answer may hold, decompressed."""

LAST_BYTES_SECONDS = 0.25
"""How long the end of a response is awaited, so that its connection can serve the next call."""

_BLANK = b"\xef\xbb\xbf \t\r\n"
"""What may stand before an answer: a byte order mark and spaces."""

DONE = b"[DONE]"
"""The data with which OpenAI's protocol ends a stream."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a vendor, in seconds."""

    connect: float = 10.0
    """For the connection, its encryption included."""
    first_event: float = 120.0
    """From the request to the first event of the answer."""
    idle: float = 90.0
    """Between two events. Pings and comments are none."""
    whole: float = 600.0
    """For an answer that is not streamed."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Patience:
        """Return the patience that the settings ask for."""
        return cls(
            connect=config["connect_timeout"],
            first_event=config["first_event_timeout"],
            idle=config["idle_timeout"],
            whole=config["model_call_timeout"],
        )


PATIENCE = Patience()
"""With a vendor's own servers."""


class Body(Protocol):
    """What an HTTP response is read through."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the decompressed body as it arrives."""
        ...


class SdkStream(Protocol):
    """What both SDKs give for a streamed call. Only its response is read."""

    @property
    def response(self) -> Body:
        """The response, its body not read yet."""
        ...

    async def close(self) -> None:
        """Close the response."""
        ...


class AnswerReader(Protocol):
    """Makes deltas of the objects that an answer consists of."""

    @property
    def finished(self) -> bool:
        """Whether the reply came to an end."""
        ...

    def read(self, event: object, /) -> Iterator[ReplyDelta]:
        """Yield what the next object says. Raises `ProviderError`."""
        ...


class Exchange:
    """One answer as JSON objects, whether it is a stream of events or one whole object.

    Silence counts while it is waited for, and not while the reader is busy. `fault` is what the
    SDK's own errors are. With `lines` each line of the answer is an object. With `unique_keys` an
    object that has a key twice is taken for none, since a call's arguments may be among them.
    `limits` hear what the response says of the vendor's rate limits.
    """

    def __init__(
        self,
        site: CallSite,
        patience: Patience,
        fault: type[Exception],
        *,
        whole: bool = False,
        lines: bool = False,
        unique_keys: bool = False,
        limits: RateLimits | None = None,
    ) -> None:
        self._site = site
        self._limits = limits
        self._patience = patience
        self._fault = fault
        self._limit = patience.whole if whole else patience.first_event
        self._waited = 0.0
        self._ending = False
        self._lines = lines
        self._pairs = _pairs if unique_keys else None

    async def deltas(
        self,
        sent: Awaitable[SdkStream],
        reader: AnswerReader,
        *,
        last_bytes: float = LAST_BYTES_SECONDS,
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Yield what `reader` makes of the answer to `sent`, until the reply has come to its end.

        What may follow it is awaited `last_bytes` seconds. Raises `ProviderError`, also where the
        answer breaks off.
        """
        async with aclosing(self.events(sent)) as events:
            async for event in events:
                for delta in reader.read(event):
                    yield delta
                if reader.finished:
                    self.end_within(last_bytes)
        if not reader.finished:
            raise cut_off(self._site)

    async def events(self, sent: Awaitable[SdkStream]) -> AsyncGenerator[object, None]:
        """Yield what the answer to `sent` holds. Raises `ProviderError`."""
        import httpx2

        stream: SdkStream | None = None
        try:
            stream = await self._patiently(sent)
            self._hear(stream.response)
            async for event in self._read(stream.response.aiter_bytes()):
                yield event
        except ProviderError:
            if not self._ending:
                raise
        except (httpx2.HTTPError, ValueError, OSError, self._fault) as error:
            self._hear(getattr(error, "response", None))
            if not self._ending:
                raise translate(error, self._site) from None
        finally:
            if stream is not None:
                await stream.close()

    def end_within(self, seconds: float) -> None:
        """Note that the reply is whole: what may follow is awaited only so long, and not missed."""
        self._ending = True
        self._limit = seconds
        self._waited = 0.0

    def _hear(self, response: object) -> None:
        headers = getattr(response, "headers", None)
        if self._limits is not None and headers is not None:
            self._limits.hear(rate_limits(headers))

    async def _read(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[object, None]:
        size = 0
        start = b""
        decoder: EventDecoder | LineDecoder | None = None
        while (piece := await self._patiently(_next(pieces))) is not None:
            size += len(piece)
            if size > MOST_REPLY_BYTES:
                raise too_large(self._site)
            if decoder is None:
                start += piece
                if not self._is_stream(start):
                    continue
                decoder, piece = (LineDecoder() if self._lines else EventDecoder()), start
            for event in self._decoded(decoder, piece):
                yield event
        if decoder is None:
            yield self._whole(start)
            return
        for event in self._left_over(decoder):
            yield event

    def _is_stream(self, start: bytes) -> bool:
        """Return whether the answer that begins so is a stream of events.

        One that was asked for as a stream may come whole, and the other way round.
        """
        first = start.lstrip(_BLANK)[:1]
        if first == b"<":
            raise not_an_api(self._site)
        return bool(first) and (self._lines or first not in b"{[")

    def _left_over(self, decoder: EventDecoder | LineDecoder) -> Iterator[object]:
        """Yield the event that the end of the stream has left without its blank line."""
        for event in decoder.finish():
            if event.data.strip() != DONE and not self._ending:
                yield self._event(event, otherwise=cut_off(self._site))

    def _decoded(self, decoder: EventDecoder | LineDecoder, piece: bytes) -> Iterator[object]:
        """Yield the events that the piece completes, pings left out."""
        try:
            events = decoder.feed(piece)
        except EventTooLarge:
            raise too_large(self._site) from None
        for event in events:
            if event.data == DONE:
                self.end_within(LAST_BYTES_SECONDS)
            elif event.name != "ping":
                value = self._event(event)
                if value.get("type") != "ping":
                    self._progress()
                    yield value

    def _progress(self) -> None:
        if not self._ending:
            self._limit = self._patience.idle
            self._waited = 0.0

    def _event(self, event: ServerEvent, otherwise: ProviderError | None = None) -> dict[str, Any]:
        """Return the event's JSON. Raises the error that it tells of, or is."""
        if event.name == "error":
            raise stream_error(_json_or_text(event.data), self._site)
        try:
            value = decode(event.data, self._pairs)
        except ValueError:
            if otherwise is None:
                raise
            raise otherwise from None
        return self._checked(value)

    def _whole(self, body: bytes) -> dict[str, Any]:
        body = body.strip(_BLANK)
        try:
            value = decode(body, _pairs)
        except ValueError:
            if body.endswith(b"}"):
                raise
            raise cut_off(self._site) from None
        return self._checked(value)

    def _checked(self, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise against_protocol("an event is no JSON object", self._site)
        if value.get("type") == "error" or (value.get("error") and not value.get("choices")):
            raise stream_error(value, self._site)
        return value

    async def _patiently(self, work: Awaitable[Any]) -> Any:
        """Return what `work` gives. Raises `ProviderUnavailable` when the server is silent."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            async with asyncio.timeout(max(0.0, self._limit - self._waited)):
                return await work
        except TimeoutError:
            if self._ending:
                return None
            raise silent(self._site, self._limit) from None
        finally:
            self._waited += clock() - started


def decode(text: bytes, pairs: Callable[[list[tuple[str, Any]]], object] | None = None) -> object:
    """Return the JSON value. Raises `ValueError`, also for one that is nested too deeply."""
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=pairs)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def sendable_name(name: str) -> str:
    """Return a tool's name in the alphabet that vendors take.

    A model may call what is no tool, by a name that would get every later request refused.
    """
    return _NOT_IN_NAME.sub("_", name)[:64] or "unnamed"


def _pairs(pairs: list[tuple[str, Any]]) -> object:
    """Return the object; one that has a key twice stays a list, and is taken for no object."""
    value = dict(pairs)
    return value if len(value) == len(pairs) else pairs


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


def _json_or_text(data: bytes) -> object:
    try:
        return decode(data)
    except ValueError:
        return data.decode("utf-8", "replace")
