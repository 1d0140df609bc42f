"""What the commands on recorded sessions share: an orchestrator that has the record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from victor.cli.start import Options, Start

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator

T = TypeVar("T")


def with_record(workspace: Path | None, work: Callable[[AgentOrchestrator], Awaitable[T]]) -> T:
    """Return what `work` gives, done with an orchestrator that has the record and no model."""

    async def run() -> T:
        start = Start(Options(workspace, on_record=True))
        try:
            return await work(await start.open_without_model())
        finally:
            await start.close()

    return asyncio.run(run())
