"""A part of the system prompt that only you can write, and the reason for every other part.

python examples/06_prompt_contributor.py
"""

from __future__ import annotations

import asyncio

from victor import AgentOrchestrator, Settings
from victor.agent.coordinators.prompt_coordinator import BasePromptContributor
from victor.protocols import PromptContext
from victor.testing import ScriptedProvider


class Compliance(BasePromptContributor):
    """Adds rules for those turns that need them."""

    name = "compliance"

    def priority(self) -> int:
        return 150  # behind the built-in parts, which stand between 200 and 1000

    async def get_contribution(self, context: PromptContext) -> str:
        if not context.get("requires_compliance"):
            return ""
        return "Never name a customer. Say `the customer` instead."


async def main() -> None:
    provider = ScriptedProvider("The customer called.", "Anything else?")
    async with AgentOrchestrator(Settings(ephemeral=True), provider) as orchestrator:
        orchestrator.prompt_coordinator.add_contributor(Compliance())

        await orchestrator.chat("Who called?", prompt_context={"requires_compliance": True})
        for part in orchestrator.prompt_coordinator.explain():
            print(f"{part.priority:>5}  {part.contributor:<16} about {part.tokens} tokens")

        await orchestrator.chat("Thanks.")
        first, second = (request.system for request in provider.requests)
        print("first turn has the rule: ", "Never name a customer" in first)
        print("second turn has the rule:", "Never name a customer" in second)


if __name__ == "__main__":
    asyncio.run(main())
