"""The port to what hears events."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from victor.events import Event


@runtime_checkable
class IObserver(Protocol):
    """Hears every event. It cannot steer, and its failures hurt only itself."""

    def on_event(self, event: Event) -> None:
        """Take note of the event. Must only buffer: it runs in the middle of the turn."""
        ...

    async def flush(self) -> None:
        """Do what `on_event` put off. Called after each step, under a time limit."""
        ...
