"""Talking to a server that is a program: one JSON message a line, and the program's end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.mcp.options import ServerOptions

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

MOST_BYTES = 16_000_000
"""Of one message; a program that sends a longer one is ended."""
MOST_LOG_BYTES = 1_000_000
GRACE_SECONDS = 2.0


@asynccontextmanager
async def program(
    options: ServerOptions, folder: Path, log: Path, ended: Callable[[], None]
) -> AsyncIterator[tuple[Any, Any]]:
    """Start the program, and give the streams that the SDK reads and writes messages by.

    What it writes to stderr goes to `log`, lines that are no messages nowhere. `ended` is called
    once it says no more. Its process group is ended with the context. Raises `OSError`.
    """
    import anyio

    with _opened(log) as errors:
        process = await asyncio.create_subprocess_exec(
            options.command,
            *options.args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=options.environment(),
            start_new_session=True,
            limit=MOST_BYTES,
        )
    to_session, session_reads = anyio.create_memory_object_stream[Any](0)
    session_writes, from_session = anyio.create_memory_object_stream[Any](0)
    tasks = (
        asyncio.create_task(_hear(process, to_session, ended)),
        asyncio.create_task(_tell(process, from_session)),
    )
    try:
        yield session_reads, session_writes
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (to_session, session_reads, session_writes, from_session):
            stream.close()
        await _end(process)


async def _hear(
    process: asyncio.subprocess.Process,
    messages: MemoryObjectSendStream[Any],
    ended: Callable[[], None],
) -> None:
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    output = process.stdout
    try:
        # A line that is too long ends it, as the end of the output does.
        while output is not None and (line := await output.readline()):
            with suppress(ValueError):  # No message; some programs greet on stdout.
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                await messages.send(SessionMessage(message))
    except (ValueError, OSError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        pass
    finally:
        messages.close()
        ended()


async def _tell(
    process: asyncio.subprocess.Process, messages: MemoryObjectReceiveStream[Any]
) -> None:
    if process.stdin is None:
        return
    with suppress(OSError):
        async for one in messages:
            text = one.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its stdin, give it a moment, and end it and all that it started."""
    try:
        if process.stdin is not None:
            process.stdin.close()
        if not await _gone(process):
            _signal(process, signal.SIGTERM)
            await _gone(process)
    finally:
        _signal(process, signal.SIGKILL)
    await _gone(process)
    # Whoever has left the group may still hold the pipe; it is not waited for.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


async def _gone(process: asyncio.subprocess.Process) -> bool:
    """Return whether it ends in a moment. `wait` would wait for its pipes, too."""
    until = asyncio.get_running_loop().time() + GRACE_SECONDS
    while process.returncode is None:
        if asyncio.get_running_loop().time() > until:
            return False
        await asyncio.sleep(0.01)
    return True


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _opened(log: Path) -> Any:
    """Return the log to append to, begun anew where it has grown large."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    grown = log.exists() and log.stat().st_size > MOST_LOG_BYTES
    return log.open("wb" if grown else "ab")
