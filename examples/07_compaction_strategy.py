"""An own way to make a context smaller when it no longer fits.

python examples/07_compaction_strategy.py
"""

from __future__ import annotations

import asyncio

from victor import AgentOrchestrator, Context, Settings
from victor.context import BaseCompactionStrategy, CompactionRequest, register_compaction_strategy
from victor.events import ContextCompacted, Event
from victor.testing import ScriptedProvider


class NewestThatFit(BaseCompactionStrategy):
    """Keeps the newest messages. What it returns is checked, and repaired where it must be."""

    async def compact(self, context: Context) -> Context:
        return Context(context.messages[-10:])

    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        room = request.target_tokens
        kept = 0
        for message in reversed(context.messages):
            room -= request.count(message)
            if room < 0:
                break
            kept += 1
        return Context(context.messages[-max(kept, 1) :])


class Printer:
    """Says when it happens."""

    def on_event(self, event: Event) -> None:
        if isinstance(event, ContextCompacted):
            before, after = event.tokens_before, event.tokens_after
            print(f"{event.strategy}: about {before} tokens became {after} ({event.reason})")

    async def flush(self) -> None:
        """Do nothing."""


async def main() -> None:
    register_compaction_strategy("newest", NewestThatFit)
    settings = Settings(ephemeral=True, context_compaction_strategy="newest", context_window=8_000)
    provider = ScriptedProvider("word " * 300, repeat=True)
    async with AgentOrchestrator(settings, provider) as orchestrator:
        orchestrator.add_observer(Printer())
        for number in range(20):
            await orchestrator.chat(f"Question {number}")


if __name__ == "__main__":
    asyncio.run(main())
