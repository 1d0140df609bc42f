"""What the built-in strategies share: they go as far as they are asked to, and no further."""

from __future__ import annotations

from abc import abstractmethod

from victor import tokens
from victor.messages import Context
from victor.protocols import CompactionRequest
from victor.protocols.context import BaseCompactionStrategy


class TargetedStrategy(BaseCompactionStrategy):
    """A strategy that needs to know its target."""

    async def compact(self, context: Context) -> Context:
        """Return a context of half the tokens, without asking a model."""
        size = sum(map(tokens.of_message, context.messages))
        return await self.compact_to(context, CompactionRequest(size // 2, tokens.of_message))

    @abstractmethod
    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        """Return a context of about `request.target_tokens`, or the same if it fits already."""
