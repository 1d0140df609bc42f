"""The port to a server that runs a small model, and one answer's generations on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from victor.messages import JsonObject, Request, Usage
from victor.providers.small_model_decoding import FencedBlock
from victor.providers.small_model_prompt import ChatMessage


@dataclass(frozen=True, slots=True)
class Completed:
    """The last of a completion: what it took."""

    usage: Usage = field(default_factory=Usage)
    cut: bool = False
    """Whether the token limit ended it."""


CompletionPiece: TypeAlias = str | Completed
"""A piece of the text, or the end. Exactly one end, and only of a whole completion."""


class ICompletion(Protocol):
    """A model server, seen as narrowly as the profile needs it."""

    def complete(
        self,
        *,
        model: str,
        messages: list[ChatMessage],
        schema: JsonObject | None,
        max_tokens: int,
        temperature: float,
        stop: tuple[str, ...],
    ) -> AsyncGenerator[CompletionPiece, None]:
        """Generate text, held to `schema` if there is one. Closing it early ends the generation.

        Raises `ProviderError`.
        """
        ...

    async def aclose(self) -> None:
        """Release the server. Safe to call twice."""
        ...


class Generation:
    """The generations that one answer takes, with their usage added up."""

    def __init__(self, completion: ICompletion, request: Request, max_output: int) -> None:
        self._completion = completion
        self._request = request
        self._max_output = max_output
        self.usage = Usage()
        """Of all generations so far."""
        self.cut = False
        """Whether the token limit ended the last one."""

    async def pieces(
        self,
        messages: list[ChatMessage],
        limit: int,
        temperature: float,
        schema: JsonObject | None = None,
    ) -> AsyncGenerator[str, None]:
        """Yield the text as it is generated, at most `limit` tokens. Raises `ProviderError`."""
        generating = self._completion.complete(
            model=self._request.model,
            messages=messages,
            schema=schema,
            max_tokens=min(limit, self._max_output),
            temperature=temperature,
            stop=(),
        )
        async with aclosing(generating):
            async for piece in generating:
                if isinstance(piece, str):
                    yield piece
                    continue
                self.usage = self.usage + piece.usage
                self.cut = piece.cut

    async def text(self, messages: list[ChatMessage], limit: int, temperature: float) -> str:
        """Return a whole text. Raises `ProviderError`."""
        generating = self.pieces(messages, limit, temperature)
        async with aclosing(generating):
            return "".join([piece async for piece in generating]).strip()

    async def block(self, messages: list[ChatMessage], limit: int, temperature: float) -> str:
        """Return the content of the one fenced block in a text; empty if there is no whole one.

        Raises `ProviderError`.
        """
        block = FencedBlock()
        generating = self.pieces(messages, limit, temperature)
        async with aclosing(generating):
            async for piece in generating:
                block.feed(piece)
        block.finish()
        return "" if self.cut and not block.closed else block.content
