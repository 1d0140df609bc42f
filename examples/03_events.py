"""Everything that happens in a turn, once as a stream and once as an observer.

python examples/03_events.py
"""

from __future__ import annotations

import asyncio
from collections import Counter

from victor import AgentOrchestrator, Settings
from victor.events import Event, ReplyReceived, TextDelta, ToolCallEnded, TurnEnded
from victor.testing import ScriptedProvider, call


class Tally:
    """Counts events by their names. An observer hears everything and steers nothing."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def on_event(self, event: Event) -> None:
        self.counts[type(event).__name__] += 1

    async def flush(self) -> None:
        """Do nothing: it was counted as it came."""


async def main() -> None:
    provider = ScriptedProvider(call("list", path="."), "That is what is here.")
    tally = Tally()
    async with AgentOrchestrator(Settings(ephemeral=True), provider) as orchestrator:
        orchestrator.add_observer(tally)
        async for event in orchestrator.events("What is in this folder?"):
            match event:
                case TextDelta(content):
                    print(f"text      {content!r}")
                case ReplyReceived(step=step, reply=reply):
                    print(f"reply {step}   {reply.stop_reason}, {reply.usage.total} tokens")
                case ToolCallEnded(call=made, result=result):
                    print(f"tool      {made.name}: {len(result.content)} characters")
                case TurnEnded(response):
                    print(f"ended     {response.content!r}")
    print(dict(tally.counts))


if __name__ == "__main__":
    asyncio.run(main())
