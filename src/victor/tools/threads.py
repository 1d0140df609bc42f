"""Running blocking work beside the event loop.

Each call has a thread of its own, and a daemon one: work that never returns must keep neither other
calls waiting for a place in a pool nor the program from ending.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

FINISH_SECONDS = 5.0
"""How long work that must not be left halfway is waited for after a cancellation."""


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Return what `work(*arguments)` returns, or raise what it raises.

    When cancelled, the work goes on by itself and its outcome is dropped.
    """
    return await _start(work, arguments)


async def in_thread_to_its_end(work: Callable[..., T], *arguments: Any) -> T:
    """Like `in_thread`, but when cancelled, wait up to `FINISH_SECONDS` for the work to be over.

    For work that changes files: who cancels it must find all of it done, or none.
    """
    future = _start(work, arguments)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait((future,), timeout=FINISH_SECONDS)
        raise


class Stopped(Exception):
    """Raised in the thread where nobody waits for the work any more."""


class Stop:
    """Tells work in a thread to end early."""

    def __init__(self) -> None:
        self._set = False
        self._actions: list[Callable[[], object]] = []

    def check(self) -> None:
        """Raise `Stopped` when told to end."""
        if self._set:
            raise Stopped

    def on_stop(self, action: Callable[[], object]) -> None:
        """Have `action` called when told to end; at once, if that was before."""
        self._actions.append(action)
        if self._set:
            action()

    def set(self) -> None:
        """Tell the work to end."""
        self._set = True
        for action in self._actions:
            action()


async def in_thread_until(stop: Stop, work: Callable[..., T], *arguments: Any) -> T:
    """Like `in_thread` for `work(stop, *arguments)`; when cancelled, `stop` is set."""
    try:
        return await _start(work, (stop, *arguments))
    except asyncio.CancelledError:
        stop.set()
        raise


def _start(work: Callable[..., T], arguments: tuple[Any, ...]) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]  # no error: the work's own result
        elif isinstance(error, StopIteration):
            future.set_exception(RuntimeError(f"StopIteration: {error}"))
        else:
            future.set_exception(error)
            future.exception()  # It counts as looked at, should nobody wait any more.

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = context.run(work, *arguments)
        except BaseException as raised:  # noqa: BLE001  # passed on to who waits, not swallowed
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # The loop is closed: nobody waits.

    threading.Thread(target=run, name="victor-tool", daemon=True).start()
    return future
