"""Awaiting what may hang, fail to stop, or pretend to be cancelled.

`asyncio.timeout` waits for ever on work that swallows its cancellation, and a task for each call
costs ten times what the call itself does. So the work is driven here by hand, within the caller's
own task: work that never suspends costs one `send`, and work that will not stop is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

T = TypeVar("T")

GRACE_SECONDS = 1.0
"""How long cancelled work may clean up before it is abandoned."""


def really_cancelled() -> bool:
    """Return whether somebody asked the current task to stop.

    A `CancelledError` without it was raised by the work itself, and is its failure.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@types.coroutine
def bounded(
    work: Awaitable[T], seconds: float | None, grace: float = GRACE_SECONDS
) -> Generator[Any, Any, T]:
    """`await bounded(work, seconds)` returns what `work` returns, or raises what it raises.

    Raises `TimeoutError` when `seconds` have passed (None: no limit). Real cancellation passes
    through, even where the work swallows it; work that still waits `grace` seconds after it was
    cancelled is closed and not awaited any more.
    """
    steps: Any = work.__await__()
    try:
        waiting_for = next(steps)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # what the work returned: a T
    value: T = yield from _Waiting(seconds, grace).until_done(steps, waiting_for)
    return value


class _Waiting:
    """Work that has suspended."""

    __slots__ = ("_expired", "_given_up", "_grace", "_seconds")

    def __init__(self, seconds: float | None, grace: float) -> None:
        self._seconds = seconds
        self._grace = grace
        self._expired = 0
        """Cancellations of the task that came from here, and are taken back at the end."""
        self._given_up = False

    def until_done(self, steps: Any, waiting_for: Any) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None, "awaited outside of a task"  # noqa: S101  # asyncio's own invariant
        before = task.cancelling()
        timers: list[asyncio.TimerHandle] = []
        if self._seconds is not None:
            timers.append(task.get_loop().call_later(self._seconds, self._expire, task))
        value: Any = None
        try:
            value = yield from self._drive(steps, waiting_for, task, before, timers)
        except asyncio.CancelledError:
            if not self._expired:
                raise
        finally:
            for timer in timers:
                timer.cancel()
            for _ in range(self._expired):
                task.uncancel()
        if task.cancelling() > before:
            raise asyncio.CancelledError
        if self._expired:
            raise TimeoutError(f"no answer within {self._seconds:g} s")
        return value

    def _drive(
        self,
        steps: Any,
        waiting_for: Any,
        task: asyncio.Task[Any],
        before: int,
        timers: list[asyncio.TimerHandle],
    ) -> Generator[Any, Any, Any]:
        """Pass everything between the event loop and the work, until it ends or is given up."""
        closing = False
        while True:
            try:
                try:
                    sent = yield waiting_for
                except GeneratorExit:
                    steps.close()
                    raise
                except BaseException as thrown:
                    if self._given_up:
                        _abandon(steps)
                        raise
                    waiting_for = steps.throw(thrown)
                    if task.cancelling() > before and not closing:
                        # It cleans up, or it will not stop: one of the two, and not for long.
                        closing = True
                        timers.append(
                            task.get_loop().call_later(self._grace, self._give_up, task, before)
                        )
                else:
                    waiting_for = steps.send(sent)
            except StopIteration as done:
                return done.value

    def _expire(self, task: asyncio.Task[Any]) -> None:
        self._expired += 1
        task.cancel()

    def _give_up(self, task: asyncio.Task[Any], before: int) -> None:
        if task.cancelling() <= before:
            return  # It was the work's own timeout, and is over.
        self._given_up = True
        self._expire(task)


def _abandon(steps: Any) -> None:
    # It may ignore even GeneratorExit, and there is nothing left to be done about that.
    with contextlib.suppress(RuntimeError):
        steps.close()
