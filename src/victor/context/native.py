"""Compaction by the vendor's own summary of the conversation, where the vendor writes one."""

from __future__ import annotations

from victor import steps
from victor.context.hybrid import HybridStrategy
from victor.context.summarization import focused, newest, with_summary
from victor.context.targeted import TargetedStrategy
from victor.errors import CompactionError, ProviderError
from victor.messages import Context
from victor.protocols import CompactionRequest, IConversationSummarizer
from victor.protocols.likeness import ITextLikeness


class NativeStrategy(TargetedStrategy):
    """Lets the vendor sum up the conversation as it has it in its cache, and `hybrid` elsewhere.

    The summary is readable text and stands where Victor's own would, so that it goes on with any
    other vendor, and the user's own words stay beside it. `hybrid` also follows a vendor's refusal.
    """

    def __init__(self, likeness: ITextLikeness | None = None) -> None:
        self._otherwise = HybridStrategy(likeness)

    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        """Return the context with its older steps summed up."""
        parts = steps.blocks(context.messages, request.count)
        if sum(part.tokens for part in parts) <= request.target_tokens:
            return context
        vendor: object = request.summarize
        if not isinstance(vendor, IConversationSummarizer):
            return await self._otherwise.compact_to(context, request)
        instructions = focused(request.focus) if request.focus else ""
        try:
            answer = await vendor.of_conversation(context.messages, instructions)
            kept = newest(parts, request)
            return Context(with_summary(parts, kept, request, answer))
        except (CompactionError, ProviderError):
            return await self._otherwise.compact_to(context, request)
