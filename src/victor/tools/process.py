"""Running a program to its end, with bounded memory, and ending all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from victor.marked import kill_all, more_than, new_mark, running_threads, signal_group
from victor.protocols import ISandbox, Launch, SandboxPolicy
from victor.tools.control_group import held_to, joining
from victor.tools.kept_output import KeptOutput

DRAIN_SECONDS = 0.3
"""How long to wait for the rest of the output of a program that has ended."""
TERMINATION_SECONDS = 0.7
"""How long a program may clean up before it is killed."""
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may take."""

    memory: int | None = None
    """MB that each of its processes may fill; None: as much as there is."""
    processes: int | None = None
    """Processes and threads that it may add to those of its user, on Linux only. The system does
    not hold root to it: a control group does, or where none can be made, what root starts is
    counted, and ended soon after it has more."""
    output: int = 200_000_000
    """Bytes that it may print."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Limits:
        """Return the limits among the settings; of memory, three quarters where none is set."""
        memory = config.get("command_memory_limit")
        if memory is None and hasattr(os, "sysconf"):
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4 // 1_048_576
        return cls(memory, config.get("command_process_limit"))


class Program:
    """A program that runs in a sandbox, in a session of its own, without input.

    When it ends, or is ended, so is everything that it has started, wherever that has gone. It
    runs from the moment it is made, in a task of its own, so that it can go on in the background.
    """

    def __init__(
        self,
        launch: Launch,
        kept: KeptOutput,
        *,
        sandbox: ISandbox,
        policy: SandboxPolicy,
        limits: Limits | None = None,
        on_output: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self.kept = kept
        self.exit_code: int | None = None
        """Negative: ended by that signal. None: it runs, or was ended from here."""
        self.ended_because = ""
        """Why it was ended from here; empty where it was not."""
        self.left_running = False
        """Whether something that it had started had to be ended after it."""
        self._limits = limits or Limits()
        self._mark = new_mark()
        launch = replace(launch, argv=_limited(launch.argv, self._limits, self._mark))
        self._on_output = on_output
        self._process: asyncio.subprocess.Process | None = None
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run(launch, sandbox, policy))

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return not self._task.done()

    async def wait(self, seconds: float | None) -> bool:
        """Return whether it has ended within `seconds`. Raises what kept it from starting."""
        await asyncio.wait((self._task,), timeout=seconds)
        if self._task.done():
            self._task.result()
        return self._task.done()

    async def end(self, because: str) -> None:
        """End it with all that it has started, and wait for that."""
        if self.running:
            self._must_end(because)
            await asyncio.wait((self._task,))

    async def _run(self, launch: Launch, sandbox: ISandbox, policy: SandboxPolicy) -> None:
        most = self._limits.processes if _is_root_on_linux() else None
        try:
            async with (
                sandbox.confine(launch, policy) as start,
                held_to(most) as group,
                _Pipe(self._take) as pipe,
            ):
                self._process = process = await asyncio.create_subprocess_exec(
                    *(start.argv if group is None else joining(group, start.argv)),
                    cwd=start.folder,
                    env=dict(start.environment),
                    pass_fds=start.pass_fds,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=pipe.writing,
                    stderr=pipe.writing,
                    start_new_session=True,
                )
                pipe.close_writing()
                await self._watch(process, most if group is None else None)
                await pipe.drained(DRAIN_SECONDS)
        finally:
            self.kept.close()

    async def _watch(self, process: asyncio.subprocess.Process, most: int | None) -> None:
        """Wait until the program has ended or must be, and see to it that nothing is left.

        It must be when there are more than `most` processes of it.
        """
        waiting = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stop.wait())
        counting = asyncio.ensure_future(self._end_a_crowd(process.pid, most))
        try:
            await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                signal_group(process.pid, signal.SIGTERM)
                await asyncio.wait((waiting,), timeout=TERMINATION_SECONDS)
            else:
                self.exit_code = process.returncode
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        finally:
            left = kill_all(process.pid, self._mark)
            stopping.cancel()
            counting.cancel()
        self.left_running = left and not self.ended_because
        await asyncio.wait((waiting,), timeout=TERMINATION_SECONDS)
        waiting.cancel()
        if self.ended_because:
            self.exit_code = None

    async def _end_a_crowd(self, group: int, most: int | None) -> None:
        """End it once there are more than `most` processes of it."""
        if most is not None:
            await more_than(most, self._mark)
            self._must_end(f"it started more than {most:,} processes")
            # While it cleaned up, it would go on growing.
            kill_all(group, self._mark)

    def _take(self, data: bytes) -> None:
        self.kept.add(data)
        self._on_output(data)
        if self.kept.total > self._limits.output:
            self._must_end(f"it printed more than {self._limits.output // 1_000_000:,} MB")

    def _must_end(self, because: str) -> None:
        self.ended_because = self.ended_because or because
        self._stop.set()


class _Pipe:
    """What a program writes to. Read without blocking, and given up where somebody holds it."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
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

    async def drained(self, seconds: float) -> None:
        """Wait until everybody has closed the writing end, at most `seconds`."""
        await asyncio.wait((self._ended,), timeout=seconds)

    def _read(self) -> None:
        try:
            data = os.read(self._reading, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._take(data)
            return
        self._loop.remove_reader(self._reading)
        if not self._ended.done():
            self._ended.set_result(None)


def _limited(argv: tuple[str, ...], limits: Limits, mark: int) -> tuple[str, ...]:
    """Return a shell's arguments so that it first sets its limits, and then starts anew.

    Of other shells than bash, no such limit is known.
    """
    if Path(argv[0]).name != "bash":
        return argv
    steps = ["ulimit -c 0", f"ulimit -q {mark}"]
    if limits.memory is not None:
        steps.append(f"ulimit -d {limits.memory * 1024}")
    if (
        limits.processes is not None
        and sys.platform.startswith("linux")
        and not _is_root_on_linux()
    ):
        steps.append(f"ulimit -u {limits.processes + running_threads(os.getuid())}")
    # A limit that the system does not know, or that is lower already, is none to fail for.
    script = "; ".join(f"{step} 2>/dev/null" for step in steps)
    return (argv[0], "-c", f'{script}; exec "$@"', "limits", *argv)


def _is_root_on_linux() -> bool:
    return sys.platform.startswith("linux") and os.geteuid() == 0
