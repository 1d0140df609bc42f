"""Places that callers of several loops share."""

from __future__ import annotations

import asyncio
import threading

import pytest

from victor.places import Places

pytestmark = pytest.mark.anyio


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_hold_a_place_than_there_are() -> None:
    places = Places()
    await places.take(2)
    await places.take(2)
    third = asyncio.ensure_future(places.take(2))
    await settled()
    assert (places.taken, places.waiting, third.done()) == (2, 1, False)
    places.release()
    await third
    assert (places.taken, places.waiting) == (2, 0)


async def test_whoever_came_first_is_served_first() -> None:
    places = Places()
    order: list[int] = []

    async def call(number: int, most: int) -> None:
        await places.take(most)
        order.append(number)
        await asyncio.sleep(0)
        places.release()

    await places.take(1)
    # The second would be content with what there is, but does not pass the first.
    calls = [asyncio.ensure_future(call(n, 1 if n == 0 else 9)) for n in range(4)]
    await settled()
    assert order == []
    places.release()
    await asyncio.gather(*calls)
    assert order == [0, 1, 2, 3]
    assert places.taken == 0


async def test_a_caller_cancelled_while_it_waits_holds_none_and_leaves_the_line() -> None:
    places = Places()
    await places.take(1)
    first = asyncio.ensure_future(places.take(1))
    second = asyncio.ensure_future(places.take(9))
    await settled()
    first.cancel()
    await settled()
    # With the first gone, the second is content.
    assert first.cancelled()
    assert second.done()
    assert places.taken == 2


async def test_a_place_given_to_a_caller_that_is_cancelled_goes_on_to_the_next() -> None:
    places = Places()
    await places.take(1)
    first = asyncio.ensure_future(places.take(1))
    second = asyncio.ensure_future(places.take(1))
    await settled()
    places.release()
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (places.taken, places.waiting) == (1, 0)


async def test_a_place_crosses_threads() -> None:
    places = Places()
    await places.take(1)
    waiting, done = threading.Event(), threading.Event()

    def elsewhere() -> None:
        async def run() -> None:
            taking = asyncio.ensure_future(places.take(1))
            await asyncio.sleep(0)
            waiting.set()
            await taking
            places.release()

        asyncio.run(run())
        done.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(waiting.wait)
    assert not done.is_set()
    places.release()
    await asyncio.to_thread(thread.join)
    assert places.taken == 0


async def test_a_caller_whose_loop_is_gone_is_passed_over() -> None:
    places = Places()
    await places.take(1)

    def elsewhere() -> None:
        loop = asyncio.new_event_loop()
        taking = places.take(1)

        async def begin() -> None:
            taking.send(None)

        loop.run_until_complete(begin())
        loop.close()
        lost.append(taking)

    lost: list[object] = []
    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    mine = asyncio.ensure_future(places.take(1))
    await settled()
    places.release()
    await mine
    assert places.taken == 1
