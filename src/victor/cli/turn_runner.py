"""One event loop that the program comes back to, and what Ctrl-C means meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from victor.cli.exits import ExitCode

T = TypeVar("T")

_GRACE_SECONDS = 2.0


def leave_at_once() -> None:
    """End the process now, with nothing waited for: what is on record is safe."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(ExitCode.CANCELLED)


class TurnRunner:
    """Runs coroutines one after the other on the same loop.

    The first Ctrl-C cancels what runs, which then raises `KeyboardInterrupt`. A second one, before
    a person has answered otherwise, means to leave. SIGTERM and SIGHUP cancel and mean to leave.
    """

    def __init__(self, *, leave: Callable[[], None] = leave_at_once) -> None:
        self._runner = asyncio.Runner()
        self._leave = leave
        self._task: asyncio.Task[Any] | None = None
        self.presses = 0
        """How often Ctrl-C was pressed since `heard` was last called."""
        self.ending = False
        """Whether a signal has asked the program to end."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that everything runs on."""
        return self._runner.get_loop()

    def heard(self) -> None:
        """Note that the person goes on: the next Ctrl-C is a first one."""
        self.presses = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` returns. Raises `KeyboardInterrupt` if Ctrl-C cancelled it."""
        with self._signals():
            try:
                return self._runner.run(self._watched(work))
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None

    def close(self) -> None:
        """End the loop and all that still runs on it."""
        self._runner.close()

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        self._task = asyncio.current_task()
        try:
            return await work
        finally:
            self._task = None

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        chosen = {
            signal.SIGINT: self._on_interrupt,
            signal.SIGTERM: self._on_end,
            signal.SIGHUP: self._on_end,
        }
        before = {number: signal.signal(number, action) for number, action in chosen.items()}
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        self.presses += 1
        if self.presses == 1:
            self._cancel()
        elif self.presses == 2:
            self.ending = True
            # What was cancelled may be closing files and processes; it gets a moment for that.
            signal.signal(signal.SIGALRM, lambda *_: self._leave())
            signal.setitimer(signal.ITIMER_REAL, _GRACE_SECONDS)
            self._cancel()
        else:
            self._leave()

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        self.ending = True
        self._on_interrupt(number, frame)

    def _cancel(self) -> None:
        task = self._task
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)
