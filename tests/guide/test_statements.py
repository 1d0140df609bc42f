"""Every statement of the guide's prose and FAQ that can be true or false, measured.

Each test's docstring quotes the statement. Speed and size are printed by `make bench`; the shares
that the guide promises are held there, not by the clock of a test machine.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from victor.agent import coordinators
from victor.agent.coordinator_access import COORDINATORS
from victor.agent.coordinators.analytics_coordinator import AnalyticsCoordinator
from victor.agent.coordinators.config_coordinator import ConfigCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.config.sources import EnvironmentConfigProvider
from victor.context import register_compaction_strategy
from victor.errors import UnknownNameError
from victor.events import ContextCompacted
from victor.protocols.context import compaction_strategies
from victor.providers.anthropic import AnthropicProvider
from victor.testing import RecordingObserver, ScriptedProvider, call

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def orchestrator(*replies: Any, provider: Any = None, **more: Any) -> AgentOrchestrator:
    given = {name: more.pop(name) for name in tuple(more) if name in Settings.model_fields}
    settings = Settings(**{"ephemeral": True, **given})
    return AgentOrchestrator(settings, provider or ScriptedProvider(*replies), "m", **more)


NamesOfBlock = Callable[..., dict[str, Any]]


def test_there_are_fifteen_coordinators_each_with_one_responsibility() -> None:
    """«15 specialized coordinators, each with a single, well-defined responsibility.»"""
    named = [name for name in coordinators.__all__ if name.endswith("Coordinator")]
    assert len(named) == len(COORDINATORS) == 15
    homes = {getattr(coordinators, name).__module__ for name in named}
    assert len(homes) == 15
    for name in named:
        summary = inspect.getdoc(getattr(coordinators, name))
        assert summary, name


def test_coordinators_are_initialized_with_the_orchestrator() -> None:
    """«Create orchestrator (coordinators are automatically initialized)»"""
    made = orchestrator()
    for name in COORDINATORS:
        assert getattr(made, f"_{name}_coordinator") is getattr(made, f"{name}_coordinator")


async def test_chat_and_streaming_are_equal() -> None:
    """«The coordinator-based architecture fully supports streaming»"""
    chatted = (await orchestrator("A story.").chat("Tell me a story")).content
    streamed = [chunk.content async for chunk in orchestrator("A story.").stream_chat("Tell")]
    assert "".join(streamed) == chatted == "A story."


async def test_every_setting_that_the_guide_shows_does_what_it_says(
    names_of_block: NamesOfBlock, tmp_path: Path
) -> None:
    """«Configure coordinators via settings»"""
    made = names_of_block(
        "context_compaction_threshold=0.8",
        AgentOrchestrator=AgentOrchestrator,
        provider=ScriptedProvider(*[[call("list")]] * 5, "Enough.", context_window=16_000),
        model="m",
    )["orchestrator"]
    config = made.config_coordinator.get_config()
    assert config["context_compaction_strategy"] == made.context_coordinator.strategy == "semantic"
    assert config["max_tool_iterations"] == 5
    assert config["tool_calling_timeout"] == 30
    assert config["analytics_export_interval"] == 60
    assert config["enable_task_hints"] is config["enable_analytics"] is True
    assert config["system_prompt_template"] == "default"
    response = await made.chat("Look around")
    assert response.stop_reason == "max_tool_iterations"
    await made.close()


async def test_a_custom_provider_of_high_priority_wins_over_the_fallback(
    names_of_block: NamesOfBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pattern 1: «return 100  # High priority», «EnvironmentConfigProvider(),  # Fallback»"""
    monkeypatch.setenv("VICTOR_TEMPERATURE", "0.1")
    monkeypatch.setenv("VICTOR_MAX_TOOL_ITERATIONS", "7")

    class Db:
        async def fetch_config(self, session_id: str) -> dict[str, Any]:
            return {"temperature": 0.9, "model": f"model-of-{session_id}"}

    names = names_of_block(
        "class DatabaseConfigProvider", db=Db(), EnvironmentConfigProvider=EnvironmentConfigProvider
    )
    assert isinstance(names["config_coordinator"], ConfigCoordinator)
    provider = ScriptedProvider("Hi.")
    made = orchestrator(
        provider=provider, config_coordinator=names["config_coordinator"], session_id="s1"
    )
    await made.chat("Hello")
    assert provider.requests[0].temperature == 0.9
    assert provider.requests[0].model == "model-of-s1"
    assert made.config_coordinator.get_config()["max_tool_iterations"] == 7


