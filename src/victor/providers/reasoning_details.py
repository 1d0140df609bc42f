"""OpenRouter's `reasoning_details`: reasoning as its vendor signed it, to be sent back unchanged.

Kept as the signature of a `Thinking`, with the model's name: no other model may be sent it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from victor.messages import Message, Thinking
from victor.providers.json_values import entries, word

Json: TypeAlias = dict[str, Any]

_GROWING = ("text", "summary", "data")
"""The keys whose values come in pieces."""


class ReasoningDetails:
    """Puts the blocks of one reply's reasoning together from the pieces of a stream."""

    def __init__(self) -> None:
        self._blocks: list[Json] = []

    def add(self, pieces: Iterable[object]) -> None:
        """Take in what one chunk holds. A piece belongs to the block of its type and index."""
        for piece in pieces:
            if not isinstance(piece, dict):
                continue
            block = next((b for b in reversed(self._blocks) if _same_block(b, piece)), None)
            if block is None:
                self._blocks.append(dict(piece))
                continue
            grown = {key: word(block, key) + word(piece, key) for key in _GROWING if key in piece}
            block.update({key: part for key, part in piece.items() if part is not None})
            block.update(grown)

    def signature(self, model: str) -> str:
        """Return what to keep of `model`'s reasoning; empty where it gave none."""
        return json.dumps({"model": model, "details": self._blocks}) if self._blocks else ""


def details_of(message: Message, provider: str, model: str) -> list[Any]:
    """Return the blocks in `message` that `model` made at `provider`."""
    found: list[Any] = []
    for part in message.parts:
        if isinstance(part, Thinking) and part.provider == provider and part.signature:
            try:
                kept = json.loads(part.signature)
            except ValueError:
                continue
            if word(kept, "model") == model:
                found += entries(kept, "details")
    return found


def _same_block(block: Json, piece: Json) -> bool:
    index = piece.get("index")
    return index is not None and (block.get("type"), block.get("index")) == (
        piece.get("type"),
        index,
    )
