"""Usage events to a store of your own, and settings from one.

python examples/08_analytics_and_config.py
"""

from __future__ import annotations

import asyncio
from typing import Any

from victor import AgentOrchestrator, Settings
from victor.agent.coordinators.analytics_coordinator import (
    AnalyticsCoordinator,
    BaseAnalyticsExporter,
)
from victor.agent.coordinators.config_coordinator import ConfigCoordinator
from victor.protocols import AnalyticsEvent, ExportResult, IConfigProvider
from victor.testing import ScriptedProvider

STORE: dict[str, list[Any]] = {"usage": []}
ROWS: dict[str, dict[str, Any]] = {"customer-1": {"temperature": 0.1, "max_tool_iterations": 3}}


class StoreExporter(BaseAnalyticsExporter):
    """Keeps events. A batch that did not succeed is offered again."""

    async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
        STORE["usage"] += events
        return ExportResult(success=True, exported_count=len(events))


class StoreConfig(IConfigProvider):
    """Settings by session."""

    def priority(self) -> int:
        return 100  # above the environment (50) and what stands in code (80)

    async def get_config(self, session_id: str) -> dict[str, Any]:
        return ROWS.get(session_id, {})


async def main() -> None:
    async with AgentOrchestrator(
        Settings(ephemeral=True, temperature=0.9),
        ScriptedProvider("Hello."),
        session_id="customer-1",
        config_coordinator=ConfigCoordinator(providers=[StoreConfig()]),
        analytics_coordinator=AnalyticsCoordinator(exporters=[StoreExporter()]),
    ) as orchestrator:
        await orchestrator.chat("Hello")
        print(orchestrator.config_coordinator.explain("temperature"))
    for event in STORE["usage"]:  # exported at the latest when the orchestrator is closed
        print(event.name, dict(event.data))


if __name__ == "__main__":
    asyncio.run(main())
