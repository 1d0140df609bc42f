"""Reading a running turn's events as they happen."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from victor.agent.event_bus import EventBus
from victor.events import Event
from victor.messages import Response


async def stream_turn(
    bus: EventBus, turn: Coroutine[Any, Any, Response]
) -> AsyncGenerator[Event, None]:
    """Run `turn` and yield what it publishes, to the last event. Raises what the turn raises.

    Leaving early cancels the turn and waits until it has ended. What a slow reader has not read
    yet is kept: a turn never waits for its reader.
    """
    unread: deque[Event] = deque()
    loop = asyncio.get_running_loop()
    news: asyncio.Future[None] = loop.create_future()

    def hear(event: Event) -> None:
        unread.append(event)
        wake()

    def wake(_: object = None) -> None:
        if not news.done():
            news.set_result(None)

    bus.watch(hear)
    task = loop.create_task(turn)
    task.add_done_callback(wake)
    try:
        while not task.done():
            await news
            news = loop.create_future()
            while unread:
                yield unread.popleft()
        while unread:
            yield unread.popleft()
        await task
    finally:
        bus.unwatch(hear)
        await _end(task)


async def _end(task: asyncio.Task[Response]) -> None:
    if task.done():
        if not task.cancelled():
            task.exception()  # It was raised to the reader, or the reader left before it.
        return
    task.cancel()
    await asyncio.wait({task})