async def test_a_contributors_text_is_in_the_system_prompt_that_the_server_received(
    names_of_block: NamesOfBlock, server: Any
) -> None:
    """Pattern 2: «Add custom prompt building logic»"""
    async with AgentOrchestrator(
        Settings(ephemeral=True), AnthropicProvider(api_key="your-api-key"), "claude-sonnet-4-5"
    ) as made:
        names_of_block("class CompliancePromptContributor", orchestrator=made)
        await made.chat("one", prompt_context={"requires_compliance": True})
        await made.chat("two")
        await made.current.provider.aclose()
    first, second = [str(request["system"]) for request in server.requests]
    assert "Compliance: Follow all regulatory requirements." in first
    assert "Compliance" not in second


async def test_a_custom_strategy_keeps_the_last_ten_messages(names_of_block: NamesOfBlock) -> None:
    """Pattern 3: «prioritize recent messages», «Requires registration»"""
    names = names_of_block("class CustomCompactionStrategy", Settings=Settings)
    assert names["settings"].context_compaction_strategy == "custom"
    with pytest.raises(UnknownNameError, match="register_compaction_strategy"):
        orchestrator(context_compaction_strategy="custom")
    register_compaction_strategy("custom", names["CustomCompactionStrategy"])
    try:
        provider = ScriptedProvider("word " * 200, repeat=True)
        made = orchestrator(
            provider=provider,
            tools=(),
            context_compaction_strategy="custom",
            context_window=6_000,
            context_compaction_threshold=0.5,
        )
        heard = RecordingObserver()
        made.add_observer(heard)
        for _ in range(30):
            await made.chat("more " * 20)
    finally:
        compaction_strategies.unregister("custom")
    compacted = [event for event in heard.events if isinstance(event, ContextCompacted)]
    assert compacted
    assert {event.strategy for event in compacted} == {"custom"}
    # Ten, and where the first of them answers a dropped question, a line that stands for it.
    assert {event.messages_after for event in compacted} <= {10, 11}
    spoken = [message.text for message in provider.requests[-1].messages[-10:]]
    assert all(text.startswith(("word", "more")) for text in spoken)


