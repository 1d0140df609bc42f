"""A command with a time limit, whose whole process group ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from pathlib import Path
from typing import Final

_TAIL: Final = 2_000
"""Bytes of output that are kept: the last ones, which say why."""

_SECRET: Final = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)


async def run_command(
    command: str | tuple[str, ...], folder: Path, seconds: float
) -> tuple[int | None, str]:
    """Return the exit status, None where it took over `seconds`, and the output's end.

    A text goes through the shell. The command runs code that a model may have written, so it sees
    no environment variable whose name looks like a secret's. Raises `OSError` when it cannot start.
    """
    words = ("/bin/sh", "-c", command) if isinstance(command, str) else command
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not _SECRET.search(name)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    reading = asyncio.create_task(_tail(process))
    status: int | None = None
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                status = await process.wait()
    finally:
        # What it left in the background holds the pipe open, and must not outlive the check.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
        await asyncio.wait({reading}, timeout=1.0)
        reading.cancel()
    output = reading.result() if reading.done() and not reading.cancelled() else b""
    return status, output.decode(errors="replace").strip()


async def _tail(process: asyncio.subprocess.Process) -> bytes:
    kept = b""
    while process.stdout and (piece := await process.stdout.read(65_536)):
        kept = (kept + piece)[-_TAIL:]
    return kept
