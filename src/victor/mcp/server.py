"""One server: connected in the background, connected again when it ends, and never waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from victor.errors import ConfigError, ToolError
from victor.mcp.definition import Definition
from victor.mcp.options import ServerOptions
from victor.mcp.stdio import program
from victor.visible import one_line

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

START_SECONDS = 30.0
MOST_TOOLS = 500
MOST_PAGES = 50
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds before it is connected again; doubled each time."""


class State(StrEnum):
    """What can be said of a server."""

    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"
    """It is tried again."""
    CLOSED = "closed"


class Server:
    """A server and the connection to it, which a task of its own holds."""

    def __init__(self, options: ServerOptions, folder: Path, logs: Path) -> None:
        """`folder` is where a program starts in, `logs` where its stderr is kept."""
        self.options = options
        self.state = State.STARTING
        self.failure = ""
        """Why it does not run, or did not last; one line."""
        self.definitions: tuple[Definition, ...] = ()
        """What it offers now, or did before it ended."""
        self.left_out = 0
        """Tools that could not be offered, being malformed, too long or too many."""
        self._folder = folder
        self.log = logs / f"{options.name}.log"
        self._client: Client | None = None
        self._settled = asyncio.Event()
        self._woken = asyncio.Event()
        self._lost = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect in the background; once is enough."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_connected())

    async def settled(self) -> None:
        """Wait until it runs, or has failed to for the first time."""
        await self._settled.wait()

    async def call(self, tool: str, arguments: dict[str, Any], seconds: float) -> CallToolResult:
        """Return what the tool gives. Raises `ToolError`."""
        client = self._client
        if client is None:
            why = f": {self.failure}" if self.failure else ""
            raise ToolError(f"The MCP server {self.options.name} does not run{why}")
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED

        try:
            async with asyncio.timeout(seconds):
                return await client.call_tool(tool, arguments)
        except TimeoutError:
            raise ToolError(
                f"{tool} of {self.options.name} gave nothing in {seconds:.0f} s. It is not known"
                " what it has done."
            ) from None
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._wake(lost=True)
            if self._lost or self._client is not client:
                raise ToolError(
                    f"The MCP server {self.options.name} ended while {tool} ran. It is not known"
                    " what it has done."
                ) from None
            raise ToolError(f"{self.options.name}: {one_line(str(error), 1_000)}") from None
        except Exception as error:  # noqa: BLE001  # the SDK raises what its parts raise
            self._wake(lost=True)
            raise ToolError(f"The call of {tool} failed: {_described(error)}") from None

    async def aclose(self) -> None:
        """End the connection, and a program with all that it started."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.state = State.CLOSED

    async def _keep_connected(self) -> None:
        # Its complaints would go to the terminal where nobody has set logging up.
        logging.getLogger("mcp").addHandler(logging.NullHandler())
        delay = FIRST_DELAY
        while True:
            try:
                await self._connected()
                self.failure, delay = "it ended", FIRST_DELAY
            except TimeoutError:
                self.failure = f"it did not answer within {START_SECONDS:.0f} s"
            except Exception as error:  # noqa: BLE001  # as above; it is tried again
                self.failure = _described(error)
            finally:
                self._client = None
            if self._closed:
                # The SDK may answer to being cancelled by failing.
                self.state = State.CLOSED
                return
            self.state = State.FAILED
            self._settled.set()
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _connected(self) -> None:
        """Connect, and return when the connection is lost."""
        # It takes a second, in which the loop has other things to do.
        await asyncio.to_thread(import_module, "mcp")
        from mcp import Client

        self._lost = False
        self._woken.clear()
        transport = self._transport()
        async with (
            asyncio.timeout(START_SECONDS) as timer,
            Client(transport, message_handler=self._heard, cache=None) as client,
        ):
            self.definitions = await self._listed(client)
            timer.reschedule(None)
            self._client, self.state, self.failure = client, State.RUNNING, ""
            self._settled.set()
            while True:
                await self._woken.wait()
                self._woken.clear()
                if self._lost:
                    return
                self.definitions = await self._listed(client)

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Any]:
        options = self.options
        if options.command:
            lost = lambda: self._wake(lost=True)  # noqa: E731  # one word
            async with program(options, self._folder, self.log, lost) as streams:
                yield streams
            return
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        waits = httpx2.Timeout(30.0, read=300.0)
        async with (
            httpx2.AsyncClient(headers=options.sent_headers(), timeout=waits) as http,
            streamable_http_client(options.url, http_client=http) as streams,
        ):
            yield streams

    async def _listed(self, client: Client) -> tuple[Definition, ...]:
        found: dict[str, Definition] = {}
        self.left_out, cursor = 0, None
        for _ in range(MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            for tool in page.tools:
                one = Definition.of(
                    self.options.name, tool.name, tool.description or "", tool.input_schema
                )
                if one is None or tool.name in found or len(found) == MOST_TOOLS:
                    self.left_out += 1
                else:
                    found[tool.name] = one
            cursor = page.next_cursor
            if not cursor:
                break
        return tuple(found.values())

    async def _heard(self, message: object) -> None:
        """Look at the tools again where the server says that they have changed."""
        if type(message).__name__ == "ToolListChangedNotification":
            self._wake(lost=False)

    def _wake(self, *, lost: bool) -> None:
        self._lost = self._lost or lost
        self._woken.set()


def _described(error: BaseException) -> str:
    """Return the first cause, on one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return f"there is no program {error.filename}"
    if isinstance(error, ValidationError):
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return one_line(f"what it sent is malformed: {where}", 300)
    return one_line(f"{str(error) or type(error).__name__}", 300)
