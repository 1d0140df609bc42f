"""Talking to a server that is a program: one JSON message a line, and the program's end."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.errors import ConfigError
from victor.marked import kill_all, new_mark, signal_group
from victor.mcp.options import ServerOptions
from victor.protocols import ISandbox, Launch, SandboxPolicy

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

MOST_BYTES = 16_000_000
"""Of one message; a program that sends a longer one is ended."""
MOST_LOG_BYTES = 1_000_000
GRACE_SECONDS = 2.0


@asynccontextmanager
async def program(
    options: ServerOptions,
    folder: Path,
    log: Path,
    ended: Callable[[], None],
    sandbox: ISandbox,
) -> AsyncIterator[tuple[Any, Any]]:
    """Start the program, and give the streams that the SDK reads and writes messages by.

    What it writes to stderr goes to `log`, lines that are no messages nowhere. `ended` is called
    once it says no more. It is ended with the context, and all that it has started. Raises
    `OSError`, and `ConfigError` where it is to be confined and cannot be.
    """
    mark = new_mark()
    launch = Launch(_marked(_command(options, folder), mark), folder, options.environment())
    async with _confined(options, launch, sandbox) as start:
        with _opened(log) as errors:
            process = await asyncio.create_subprocess_exec(
                *start.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                cwd=start.folder,
                env=dict(start.environment),
                pass_fds=start.pass_fds,
                start_new_session=True,
                limit=MOST_BYTES,
            )
        async with _spoken(process, mark, ended) as streams:
            yield streams


@asynccontextmanager
async def _confined(
    options: ServerOptions, launch: Launch, sandbox: ISandbox
) -> AsyncIterator[Launch]:
    """Return what to start in the sandbox, where the settings want it there."""
    if not options.sandbox:
        yield launch
        return
    found = await sandbox.confinement()
    if not found.confines:
        raise ConfigError(f"it is to run in a sandbox, and there is none: {found.reason}")
    policy = SandboxPolicy(
        writable=tuple(_place(one, launch.folder) for one in options.writable),
        network=options.network,
        hosts=options.hosts,
    )
    async with sandbox.confine(launch, policy) as start:
        yield start


@asynccontextmanager
async def _spoken(
    process: asyncio.subprocess.Process, mark: int, ended: Callable[[], None]
) -> AsyncIterator[tuple[Any, Any]]:
    import anyio

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
        await _end(process, mark)


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


async def _end(process: asyncio.subprocess.Process, mark: int) -> None:
    """Close its stdin, give it a moment, and end it and all that it started, wherever that is."""
    try:
        if process.stdin is not None:
            process.stdin.close()
        if not await _gone(process):
            signal_group(process.pid, signal.SIGTERM)
            await _gone(process)
    finally:
        kill_all(process.pid, mark)
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


def _command(options: ServerOptions, folder: Path) -> tuple[str, ...]:
    """Return the program with its arguments, found by the path that it is given.

    Raises `FileNotFoundError`.
    """
    told = options.command
    named = str(folder / told) if os.sep in told else told
    found = shutil.which(named, path=options.environment().get("PATH", os.defpath))
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), told)
    return (found, *options.args)


def _marked(command: tuple[str, ...], mark: int) -> tuple[str, ...]:
    """Return the command so that all that it starts carries the mark; as it is without a bash."""
    bash = shutil.which("bash", path=os.defpath)
    if bash is None:
        return command
    return (bash, "-c", f'ulimit -q {mark} 2>/dev/null; exec "$@"', "mcp", *command)


def _place(told: str, folder: Path) -> Path:
    return folder / Path(told).expanduser()


def _opened(log: Path) -> Any:
    """Return the log to append to, begun anew where it has grown large."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    grown = log.exists() and log.stat().st_size > MOST_LOG_BYTES
    return log.open("wb" if grown else "ab")
