"""Compaction by the cheapest means that does: tool results, then relevance, then a summary."""

from __future__ import annotations

from victor import steps
from victor.context.semantic import matching, most_relevant
from victor.context.summarization import summarized
from victor.context.targeted import TargetedStrategy
from victor.context.tool_results import elide_old_results
from victor.errors import CompactionError, ProviderError
from victor.messages import Context
from victor.protocols import CompactionRequest
from victor.protocols.likeness import ITextLikeness

_FOR_SUMMARY = 0.25
"""Share of the target that is set aside for a summary."""
_WORTH_A_SUMMARY = 500
"""Tokens that must be left out before a model is asked to summarize them."""


class HybridStrategy(TargetedStrategy):
    """Elides old tool results first; then keeps the most relevant steps, and sums up the others.

    Each means is used only where the one before was not enough. Without a model to ask, or when it
    fails, a note stands in the summary's place. The user's own words stay. What speaks of the focus
    of the request keeps its results, and is kept first.
    """

    def __init__(self, likeness: ITextLikeness | None = None) -> None:
        self._likeness = likeness

    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        """Return the context, made smaller as far as the target asks for."""
        target, count = request.target_tokens, request.count
        whole = steps.blocks(context.messages, count)
        focused = await matching(whole, request, self._likeness)
        spared = frozenset(id(one) for index in focused for one in whole[index].messages)
        messages = elide_old_results(context.messages, target, count, spared)
        parts = steps.blocks(messages, count)
        if sum(part.tokens for part in parts) <= target:
            return Context(messages)
        keep = steps.pinned(parts, target)
        if request.summarize is not None:
            room = int(target * (1 - _FOR_SUMMARY))
            kept = await most_relevant(parts, keep, room, request, self._likeness)
            left_out = sum(part.tokens for i, part in enumerate(parts) if i not in kept)
            if left_out >= _WORTH_A_SUMMARY:
                try:
                    return Context(await summarized(parts, kept, request, whole=whole))
                except (CompactionError, ProviderError):
                    pass  # A summary is the better note, but only a note.
        kept = await most_relevant(parts, keep, target, request, self._likeness)
        return Context(steps.joined(parts, kept))
