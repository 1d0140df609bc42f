"""Noticing that a model goes round in circles: the same call, and the same result again."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from victor.messages import ToolCall, ToolResult

_CANONICAL = json.JSONEncoder(sort_keys=True, default=repr).encode
"""Made once: `json.dumps` with options makes an encoder for each call."""

TOLD_FROM = 3
"""The model is told from this repetition on."""


class Repeats:
    """Counts, within a turn, how often the same call has given the same result.

    At `limit` of them the turn is to end; 0 lets it go on for ever.
    """

    def __init__(self, limit: int = 6) -> None:
        self.limit = limit
        self.stuck = ""
        """Why the turn is to end; empty as long as it need not."""
        self._seen: Counter[bytes] = Counter()
        self._this_step: set[bytes] = set()

    def begin(self) -> None:
        """Start over: a turn begins."""
        self._seen.clear()
        self.stuck = ""

    def begin_step(self) -> None:
        """Note that the calls to come are of one reply: those alike among them count once."""
        self._this_step.clear()

    def note(self, call: ToolCall, result: ToolResult) -> str:
        """Count a call, and return what the model should be told of it; mostly nothing."""
        told = _CANONICAL([call.name, dict(call.arguments), call.invalid])
        digest = hashlib.blake2b(
            f"{told}\0{result.content}".encode(errors="replace"), digest_size=16
        )
        key = digest.digest()
        if key in self._this_step:
            return ""
        self._this_step.add(key)
        self._seen[key] += 1
        count = self._seen[key]
        if self.limit and count >= self.limit:
            self.stuck = (
                f"{call.name} was called {count} times alike, with the same result each time"
            )
        if count < TOLD_FROM:
            return ""
        return (
            f"[This call has been made {count} times in this turn, with this same result each time."
            " Making it again will not change that: do something else, or say what is missing.]"
        )
