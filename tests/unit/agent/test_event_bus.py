"""Telling observers what happened."""

from __future__ import annotations

import pytest

from victor.agent.event_bus import EventBus
from victor.agent.guard import State
from victor.events import CoordinatorFailed, Event, TextDelta
from victor.protocols import IObserver
from victor.testing import RecordingObserver

pytestmark = pytest.mark.anyio


class Broken:
    """Fails at the first `failures` events."""

    def __init__(self, failures: int = 10**9) -> None:
        self.failures = failures
        self.heard: list[Event] = []

    def on_event(self, event: Event) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise KeyError("broken")
        self.heard.append(event)

    async def flush(self) -> None:
        pass


def test_every_observer_hears_every_event() -> None:
    bus, first, second = EventBus(), RecordingObserver(), RecordingObserver()
    bus.add("first", first)
    bus.add("second", second)
    bus.publish(TextDelta("a"))
    assert first.events == second.events == [TextDelta("a")]


class Counts(IObserver):
    """Puts nothing off."""

    def __init__(self) -> None:
        self.heard = 0

    def on_event(self, event: Event) -> None:
        self.heard += 1


async def test_an_observer_that_puts_nothing_off_needs_no_flush() -> None:
    bus, counts = EventBus(), Counts()
    bus.add("counts", counts)
    bus.publish(TextDelta("a"))
    await bus.flush()
    assert (counts.heard, bus.guard.health()["counts"].calls) == (1, 0)
    assert await counts.flush() is None


def test_a_removed_observer_hears_nothing() -> None:
    bus, observer = EventBus(), RecordingObserver()
    bus.add("one", observer)
    bus.remove(observer)
    bus.publish(TextDelta("a"))
    assert observer.events == []


def test_a_broken_observer_hurts_only_itself() -> None:
    bus, sound = EventBus(), RecordingObserver()
    bus.add("broken", Broken())
    bus.add("sound", sound)
    bus.publish(TextDelta("a"))
    assert sound.events == [
        CoordinatorFailed("broken", "on_event", "KeyError: 'broken'"),
        TextDelta("a"),
    ]


def test_an_observer_is_not_told_of_its_own_failure() -> None:
    bus, broken = EventBus(), Broken(failures=1)
    bus.add("broken", broken)
    bus.publish(TextDelta("a"))
    assert broken.heard == []
    assert bus.guard.health()["broken"].failures == 1


def test_an_observer_that_fails_again_and_again_is_left_alone_and_its_drops_are_counted() -> None:
    bus = EventBus()
    bus.add("broken", Broken())
    for _ in range(10):
        bus.publish(TextDelta("a"))
    health = bus.guard.health()["broken"]
    assert health.state is State.OPEN
    assert (health.failures, health.drops) == (3, 7)


def test_an_observer_that_works_again_is_told_again() -> None:
    bus, broken = EventBus(), Broken(failures=1)
    bus.add("broken", broken)
    for text in ("a", "b", "c"):
        bus.publish(TextDelta(text))
    assert broken.heard == [TextDelta("b"), TextDelta("c")]
    assert bus.guard.health()["broken"].state is State.OK


async def test_flushing_one_broken_observer_flushes_the_others() -> None:
    flushed: list[str] = []

    class Clogged(RecordingObserver):
        async def flush(self) -> None:
            raise KeyError("broken")

    class Sound(RecordingObserver):
        async def flush(self) -> None:
            flushed.append("sound")

    bus = EventBus()
    bus.add("broken", Clogged())
    bus.add("sound", Sound())
    await bus.flush()
    assert flushed == ["sound"]
    assert bus.guard.health()["broken"].last_error == "flush: KeyError: 'broken'"


def test_a_watcher_hears_until_it_is_taken_off() -> None:
    bus, heard = EventBus(), list[Event]()
    bus.watch(heard.append)
    bus.publish(TextDelta("a"))
    bus.unwatch(heard.append)
    bus.publish(TextDelta("b"))
    assert heard == [TextDelta("a")]
