"""Doubles for those who listen and those who are asked."""

from __future__ import annotations

from typing import TypeVar

from victor.events import Event, TextDelta
from victor.messages import ToolCall

E = TypeVar("E")


class RecordingObserver:
    """Keeps every event it hears, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.flushes = 0

    def on_event(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)

    async def flush(self) -> None:
        """Count that it was asked to flush."""
        self.flushes += 1

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one type, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def names(self) -> list[str]:
        """The type name of every event in order, runs of the same one shown once."""
        names: list[str] = []
        for event in self.events:
            name = type(event).__name__
            if not names or names[-1] != name:
                names.append(name)
        return names

    @property
    def text(self) -> str:
        """All text that was streamed."""
        return "".join(event.content for event in self.of(TextDelta))


class ScriptedApprover:
    """Gives its answers in order, then `otherwise`, and records what it was asked."""

    def __init__(self, *answers: bool, otherwise: bool = False) -> None:
        self.asked: list[tuple[ToolCall, str]] = []
        """Each call with the question, in order."""
        self._answers = list(answers)
        self._otherwise = otherwise

    async def approve(self, call: ToolCall, question: str) -> bool:
        """Return the next answer."""
        self.asked.append((call, question))
        return self._answers.pop(0) if self._answers else self._otherwise
