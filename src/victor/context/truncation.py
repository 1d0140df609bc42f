"""Compaction by leaving out the oldest steps."""

from __future__ import annotations

from victor import steps
from victor.context.targeted import TargetedStrategy
from victor.messages import Context
from victor.protocols import CompactionRequest


class TruncationStrategy(TargetedStrategy):
    """Leaves out whole steps from the front; the user's own words stay. Deterministic."""

    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        """Return the context without its oldest steps."""
        return Context(steps.truncated(context.messages, request.target_tokens, request.count))
