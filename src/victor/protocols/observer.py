"""The port to what hears events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

from victor.events import Event

Emit: TypeAlias = Callable[[Event], None]
"""Publishes an event. It never raises and never waits."""


@runtime_checkable
class IObserver(Protocol):
    """Hears every event. It cannot steer, and its failures hurt only itself."""

    def on_event(self, event: Event) -> None:
        """Take note of the event. Must only buffer: it runs in the middle of the turn."""
        ...

    async def flush(self) -> None:
        """Do what `on_event` put off. Called after each step, under a time limit.

        An observer that puts nothing off may derive from this class and leave it out.
        """
        return
