"""Telling observers what happened, so that a broken one hurts only itself."""

from __future__ import annotations

from dataclasses import dataclass

from victor.agent.guard import Guard, describe
from victor.events import Event
from victor.protocols import Emit, IObserver


@dataclass(slots=True)
class _Listener:
    name: str
    hear: Emit
    observer: IObserver
    puts_off: bool
    """Whether there is anything to flush."""
    failing: bool = False
    """Its last event failed."""
    told_of_itself: bool = False
    """Its own failure is being published, which it is not told."""


class EventBus:
    """Publishes events to observers, in the order in which they were added."""

    def __init__(self) -> None:
        self.guard = Guard(self.publish)
        self._listeners: tuple[_Listener, ...] = ()
        self._watchers: tuple[Emit, ...] = ()

    def add(self, name: str, observer: IObserver) -> None:
        """Let `observer` hear events, under this name in `health()`."""
        self.guard.register(name)
        puts_off = getattr(type(observer), "flush", None) is not IObserver.flush
        self._listeners += (_Listener(name, observer.on_event, observer, puts_off),)

    def remove(self, observer: IObserver) -> None:
        """Stop telling `observer`; one that was not told is no error."""
        self._listeners = tuple(one for one in self._listeners if one.observer is not observer)

    def watch(self, hear: Emit) -> None:
        """Call `hear` with every event, before all observers. It must not raise."""
        self._watchers += (hear,)

    def unwatch(self, hear: Emit) -> None:
        """Stop calling `hear`."""
        self._watchers = tuple(one for one in self._watchers if one != hear)

    def publish(self, event: Event) -> None:
        """Tell everybody. Never raises and never waits."""
        for hear in self._watchers:
            hear(event)
        for listener in self._listeners:
            if listener.failing:
                self._try_again(listener, event)
                continue
            try:
                listener.hear(event)
            except Exception as failure:
                self._failed(listener, failure)

    async def flush(self) -> None:
        """Let every observer do what it put off."""
        for listener in self._listeners:
            if listener.puts_off:
                await self.guard.optional(listener.name, "flush", listener.observer.flush, None)

    def _try_again(self, listener: _Listener, event: Event) -> None:
        if listener.told_of_itself or not self.guard.lets(listener.name):
            return
        try:
            listener.hear(event)
        except Exception as failure:
            self._failed(listener, failure)
        else:
            listener.failing = False
            self.guard.recovered(listener.name)

    def _failed(self, listener: _Listener, failure: Exception) -> None:
        listener.failing = listener.told_of_itself = True
        self.guard.failed(listener.name, "on_event", describe(failure))
        listener.told_of_itself = False
