"""Awaiting what may hang, fail to stop, or pretend to be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from victor.agent.bounded import bounded, really_cancelled

pytestmark = pytest.mark.anyio


GRACE = 0.02


async def forever() -> None:
    await asyncio.Event().wait()


async def never_stops() -> None:
    while True:
        try:
            await forever()
        except asyncio.CancelledError:
            continue


async def test_work_that_never_suspends_gives_its_value() -> None:
    async def answer() -> int:
        return 42

    assert await bounded(answer(), 1) == 42


async def test_work_that_suspends_gives_its_value() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert await bounded(answer(), 1) == 42


async def test_a_failure_after_a_wait_is_raised_as_it_is() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    with pytest.raises(KeyError):
        await bounded(fail(), 1)


async def test_hanging_work_times_out_and_is_cancelled() -> None:
    ended = asyncio.Event()

    async def hang() -> None:
        try:
            await forever()
        finally:
            ended.set()

    with pytest.raises(TimeoutError, match=r"0\.01 s"):
        await bounded(hang(), 0.01)
    assert ended.is_set()


async def test_a_timeout_leaves_the_task_uncancelled() -> None:
    with pytest.raises(TimeoutError):
        await bounded(forever(), 0.01)
    assert not really_cancelled()
    await asyncio.sleep(0)


async def test_work_that_swallows_its_cancellation_is_abandoned() -> None:
    with pytest.raises(TimeoutError):
        await bounded(never_stops(), 0.01, GRACE)
    assert not really_cancelled()


# Python reports it once more when it throws the stubborn generator away.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_work_that_ignores_even_being_closed_is_abandoned() -> None:
    class Stubborn:
        def __await__(self) -> Iterator[object]:
            while True:
                try:
                    yield from asyncio.get_running_loop().create_future()
                except BaseException:
                    continue

    with pytest.raises(TimeoutError):
        await bounded(Stubborn(), 0.01, GRACE)  # type: ignore[arg-type]  # an awaitable all the same


async def test_cleaning_up_may_wait_a_little() -> None:
    cleaned = False

    async def tidy() -> None:
        nonlocal cleaned
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            cleaned = True

    with pytest.raises(TimeoutError):
        await bounded(tidy(), 0.01)
    assert cleaned


async def test_real_cancellation_passes_through() -> None:
    task = asyncio.create_task(wrap(forever()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_real_cancellation_passes_through_work_that_swallows_it() -> None:
    task = asyncio.create_task(wrap(never_stops()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_real_cancellation_passes_through_work_that_answers_it_with_a_value() -> None:
    async def answer_anyway() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            return "I would rather not"
        return ""

    task = asyncio.create_task(wrap(answer_anyway()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_stray_cancellation_is_told_from_a_real_one() -> None:
    async def stray() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await bounded(stray(), 1)
    assert not really_cancelled()


async def test_the_work_may_use_timeouts_of_its_own() -> None:
    async def patient() -> str:
        try:
            async with asyncio.timeout(0.01):
                await forever()
        except TimeoutError:
            await asyncio.sleep(0)
        return "went on"

    assert await bounded(patient(), 5) == "went on"


async def test_the_work_may_clean_up_for_long_after_a_timeout_of_its_own() -> None:
    async def patient() -> str:
        try:
            async with asyncio.timeout(0.001):
                try:
                    await forever()
                finally:
                    await asyncio.sleep(0)  # The clean-up waits, so a limit for it is set.
        except TimeoutError:
            async with asyncio.timeout(5):
                await beyond_the_grace.wait()
        return "went on"

    beyond_the_grace = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, beyond_the_grace.set)
    assert await bounded(patient(), 5) == "went on"


async def test_closing_the_waiter_closes_the_work() -> None:
    closed = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(0)
            await forever()
        finally:
            closed.set()

    waiter = wrap(work())
    waiter.send(None)
    waiter.close()
    assert closed.is_set()


async def wrap(work: object) -> None:
    await bounded(work, None, GRACE)  # type: ignore[arg-type]  # any awaitable
