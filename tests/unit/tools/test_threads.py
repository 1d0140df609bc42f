from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from victor.tools.threads import in_thread, in_thread_to_its_end

pytestmark = pytest.mark.anyio


async def test_work_in_a_thread_gives_its_result_or_its_error() -> None:
    assert await in_thread(sum, [1, 2]) == 3
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await in_thread(next, iter(()))


async def test_work_in_a_thread_sees_the_context_of_its_caller() -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    variable.set("inside")
    assert await in_thread(variable.get) == "inside"


async def test_cancelled_work_is_left_to_itself_and_its_failure_dropped() -> None:
    gate, done = threading.Event(), threading.Event()

    def work() -> None:
        gate.wait(5)
        done.set()
        raise ValueError("nobody hears this")

    waiting = asyncio.create_task(in_thread(work))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await in_thread(done.wait, 5)


async def test_work_that_changes_files_is_over_before_its_cancellation_is() -> None:
    begun, gate, steps = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        gate.wait(5)
        steps.append("done")

    waiting = asyncio.create_task(in_thread_to_its_end(work))
    await in_thread(begun.wait, 5)
    waiting.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert steps == ["done"]


async def test_work_that_is_not_cancelled_gives_its_result_all_the_same() -> None:
    assert await in_thread_to_its_end(str, 1) == "1"


def test_a_loop_that_is_gone_is_not_told() -> None:
    gate = threading.Event()
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        gate.wait(5)

    async def leave() -> None:
        task = asyncio.create_task(in_thread(work))
        while not threads:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    gate.set()
    threads[0].join(5)
    assert not threads[0].is_alive()
