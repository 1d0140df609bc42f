"""The answer as it arrives, and a reader that leaves early.

python examples/02_streaming.py
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from victor import AgentOrchestrator, Settings
from victor.testing import EchoProvider


async def main() -> None:
    async with AgentOrchestrator(Settings(ephemeral=True), EchoProvider()) as orchestrator:
        async for chunk in orchestrator.stream_chat("These words come back one by one."):
            print(chunk.content, end="", flush=True)
        print()

        # Leaving cancels the turn; `aclosing` makes that happen at once.
        async with aclosing(orchestrator.stream_chat("Nobody hears the rest of this.")) as chunks:
            async for chunk in chunks:
                print(f"{chunk.content}... and the reader left.")
                break

        # What was cancelled left a valid history, so the conversation goes on.
        response = await orchestrator.chat("Still here.")
        print(response.content)


if __name__ == "__main__":
    asyncio.run(main())