async def test_an_exporter_is_called_with_the_events(
    names_of_block: NamesOfBlock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pattern 4: «Export analytics to custom destinations», «Also log to console»"""
    from victor.telemetry import ConsoleAnalyticsExporter

    stored: list[Any] = []

    class Db:
        async def insert_analytics(self, events: list[Any]) -> None:
            stored.extend(events)

    names = names_of_block(
        "class DatabaseAnalyticsExporter",
        db=Db(),
        List=list,
        AnalyticsCoordinator=AnalyticsCoordinator,
        ConsoleAnalyticsExporter=ConsoleAnalyticsExporter,
    )
    made = orchestrator("Hi.", analytics_coordinator=names["analytics_coordinator"])
    await made.chat("Hello")
    kept = await made.analytics_coordinator.get_session_analytics(made.session_id)
    await made.close()
    assert [event.name for event in stored] == [event.name for event in kept.events]
    assert "turn_ended" in [event.name for event in stored]
    assert "turn_ended" in capsys.readouterr().err


async def test_the_state_of_coordinators_is_shown() -> None:
    """Pattern 5: «Inspect coordinator state for debugging or monitoring»"""
    made = orchestrator("Hi.")
    await made.chat("Hello")
    assert made._config_coordinator.get_config()["model"] == "m"
    assert len(made._context_coordinator.get_context().messages) == 2
    known = await made._analytics_coordinator.get_session_analytics(session_id=made.session_id)
    unknown = await made._analytics_coordinator.get_session_analytics(session_id="abc123")
    assert len(known.events) > 0
    assert unknown.events == ()


def test_coordinators_hold_neither_each_other_nor_the_facade() -> None:
    """«They don't directly call each other, maintaining loose coupling.»"""
    sources = Path(coordinators.__file__).parent.glob("*_coordinator.py")
    for source in sources:
        text = source.read_text(encoding="utf-8")
        assert "victor.agent.orchestrator" not in text, source
        assert "_coordinator import" not in text, source


async def test_a_failing_coordinator_does_not_stop_the_others() -> None:
    """«Other coordinators continue operating. Failures are isolated and don't cascade»"""

    class Broken:
        def on_event(self, event: object) -> None:
            raise RuntimeError("broken")

        async def flush(self) -> None:
            raise RuntimeError("broken")

    made = orchestrator("Hi.", metrics_coordinator=Broken())
    assert (await made.chat("Hello")).content == "Hi."
    assert made.health()["metrics"].failures > 0
    kept = await made.analytics_coordinator.get_session_analytics(made.session_id)
    assert kept.events


@pytest.mark.parametrize("part", ["analytics", "metrics"])
async def test_a_disabled_part_is_really_left_out(names_of_block: NamesOfBlock, part: str) -> None:
    """«enable_analytics=False,    # Disable analytics»"""
    names = names_of_block("enable_analytics=False", Settings=Settings)
    settings = names["settings"].model_copy(update={"ephemeral": True})
    made = AgentOrchestrator(settings, ScriptedProvider("Hi."), "m")
    await made.chat("Hello")
    assert made.health()[part].state == "disabled"
    assert made.health()[part].calls == 0
    kept = await made.analytics_coordinator.get_session_analytics(made.session_id)
    assert kept.events == ()
    assert made.metrics_coordinator.snapshot().turns == 0


async def test_one_orchestrator_serves_many_tasks_of_one_loop_by_turns() -> None:
    """«Coordinators are designed for async/await, not threading.»"""
    made = orchestrator(*["x"] * 3)
    lock = asyncio.Lock()

    async def one() -> str:
        async with lock:
            return (await made.chat("hi")).content

    assert await asyncio.gather(one(), one(), one()) == ["x", "x", "x"]


def test_custom_coordinators_can_be_passed_for_all_fifteen() -> None:
    """«Can I create custom coordinators? Yes»"""
    made = orchestrator()
    for name in COORDINATORS:
        given = getattr(made, f"{name}_coordinator")
        other = orchestrator(**{f"{name}_coordinator": given})
        assert getattr(other, f"_{name}_coordinator") is given


def test_the_quick_references_imports_are_the_real_things(names_of_block: NamesOfBlock) -> None:
    """«Import Statements»"""
    names = names_of_block("IAnalyticsExporter,\n)")
    for name in ("AgentOrchestrator", "ConfigCoordinator", "AnalyticsCoordinator"):
        assert inspect.isclass(names[name])
    for name in ("IConfigProvider", "IPromptContributor", "IAnalyticsExporter"):
        assert getattr(names[name], "_is_protocol", False)


@pytest.mark.parametrize(
    "page",
    [
        "architecture/coordinator_based_architecture.md",
        "migration/orchestrator_refactoring_guide.md",
        "examples/coordinator_examples.md",
        "tutorials/coordinator_recipes.md",
        "index.md",
    ],
)
def test_the_pages_that_the_guide_links_to_exist(page: str) -> None:
    """«Next Steps»"""
    assert (Path(__file__).parents[2] / "docs" / page).is_file()


@pytest.mark.parametrize("anchor", ["Extensibility Points", "Metrics and KPIs"])
def test_the_sections_that_the_guide_links_to_exist(anchor: str) -> None:
    """«See Extensibility Points»"""
    docs = Path(__file__).parents[2] / "docs"
    page = docs / "architecture" / "coordinator_based_architecture.md"
    assert f"\n## {anchor}\n" in page.read_text(encoding="utf-8")


def test_the_section_on_testing_exists() -> None:
    """«Testing Coordinators»"""
    docs = Path(__file__).parents[2] / "docs"
    page = docs / "migration" / "orchestrator_refactoring_guide.md"
    assert "\n## Testing Recommendations\n" in page.read_text(encoding="utf-8")
