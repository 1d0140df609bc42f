"""The guide's blocks, and what they assume to be there."""

from __future__ import annotations

import asyncio
import inspect
import re
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from victor.testing.loopback import AnthropicLoopback

GUIDE = Path(__file__).parent / "coordinator_quickstart.md"


@pytest.fixture(scope="session")
def guide() -> Path:
    """Where the copy of the guide is kept."""
    return GUIDE


@pytest.fixture(scope="session")
def blocks() -> list[str]:
    """The guide's Python blocks, in order."""
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


class Reader:
    """Somebody who copies one block after the other into the same program."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self._runner = asyncio.Runner()

    def run(self, source: str) -> None:
        """Run one block as it is written; where it awaits at the top, in one lasting loop."""
        code = compile(source, str(GUIDE), "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            # The loop runs the block's own code object, so its awaits are the block's.
            self._runner.run(self._awaiting(code))
        else:
            exec(code, self.names)  # the guide's own words are what is tested

    async def _awaiting(self, code: Any) -> None:
        await eval(code, self.names)

    def wait_for(self, work: Any) -> Any:
        """Return what `work` gives, awaited in the blocks' loop."""

        async def result() -> Any:
            return await work

        return self._runner.run(result())

    def close(self) -> None:
        """End the loop."""
        if "orchestrator" in self.names:
            self.wait_for(self.names["orchestrator"].close())
        self.wait_for(self.names["provider"].aclose())
        self._runner.close()


@pytest.fixture
def names_of_block(blocks: list[str]) -> Callable[..., dict[str, Any]]:
    """Return what runs the one block that contains a text, and gives the names that it leaves."""

    def run(marker: str, **names: Any) -> dict[str, Any]:
        (source,) = [block for block in blocks if marker in block]
        namespace = {"__name__": "guide", **names}
        exec(compile(source, marker, "exec"), namespace)
        return namespace

    return run


class Database:
    """The `db` of the guide's patterns."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.analytics: list[Any] = []

    async def fetch_config(self, session_id: str) -> dict[str, Any]:
        return self.config

    async def insert_analytics(self, events: list[Any]) -> None:
        self.analytics += events


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnthropicLoopback]:
    # The guide's programs end without closing what they made; no file is to be left open here.
    monkeypatch.setenv("VICTOR_EPHEMERAL", "true")
    with AnthropicLoopback(otherwise="Coordinators each do one thing.") as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


@pytest.fixture
def db() -> Database:
    return Database()


@pytest.fixture
def reader(server: AnthropicLoopback, db: Database) -> Iterator[Reader]:
    from victor.agent.coordinators.analytics_coordinator import AnalyticsCoordinator
    from victor.config.settings import Settings
    from victor.config.sources import EnvironmentConfigProvider
    from victor.providers.anthropic import AnthropicProvider
    from victor.telemetry import ConsoleAnalyticsExporter

    reader = Reader(
        {
            "__name__": "guide",
            "settings": Settings(),
            "provider": AnthropicProvider(api_key="your-api-key"),
            "model": "claude-sonnet-4-5",
            "db": db,
            "List": list,
            "EnvironmentConfigProvider": EnvironmentConfigProvider,
            "AnalyticsCoordinator": AnalyticsCoordinator,
            "ConsoleAnalyticsExporter": ConsoleAnalyticsExporter,
        }
    )
    yield reader
    reader.close()
