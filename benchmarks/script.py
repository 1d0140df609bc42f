"""What every subject is given: the same model, that answers at once, and the same tool."""

from __future__ import annotations

import itertools
from typing import Any, Protocol

PROMPT = "Tell me in one sentence what this function is for."
ANSWER = "It looks up the value and returns it."
TOOL = "look"
TOOL_DESCRIPTION = "Look at a place and tell what is there."
SEEN = "nothing special"


class Script:
    """What the in-process model does in each turn; may be changed between turns."""

    def __init__(self, *, calls: int = 0, pieces: int = 1, seconds: float = 0.0) -> None:
        self.calls = calls
        """Tool calls that each turn makes, all in one step; 0 for a text turn."""
        self.pieces = pieces
        """Chunks that a streamed answer arrives in."""
        self.seconds = seconds
        """How long the model sleeps before it answers."""
        self.looks = 0
        """How often the tool ran, so that nobody can be fast by not running it."""
        self._ids = itertools.count(1)

    def next_id(self) -> str:
        """Return an id for a tool call that the conversation has not had yet."""
        return f"call_{next(self._ids)}"

    def look(self, at: str) -> str:
        """Do what the tool does."""
        self.looks += 1
        return SEEN

    @property
    def answer(self) -> str:
        """The whole text of an answer."""
        return ANSWER if self.pieces == 1 else "word " * self.pieces

    def chunks(self) -> list[str]:
        """Return the answer in its pieces."""
        return [ANSWER] if self.pieces == 1 else ["word "] * self.pieces


class Conversation(Protocol):
    """One conversation, whose history each turn sends in whole to the model."""

    async def turn(self, text: str) -> str:
        """Run one turn and return its answer."""
        ...

    async def stream(self, text: str) -> int:
        """Run one streamed turn and return how many characters arrived, piece by piece."""
        ...


class Subject(Protocol):
    """A framework under measurement: a module of `benchmarks.subjects`."""

    def open_conversation(self, script: Script) -> Conversation:
        """Return a conversation that follows `script`."""
        ...


Figures = dict[str, float]
"""Measured values by the key of their row."""

Json = dict[str, Any]
