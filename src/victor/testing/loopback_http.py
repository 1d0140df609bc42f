"""The HTTP server behind the loopback servers: scripted, on 127.0.0.1, with asyncio alone."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias

from victor.messages import ToolCall, Usage

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LoopbackReply:
    """One scripted reply."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    thinking: str = ""
    signature: str = "signed"
    """Of the reasoning, where the vendor signs it."""
    stop_reason: str = ""
    """In the vendor's words; empty for what fits text or calls."""
    usage: Usage = field(default_factory=lambda: Usage(input=10, output=5))
    pieces: int = 3
    """How many fragments a text, or a call's arguments, is streamed in."""
    events: int | None = None
    """Send only so many events of the stream; None sends all."""
    stall: bool = False
    """After the events, send nothing and wait for the reader to leave, instead of ending."""


@dataclass(frozen=True, slots=True)
class LoopbackError:
    """One scripted failure."""

    status: int
    message: str = "scripted failure"
    kind: str = "api_error"
    """The error's type, in the vendor's words."""
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Scripted: TypeAlias = str | bytes | LoopbackReply | LoopbackError
Entry: TypeAlias = Scripted | Callable[[Json], Scripted]

_OVER = LoopbackError(400, "the loopback server's script is over", "invalid_request_error")


class Loopback:
    """The HTTP server that both vendors' servers share."""

    path = ""
    """Where the vendor takes model calls."""
    prefix = ""
    """What the vendor's SDK wants after host and port."""

    def __init__(
        self,
        script: Iterable[Entry] = (),
        *,
        otherwise: Entry | None = None,
        strict: bool = False,
    ) -> None:
        """Answer by the script; `strict` refuses with status 400 what the vendor would."""
        self._strict = strict
        self._signed: set[str] = set()
        self._script = deque(script)
        self._otherwise = otherwise
        self._server: asyncio.Server | None = None
        self._thread: _ServerThread | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()
        self._waited_for = asyncio.Event()
        self.port = 0
        self.requests: list[Json] = []
        """The JSON of every model call received, oldest first."""
        self.headers: list[dict[str, str]] = []
        """The headers of each, names in lower case."""
        self.connections = 0
        """How many connections were opened."""
        self.readers_left = 0
        """How many readers closed their connection in the middle of a reply."""

    @property
    def url(self) -> str:
        """The base URL that a provider is given."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def add(self, *entries: Entry) -> None:
        """Put more at the end of the script."""
        self._script.extend(entries)

    async def reader_left(self) -> None:
        """Wait until a reader has closed its connection in the middle of a reply."""
        await self._left.wait()

    async def reader_waits(self) -> None:
        """Wait until a reader has got all that it gets of a reply, and is left waiting for more."""
        await self._waited_for.wait()

    async def __aenter__(self) -> Any:
        self._left = asyncio.Event()
        self._waited_for = asyncio.Event()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def __enter__(self) -> Any:
        self._thread = _ServerThread(self)
        self._thread.start_and_wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.end()
            self._thread = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
        self.connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            # Only `__aexit__` cancels; a streams callback that ends cancelled is logged as a fault.
            pass
        finally:
            writer.close()
            if task is not None:
                self._connections.discard(task)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection may serve another."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, headers = _parse_head(head)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if method != "POST" or not target.partition("?")[0].endswith(self.path):
            return await self._send_json(writer, *self._elsewhere(method, target))
        request: Json = json.loads(body)
        self.requests.append(request)
        self.headers.append(headers)
        wrong = self._wrong(request)
        entry = LoopbackError(400, wrong, "invalid_request_error") if wrong else self._next(request)
        return await self._respond(entry, request, reader, writer)

    def _wrong(self, request: Json) -> str:
        """Return what the vendor would refuse; empty for nothing, or where that is not asked."""
        return ", ".join(self._objections(request)) if self._strict else ""

    def _objections(self, request: Json) -> Iterator[str]:
        """Yield what the vendor refuses in a conversation."""
        raise NotImplementedError

    async def _respond(
        self,
        entry: object,
        request: Json,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Send what the script says; return whether the connection may serve another request."""
        if isinstance(entry, LoopbackError):
            return await self._send_json(
                writer, entry.status, self._error_body(entry), entry.headers
            )
        if isinstance(entry, bytes):
            return await self._send_stream(writer, reader, [entry], stall=False, whole=True)
        assert isinstance(entry, LoopbackReply), f"no entry of a script: {entry!r}"  # noqa: S101  # a test's own fault
        if not self._streams(request):
            return await self._send_json(writer, 200, self._whole(entry, request))
        events = list(self._events(entry, request))
        cut = events if entry.events is None else events[: entry.events]
        return await self._send_stream(
            writer, reader, cut, stall=entry.stall, whole=entry.events is None
        )

    def _next(self, request: Json) -> bytes | LoopbackReply | LoopbackError:
        entry = self._script.popleft() if self._script else self._otherwise or _OVER
        if callable(entry):
            entry = entry(request)
        if isinstance(entry, LoopbackReply):
            self._signed.add(entry.signature)
        return LoopbackReply(entry) if isinstance(entry, str) else entry

    async def _send_json(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        body: Json,
        headers: Mapping[str, str] | None = None,
    ) -> bool:
        content = json.dumps(body).encode()
        lines = [
            f"HTTP/1.1 {status} Scripted",
            "content-type: application/json",
            f"content-length: {len(content)}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await writer.drain()
        return True

    async def _send_stream(
        self,
        writer: asyncio.StreamWriter,
        reader: asyncio.StreamReader,
        events: Iterable[bytes],
        *,
        stall: bool,
        whole: bool,
    ) -> bool:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for event in events:
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
        if stall:
            self._waited_for.set()
            await reader.read()
            self.readers_left += 1
            self._left.set()
            return False
        if whole:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return whole

    def _elsewhere(self, method: str, target: str) -> tuple[int, Json]:
        error = LoopbackError(404, f"no {method} {target} here", "not_found_error")
        return 404, self._error_body(error)

    def _streams(self, request: Json) -> bool:
        """Return whether the request asks for a stream."""
        return bool(request.get("stream"))

    def _error_body(self, error: LoopbackError) -> Json:
        raise NotImplementedError

    def _whole(self, reply: LoopbackReply, request: Json) -> Json:
        raise NotImplementedError

    def _events(self, reply: LoopbackReply, request: Json) -> Iterator[bytes]:
        raise NotImplementedError


class _ServerThread(threading.Thread):
    """Runs a server on an event loop of its own."""

    def __init__(self, server: Loopback) -> None:
        super().__init__(name="loopback", daemon=True)
        self._of = server
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_end: asyncio.Event | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    def start_and_wait(self) -> None:
        """Return when the server listens."""
        self.start()
        self._ready.wait()

    def end(self) -> None:
        """Return when the server is closed."""
        if self._loop is not None and self._asked_to_end is not None:
            self._loop.call_soon_threadsafe(self._asked_to_end.set)
        self.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked_to_end = asyncio.Event()
        try:
            async with self._of:
                self._ready.set()
                await self._asked_to_end.wait()
        finally:
            self._ready.set()


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.lower(): value.strip() for name, _, value in pairs}


def cut(text: str, pieces: int) -> list[str]:
    """Return `text` in at most so many parts of about the same length."""
    size = max(1, -(-len(text) // max(1, pieces)))
    return [text[start : start + size] for start in range(0, len(text), size)]
