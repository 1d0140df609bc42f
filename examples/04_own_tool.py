"""A typed function as a tool, beside the tools that Victor brings.

python examples/04_own_tool.py
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from victor import AgentOrchestrator, Settings, tool
from victor.messages import Effect
from victor.testing import ScriptedProvider, call


@dataclass
class Order:
    number: int
    status: str


# READ_ONLY: it may run in every mode, beside others, and again after a hiccup.
@tool(effect=Effect.READ_ONLY)
async def order_status(number: int) -> Order:
    """Look up an order.

    Args:
        number: The number on the invoice.
    """
    if number < 1000:
        raise ValueError("order numbers begin at 1000")
    return Order(number, "shipped")


async def main() -> None:
    print(json.dumps(dict(order_status.spec.parameters)))

    provider = ScriptedProvider(
        call("order_status", number=7),  # the tool raises, and the model is told why
        call("order_status", number=1234),
        "Order 1234 is on its way.",
    )
    async with AgentOrchestrator(Settings(ephemeral=True), provider) as orchestrator:
        orchestrator.tool_coordinator.add_tool(order_status)
        response = await orchestrator.chat("Where is my order 1234?")
        for message in response.messages:
            for result in message.tool_results:
                print("error " if result.is_error else "result", result.content)
        print(response.content)


if __name__ == "__main__":
    asyncio.run(main())
