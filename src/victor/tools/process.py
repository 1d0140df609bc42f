"""Running a program to its end, with bounded memory, and ending all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

KEPT_BYTES = 1_000_000
"""Of the output: half of it from the beginning, half from the end."""
DRAIN_SECONDS = 0.3
"""How long to wait for the rest of the output of a program that has ended."""
TERMINATION_SECONDS = 0.7
"""How long a program may clean up before it is killed."""
MARK = "VICTOR_CALL_ID"
"""Environment variable by which everything that a call started is found again."""
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    exit_code: int | None
    """Negative: ended by that signal. None: it had to be ended because its time was over."""
    output: bytes
    """Standard output and standard error, merged; capped."""
    left_out: int = 0
    """Bytes left out in the middle of `output`."""
    split: int = 0
    """Where in `output` they are left out."""
    group: int = 0
    """Process group of what still runs in the background; 0 where nothing does."""
    held: bool = False
    """Whether what still runs writes to the closed output."""


class KeptOutput:
    """The beginning and the end of a stream of bytes."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        """Take more of the stream."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._half:
            self._trim()

    def result(self) -> tuple[bytes, int, int]:
        """Return (what is kept, bytes left out, where they are left out)."""
        if len(self._tail) > self._half:
            self._trim()
        return bytes(self._head + self._tail), self._dropped, len(self._head)

    def _trim(self) -> None:
        excess = len(self._tail) - self._half
        del self._tail[:excess]
        self._dropped += excess


async def run_program(
    arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str], seconds: float
) -> Finished:
    """Run a program without input in a process group of its own, for at most `seconds`.

    When its time is over or when cancelled, everything that it started is ended, too. Raises
    `OSError` where it cannot be started.
    """
    mark = secrets.token_hex(8)
    kept = KeptOutput()
    async with _Pipe(kept) as pipe:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=folder,
            env={**environment, MARK: mark},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe.writing,
            stderr=pipe.writing,
            start_new_session=True,
        )
        pipe.close_writing()
        in_time = False
        try:
            in_time = await _wait(process, seconds)
        finally:
            if not in_time:
                await _end_tree(process, mark)
        closed = await pipe.drained(DRAIN_SECONDS)
        group = process.pid if in_time and _group_exists(process.pid) else 0
    output, left_out, split = kept.result()
    code = process.returncode if in_time else None
    return Finished(code, output, left_out, split, group, held=not closed)


class _Pipe:
    """What a program writes to. Read without blocking, and given up where somebody holds it."""

    def __init__(self, kept: KeptOutput) -> None:
        self._kept = kept
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._loop.add_reader(self._reading, self._read)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        self.close_writing()

    def close_writing(self) -> None:
        """Leave the writing end to the program alone."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    async def drained(self, seconds: float) -> bool:
        """Return whether everybody has closed the writing end within `seconds`."""
        await asyncio.wait((self._ended,), timeout=seconds)
        return self._ended.done()

    def _read(self) -> None:
        try:
            data = os.read(self._reading, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._kept.add(data)
            return
        self._loop.remove_reader(self._reading)
        if not self._ended.done():
            self._ended.set_result(None)


async def _wait(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Return whether the program itself has ended within `seconds`."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        done, _ = await asyncio.wait((waiting,), timeout=seconds)
        return bool(done)
    finally:
        waiting.cancel()


async def _end_tree(process: asyncio.subprocess.Process, mark: str) -> None:
    try:
        _signal_tree(process.pid, mark, signal.SIGTERM)
        if await _wait(process, TERMINATION_SECONDS):
            return
    finally:
        _signal_tree(process.pid, mark, signal.SIGKILL)
    await _wait(process, TERMINATION_SECONDS)


def _signal_tree(group: int, mark: str, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
    for pid in _marked(mark):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _marked(mark: str) -> list[int]:
    """Return what has left the process group but still carries the mark; on Linux only."""
    if not sys.platform.startswith("linux"):
        return []
    wanted = f"{MARK}={mark}".encode()
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0"):
            found.append(int(folder.name))
    return found


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True
