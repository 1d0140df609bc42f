"""One server: connected in the background, connected again when it ends, and never waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from victor.errors import ToolError
from victor.mcp.changes import heard, listen, tells_of_resources
from victor.mcp.definition import Definition
from victor.mcp.faults import described, without
from victor.mcp.http import talk_to
from victor.mcp.listing import Offered, listed
from victor.mcp.options import ServerOptions
from victor.mcp.sign_ins import SignIn
from victor.mcp.stdio import program
from victor.protocols import ISandbox
from victor.visible import one_line

if TYPE_CHECKING:
    import httpx2
    from mcp import Client
    from mcp_types import CallToolResult, GetPromptResult, ReadResourceResult

_T = TypeVar("_T")

START_SECONDS = 30.0
UNAUTHORIZED = 401
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

    def __init__(
        self,
        options: ServerOptions,
        folder: Path,
        logs: Path,
        sign_in: SignIn,
        sandbox: ISandbox,
    ) -> None:
        """`folder` is where a program starts in, `logs` where its stderr is kept, `sandbox` what
        it runs in where its settings say so.
        """
        self.options = options
        self.state = State.STARTING
        self.failure = ""
        """Why it does not run, or did not last; one line."""
        self.offered = Offered()
        """What it offers now, or did before it ended."""
        self._folder = folder
        self.log = logs / f"{options.name}.log"
        self._sign_in = sign_in
        self._sandbox = sandbox
        self._secrets: frozenset[str] = frozenset()
        self._unsigned = False
        """Whether the last answer was that it does not know who asks."""
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

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """Its tools."""
        return self.offered.tools

    async def call(self, tool: str, arguments: dict[str, Any], seconds: float) -> CallToolResult:
        """Return what the tool gives. Raises `ToolError`."""
        return await self._answer(
            tool, lambda client: client.call_tool(tool, arguments), seconds, may_have_acted=True
        )

    async def read(self, uri: str, seconds: float) -> ReadResourceResult:
        """Return what the resource holds. Raises `ToolError`."""
        return await self._answer(uri, lambda client: client.read_resource(uri), seconds)

    async def prompt(self, name: str, arguments: dict[str, str], seconds: float) -> GetPromptResult:
        """Return the words of a prompt. Raises `ToolError`."""
        return await self._answer(
            f"the prompt {name}", lambda client: client.get_prompt(name, arguments), seconds
        )

    async def list_again(self, seconds: float) -> None:
        """Ask what it offers now, where it does not tell of changes by itself.

        Raises `ToolError`.
        """
        if self._client is None or not tells_of_resources(self._client):
            self.offered = await self._answer(
                "the list", lambda client: listed(client, self.options.name), seconds
            )

    async def _answer(
        self,
        what: str,
        ask: Callable[[Client], Awaitable[_T]],
        seconds: float,
        *,
        may_have_acted: bool = False,
    ) -> _T:
        client, name = self._client, self.options.name
        if client is None:
            why = f": {self.failure}" if self.failure else ""
            raise self._in_its_words(f"The MCP server {name} does not run{why}")
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED

        unknown = " It is not known what it has done." if may_have_acted else ""
        try:
            async with asyncio.timeout(seconds):
                return await ask(client)
        except TimeoutError:
            raise ToolError(f"{what} of {name} gave nothing in {seconds:.0f} s.{unknown}") from None
        except MCPError as error:
            # A program says by its end that it has ended, and may use the number for its own.
            if (error.code == CONNECTION_CLOSED and self.options.url) or self._unsigned:
                self._wake(lost=True)
            if self._unsigned:
                raise ToolError(f"{name}: {self._why_unsigned()}") from None
            if self._lost or self._client is not client:
                raise ToolError(f"The MCP server {name} ended while {what} ran.{unknown}") from None
            said = one_line(self.concealed(str(error)), 1_000)
            raise self._in_its_words(f"{name}: {said}") from None
        except Exception as error:  # noqa: BLE001  # the SDK raises what its parts raise
            self._wake(lost=True)
            said = described(error, self.concealed)
            raise self._in_its_words(f"The call of {what} failed: {said}") from None

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
            except Exception as error:  # noqa: BLE001  # the SDK raises what its parts raise; it is tried again
                self.failure = described(error, self.concealed)
                if self._unsigned:
                    self.failure = self._why_unsigned()
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
        self._secrets = await asyncio.to_thread(self.options.secrets)
        from mcp import Client

        self._lost = False
        self._woken.clear()
        transport = self._transport()
        async with (
            asyncio.timeout(START_SECONDS) as timer,
            Client(transport, message_handler=self._heard, cache=None) as client,
        ):
            self.offered = await listed(client, self.options.name)
            timer.reschedule(None)
            self._client, self.state, self.failure = client, State.RUNNING, ""
            self._settled.set()
            listening = asyncio.create_task(listen(client, self._changed))
            try:
                while True:
                    await self._woken.wait()
                    self._woken.clear()
                    if self._lost:
                        return
                    async with asyncio.timeout(START_SECONDS):
                        self.offered = await listed(client, self.options.name)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Any]:
        options = self.options
        if options.command:
            lost = partial(self._wake, lost=True)
            async with program(options, self._folder, self.log, lost, self._sandbox) as streams:
                yield streams
            return
        headers = await asyncio.to_thread(options.sent_headers)
        self._unsigned = False
        async with talk_to(options.url, headers, self._signature(), self._answered) as streams:
            yield streams

    def _signature(self) -> httpx2.Auth | None:
        """Return what signs requests where a person has signed in. Raises `ConfigError`."""
        self._sign_in.changed()
        if self.options.signs_itself or not self._sign_in.kept:
            return None
        from victor.mcp.oauth import signed

        return signed(self.options, self._sign_in)

    def _answered(self, status: int) -> None:
        self._unsigned = status == UNAUTHORIZED

    def _why_unsigned(self) -> str:
        """Return what a person can do about a server that does not know who asks."""
        if self.options.signs_itself:
            return "it does not accept the header Authorization of the settings"
        return f"it wants you to sign in: run `victor mcp login {self.options.name}`"

    def concealed(self, text: str) -> str:
        """Return the text without what must not be shown: secrets that the server was sent."""
        return without((*self._secrets, *self._sign_in.secrets), text)

    def _in_its_words(self, text: str) -> ToolError:
        """Return an error that may have words of the server in it."""
        error = ToolError(text)
        error.source = self.options.source
        return error

    async def _heard(self, message: object) -> None:
        """Look at what it offers again where the server says that it has changed."""
        if heard(message):
            self._changed()

    def _changed(self) -> None:
        self._wake(lost=False)

    def _wake(self, *, lost: bool) -> None:
        self._lost = self._lost or lost
        self._woken.set()
