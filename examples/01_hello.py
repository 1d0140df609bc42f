"""One turn: a question, and the model's answer.

python examples/01_hello.py
"""

from __future__ import annotations

import asyncio
import os

from victor import AgentOrchestrator, Settings
from victor.protocols import IProvider


def provider() -> tuple[IProvider, str]:
    """Return a vendor and its model where a key is set, else one that answers by script."""
    if os.environ.get("ANTHROPIC_API_KEY"):
        from victor.providers.anthropic import AnthropicProvider

        return AnthropicProvider(), "claude-sonnet-5-5"
    from victor.testing import ScriptedProvider

    return ScriptedProvider("A coordinator does one thing, and says how it fails."), "script"


async def main() -> None:
    vendor, model = provider()
    async with AgentOrchestrator(Settings(ephemeral=True), vendor, model) as orchestrator:
        response = await orchestrator.chat("Explain coordinators in one sentence")
        print(response.content)
        print(f"[{response.provider}, {response.usage.total} tokens]")
    await vendor.aclose()


if __name__ == "__main__":
    asyncio.run(main())
