"""Loopback servers that go wrong on purpose, for tests of what a provider makes of it.

    cut = Fault("Hello", ending=Ending.CUT, keep=0.5)
    async with AnthropicFaultServer([cut, "Hello"]) as server:
        provider = AnthropicProvider(api_key="any", base_url=server.url)

A `Fault` starts from the answer that would be right, in the vendor's protocol and streamed or whole
as it was asked for, and says what becomes of it. Every other entry is a loopback server's.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from victor.testing.loopback import AnthropicLoopback, OpenAILoopback
from victor.testing.loopback_google import GoogleLoopback
from victor.testing.loopback_http import Entry, Json, Loopback, LoopbackReply
from victor.testing.loopback_ollama import OllamaLoopback
from victor.testing.loopback_responses import ResponsesLoopback


class Ending(StrEnum):
    """How a response ends."""

    WHOLE = "whole"
    """As the protocol says."""
    CUT = "cut"
    """The connection closes although more was promised."""
    RESET = "reset"
    """The connection is reset."""
    STALL = "stall"
    """Nothing more comes, and the connection stays."""
    PINGS = "pings"
    """Signs of life without end, and nothing else."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One response, and what is wrong with it."""

    reply: str | LoopbackReply = "Hello there, you."
    """What the right answer would be."""
    edit: Callable[[bytes], bytes] | None = None
    """Turns the body of the right answer into the wrong one."""
    status: int = 200
    body: bytes | None = None
    """The body as it stands, whatever the right one would be."""
    keep: float = 1.0
    """The share of the body that is sent."""
    split: int | None = None
    """Send the body in pieces of so many bytes, each in a packet of its own."""
    pause: float = 0.0
    """Seconds after each piece."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside, or in the place of, the right ones."""
    gzipped: bool = False
    """Whether the body is compressed before it is cut."""
    silent: bool = False
    """Whether not even the head of the response is sent."""
    ending: Ending = Ending.WHOLE
    ping_seconds: float = 0.005
    """Between two pings."""


class FaultServer(Loopback):
    """What both vendors' fault servers share."""

    ping = b": still here\n\n"
    """A sign of life in the vendor's protocol."""
    event = re.compile(rb".*?\r?\n\r?\n", re.DOTALL)
    """What a stream is made of."""

    def __init__(
        self,
        script: Iterable[Entry | Fault] = (),
        *,
        otherwise: Entry | Fault | None = None,
        strict: bool = False,
    ) -> None:
        given: tuple[Any, ...] = tuple(script)
        answers: Any = otherwise
        super().__init__(given, otherwise=answers, strict=strict)

    async def _respond(
        self,
        entry: object,
        request: Json,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        if not isinstance(entry, Fault):
            return await super()._respond(entry, request, reader, writer)
        if not entry.silent:
            writer.write(self._head(entry, request))
            for piece in self._pieces(entry, request):
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
                if entry.pause:
                    await asyncio.sleep(entry.pause)
        match entry.ending:
            case Ending.WHOLE:
                writer.write(b"0\r\n\r\n")
                await writer.drain()
                return True
            case Ending.RESET:
                _reset(writer)
            case Ending.STALL:
                await self._until_left(reader)
            case Ending.PINGS:
                await self._ping(entry, reader, writer)
            case Ending.CUT:
                pass
        return False

    def _right(self, fault: Fault, request: Json) -> bytes:
        reply = LoopbackReply(fault.reply) if isinstance(fault.reply, str) else fault.reply
        if self._streams(request):
            return b"".join(self._events(reply, request))
        return json.dumps(self._whole(reply, request)).encode()

    def _pieces(self, fault: Fault, request: Json) -> Iterable[bytes]:
        body = self._right(fault, request) if fault.body is None else fault.body
        if fault.edit is not None:
            body = fault.edit(body)
        if fault.gzipped:
            body = gzip.compress(body)
        body = body[: int(len(body) * fault.keep)]
        if fault.ending is Ending.PINGS and self._streams(request):
            # They come between events.
            body = b"".join(self.event.findall(body))
        size = fault.split or max(1, len(body))
        return [body[start : start + size] for start in range(0, len(body), size)]

    def _head(self, fault: Fault, request: Json) -> bytes:
        kind = "text/event-stream" if self._streams(request) else "application/json"
        headers = {"content-type": kind, "transfer-encoding": "chunked"}
        if fault.gzipped:
            headers["content-encoding"] = "gzip"
        lines = [f"{name}: {value}" for name, value in {**headers, **fault.headers}.items()]
        return "\r\n".join([f"HTTP/1.1 {fault.status} Scripted", *lines]).encode() + b"\r\n\r\n"

    async def _ping(
        self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send signs of life until the reader leaves."""
        left = asyncio.ensure_future(self._until_left(reader))
        try:
            while not (await asyncio.wait({left}, timeout=fault.ping_seconds))[0]:
                writer.write(b"%x\r\n%b\r\n" % (len(self.ping), self.ping))
                await writer.drain()
        except ConnectionError:
            await left
        finally:
            left.cancel()

    async def _until_left(self, reader: asyncio.StreamReader) -> None:
        self._waited_for.set()
        with suppress(ConnectionError):
            await reader.read()
        self.readers_left += 1
        self._left.set()


class AnthropicFaultServer(FaultServer, AnthropicLoopback):
    """Speaks Anthropic's Messages API, and breaks it where it is told to."""

    ping = b'event: ping\ndata: {"type": "ping"}\n\n'


class OpenAIFaultServer(FaultServer, OpenAILoopback):
    """Speaks OpenAI's chat completions, and breaks them where it is told to."""


class ResponsesFaultServer(FaultServer, ResponsesLoopback):
    """Speaks OpenAI's Responses API, and breaks it where it is told to."""


class GoogleFaultServer(FaultServer, GoogleLoopback):
    """Speaks Google's Gemini API, and breaks it where it is told to."""


class OllamaFaultServer(FaultServer, OllamaLoopback):
    """Speaks Ollama's own protocol, and breaks it where it is told to."""

    ping = b"\n"
    event = re.compile(rb".*\n")


@asynccontextmanager
async def deaf_port() -> AsyncIterator[int]:
    """Give a port on 127.0.0.1 where no connection is ever completed."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    port = listening.getsockname()[1]
    # Connections that nobody accepts fill the queue; the next one waits for a place in it.
    waiting = []
    try:
        for _ in range(4):
            filling = socket.socket()
            filling.settimeout(0)
            filling.connect_ex(("127.0.0.1", port))
            waiting.append(filling)
        await asyncio.sleep(0)
        yield port
    finally:
        for one in (*waiting, listening):
            one.close()


def free_port() -> int:
    """Return a port on 127.0.0.1 where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reset(writer: asyncio.StreamWriter) -> None:
    # Without lingering, closing throws away what is not sent and resets the connection.
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    writer.transport.abort()
