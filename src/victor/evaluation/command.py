"""A command with a time limit, whose whole process group ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

_TAIL: Final = 2_000
"""Bytes of output that are kept: the last ones, which say why."""

_LAST_WORDS: Final = 1.0
"""Seconds in which the output of a command that is over must arrive."""

_SECRET: Final = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)


async def run_command(
    command: str | tuple[str, ...], folder: Path, seconds: float
) -> tuple[int | None, str]:
    """Return the exit status, None where it took over `seconds`, and the output's end.

    A text goes through the shell. The command runs code that a model may have written, so it sees
    no environment variable whose name looks like a secret's. Raises `OSError` when it cannot start.
    """
    words = ("/bin/sh", "-c", command) if isinstance(command, str) else command
    # A pipe of our own: with asyncio's, `wait` waits for whoever else holds the other end.
    reading_end, writing_end = os.pipe()
    async with _tail(reading_end) as tail:
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                cwd=folder,
                env={name: value for name, value in os.environ.items() if not _SECRET.search(name)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing_end,
                stderr=writing_end,
                start_new_session=True,
            )
        finally:
            os.close(writing_end)
        status = await _status(process, seconds)
        await asyncio.wait({tail}, timeout=_LAST_WORDS)
        output = tail.result() if tail.done() else b""
    return status, output.decode(errors="replace").strip()


async def _status(process: asyncio.subprocess.Process, seconds: float) -> int | None:
    try:
        async with asyncio.timeout(seconds):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        # What it left in the background must not outlive the check either.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


@asynccontextmanager
async def _tail(descriptor: int) -> AsyncIterator[asyncio.Task[bytes]]:
    """Yield what will be the end of all that comes through the pipe, and close it in the end."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    reading = asyncio.create_task(_read(reader))
    try:
        yield reading
    finally:
        reading.cancel()
        transport.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    kept = b""
    while piece := await reader.read(65_536):
        kept = (kept + piece)[-_TAIL:]
    return kept
