"""The public API as an application uses it, checked by mypy and never run.

A change of a public signature shows here, at `assert_type` or as an error.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, assert_type

from victor import AgentOrchestrator, Context, Message, Response, Settings, VictorError, __version__
from victor.agent.coordinators import (
    AnalyticsCoordinator,
    ChatCoordinator,
    CheckpointCoordinator,
    ConfigCoordinator,
    ContextCoordinator,
    EvaluationCoordinator,
    MetricsCoordinator,
    ModeCoordinator,
    PromptCoordinator,
    ProviderCoordinator,
    SafetyCoordinator,
    SessionCoordinator,
    ToolCoordinator,
    ToolSelectionCoordinator,
    WorkflowCoordinator,
)
from victor.agent.coordinators.analytics_coordinator import BaseAnalyticsExporter
from victor.agent.coordinators.config_coordinator import Explanation
from victor.agent.coordinators.context_coordinator import BaseCompactionStrategy
from victor.agent.coordinators.prompt_coordinator import BasePromptContributor
from victor.config.sources import EnvironmentConfigProvider
from victor.events import Event, TextDelta
from victor.messages import Request, ToolCall, ToolSpec
from victor.plans import Plan
from victor.protocols import (
    Allow,
    AnalyticsEvent,
    Ask,
    Attachment,
    CallReview,
    Deny,
    Emit,
    Endpoint,
    Executed,
    ExportResult,
    IAnalyticsExporter,
    IApprover,
    ICompactionStrategy,
    IConfigProvider,
    IObserver,
    IPromptContributor,
    IProvider,
    IToolSelectionStrategy,
    Mentionable,
    Mode,
    ModelInfo,
    PromptContext,
    Rewrite,
    ScoredTool,
    SessionAnalytics,
    Summarizer,
    Verdict,
)
from victor.testing import (
    ChaosProvider,
    EchoProvider,
    RecordingObserver,
    ScriptedApprover,
    ScriptedProvider,
    ScriptedReply,
)


class Database(IConfigProvider):
    def priority(self) -> int:
        return 100

    async def get_config(self, session_id: str) -> dict[str, Any]:
        return {"model": session_id}


class Compliance(BasePromptContributor):
    def priority(self) -> int:
        return 50

    async def get_contribution(self, context: PromptContext) -> str:
        return "Follow the rules." if context.get("requires_compliance") else ""


class Recent(BaseCompactionStrategy):
    async def compact(self, context: Context) -> Context:
        return Context(messages=context.messages[-10:])


class Store(BaseAnalyticsExporter):
    async def export(self, events: list[AnalyticsEvent]) -> ExportResult:
        return ExportResult(success=True, exported_count=len(events))


class ByName:
    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        return tuple(ScoredTool(tool, 1.0, "its name") for tool in tools if tool.name in task)


def ports_are_fitted_by_shape() -> None:
    config: IConfigProvider = EnvironmentConfigProvider()
    config = Database()
    contributor: IPromptContributor = Compliance()
    strategy: ICompactionStrategy = Recent()
    exporter: IAnalyticsExporter = Store()
    selection: IToolSelectionStrategy = ByName()
    observer: IObserver = RecordingObserver()
    approver: IApprover = ScriptedApprover(True)
    provider: IProvider = ScriptedProvider("Hello")
    provider = EchoProvider()
    provider = ChaosProvider()
    _ = (config, contributor, strategy, exporter, selection, observer, approver, provider)


def scripts_are_made_of(reply: ScriptedReply) -> ScriptedProvider:
    async def late(request: Request) -> str:
        return request.model

    return ScriptedProvider(reply, "text", late, lambda request: request.system, VictorError("no"))


async def a_conversation(settings: Settings, provider: IProvider, tmp: Path) -> None:
    orchestrator = AgentOrchestrator(settings=settings, provider=provider, model="m", workspace=tmp)
    response = await orchestrator.chat("Hi", prompt_context={"requires_compliance": True})
    assert_type(response, Response)
    assert_type(response.content, str)
    assert_type(response.messages, tuple[Message, ...])
    assert_type(orchestrator.stream_chat("Hi"), AsyncGenerator[TextDelta, None])
    assert_type(await orchestrator.attach("@docs:guide://a"), tuple[Attachment, ...])
    assert_type(await orchestrator.mentionable(), tuple[Mentionable, ...])
    assert_type(await orchestrator.plan(), Plan | None)
    assert_type(await orchestrator.approve_plan(), Plan)
    assert_type(orchestrator.events("Hi"), AsyncGenerator[Event, None])
    assert_type(orchestrator.switch(model="other"), Endpoint)
    assert_type(orchestrator.mode, Mode)
    assert_type(orchestrator._config_coordinator.get_config(), Mapping[str, Any])
    assert_type(orchestrator._context_coordinator.get_context(), Context)
    assert_type(
        await orchestrator._analytics_coordinator.get_session_analytics(session_id="s"),
        SessionAnalytics,
    )


def the_fifteen(orchestrator: AgentOrchestrator) -> None:
    assert_type(orchestrator.analytics_coordinator, AnalyticsCoordinator)
    assert_type(orchestrator.chat_coordinator, ChatCoordinator)
    assert_type(orchestrator.checkpoint_coordinator, CheckpointCoordinator)
    assert_type(orchestrator.config_coordinator, ConfigCoordinator)
    assert_type(orchestrator.context_coordinator, ContextCoordinator)
    assert_type(orchestrator.evaluation_coordinator, EvaluationCoordinator)
    assert_type(orchestrator.metrics_coordinator, MetricsCoordinator)
    assert_type(orchestrator.mode_coordinator, ModeCoordinator)
    assert_type(orchestrator.prompt_coordinator, PromptCoordinator)
    assert_type(orchestrator.provider_coordinator, ProviderCoordinator)
    assert_type(orchestrator.safety_coordinator, SafetyCoordinator)
    assert_type(orchestrator.session_coordinator, SessionCoordinator)
    assert_type(orchestrator.tool_coordinator, ToolCoordinator)
    assert_type(orchestrator.tool_selection_coordinator, ToolSelectionCoordinator)
    assert_type(orchestrator.workflow_coordinator, WorkflowCoordinator)


def settings_are_typed() -> Settings:
    settings = Settings(
        context_compaction_threshold=0.8,
        mode="plan",
        permissions={"allow": ("read",)},
        enable_metrics=False,
    )
    assert_type(settings.model, str | None)
    assert_type(settings.max_tool_iterations, int)
    Settings(max_tool_iterations="five")  # type: ignore[arg-type]  # refused before it runs
    Settings(modle="m")  # type: ignore[call-arg]  # likewise
    return settings.changed(model="m")


def configuration(coordinator: ConfigCoordinator) -> None:
    coordinator.add_provider(Database())
    assert_type(coordinator.explain("model"), Explanation)
    ConfigCoordinator(providers=[Database(), EnvironmentConfigProvider()])


def verdicts(verdict: Verdict, review: CallReview) -> str:
    assert_type(review.call, ToolCall)
    match verdict:
        case Allow(reason) | Deny(reason):
            return reason
        case Ask(question, _):
            return question
        case Rewrite(call, reason):
            return f"{call.name}: {reason}"


def values(executed: Executed, info: ModelInfo) -> tuple[float, int, str]:
    return executed.seconds, info.context_window, __version__


async def means(summarize: Summarizer, emit: Emit) -> str:
    emit(TextDelta("…"))
    return await summarize("Be brief.", "A long text.")
