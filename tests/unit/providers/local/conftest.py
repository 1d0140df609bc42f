"""A model server that says what a test tells it to, and the tools that it is offered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest

from victor.messages import Effect, ToolSpec, Usage
from victor.providers.small_model import Completed, CompletionPiece


@dataclass
class SaidCompletion:
    """Says the next of `texts` at each call, in pieces of `size` characters, and notes the calls.

    A text that ends in `…` is cut there, as by the token limit.
    """

    texts: list[str]
    size: int = 3
    calls: list[dict[str, Any]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    closed: bool = False

    async def complete(self, **call: Any) -> AsyncGenerator[CompletionPiece, None]:
        self.calls.append(call)
        text = self.texts.pop(0)
        cut = text.endswith("…")
        text = text.removesuffix("…")
        for start in range(0, len(text), self.size):
            self.given.append(text[start : start + self.size])
            yield self.given[-1]
        yield Completed(Usage(10, 5, cache_read=2), cut)

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def said() -> type[SaidCompletion]:
    return SaidCompletion


def spec(name: str, effect: Effect, *required: str, optional: tuple[str, ...] = ()) -> ToolSpec:
    names = (*required, *optional)
    return ToolSpec(
        name,
        f"The tool {name}. More about it.",
        {
            "type": "object",
            "properties": {n: {"type": "string", "description": n} for n in names},
            "required": list(required),
            "additionalProperties": False,
        },
        effect,
    )


@pytest.fixture
def tools() -> tuple[ToolSpec, ...]:
    return (
        spec("read", Effect.READ_ONLY, "path", optional=("offset",)),
        spec("write", Effect.IDEMPOTENT, "path", "content"),
        spec("edit", Effect.EFFECTFUL, "path", "old", "new"),
        spec("list", Effect.READ_ONLY, optional=("path",)),
        spec("glob", Effect.READ_ONLY, "pattern"),
        spec("grep", Effect.READ_ONLY, "pattern", optional=("path", "glob")),
        spec("shell", Effect.EFFECTFUL, "command", optional=("timeout",)),
    )
