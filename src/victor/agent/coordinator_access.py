"""The fifteen coordinators of an orchestrator, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from victor.errors import UnknownNameError

if TYPE_CHECKING:
    from victor.agent import stages
    from victor.agent.coordinators.analytics_coordinator import AnalyticsCoordinator
    from victor.agent.coordinators.chat_coordinator import ChatCoordinator
    from victor.agent.coordinators.checkpoint_coordinator import CheckpointCoordinator
    from victor.agent.coordinators.config_coordinator import ConfigCoordinator
    from victor.agent.coordinators.context_coordinator import ContextCoordinator
    from victor.agent.coordinators.evaluation_coordinator import EvaluationCoordinator
    from victor.agent.coordinators.metrics_coordinator import MetricsCoordinator
    from victor.agent.coordinators.mode_coordinator import ModeCoordinator
    from victor.agent.coordinators.prompt_coordinator import PromptCoordinator
    from victor.agent.coordinators.provider_coordinator import ProviderCoordinator
    from victor.agent.coordinators.safety_coordinator import SafetyCoordinator
    from victor.agent.coordinators.session_coordinator import SessionCoordinator
    from victor.agent.coordinators.tool_coordinator import ToolCoordinator
    from victor.agent.coordinators.tool_selection_coordinator import ToolSelectionCoordinator
    from victor.agent.coordinators.workflow_coordinator import WorkflowCoordinator
    from victor.protocols import IObserver

COORDINATORS = (
    "config",
    "provider",
    "mode",
    "prompt",
    "context",
    "tool_selection",
    "chat",
    "safety",
    "checkpoint",
    "tool",
    "session",
    "metrics",
    "analytics",
    "workflow",
    "evaluation",
)
"""All fifteen, by the name that settings, `health()` and events use."""


class Coordinators(TypedDict, total=False):
    """Coordinators of your own, passed to the orchestrator by name.

    Each fits its Protocol in `victor.agent.stages` (observers: `IObserver`) by shape. A class or
    another callable without arguments may stand for the instance that it makes.
    """

    config_coordinator: stages.ConfigStage
    provider_coordinator: stages.ProviderStage
    mode_coordinator: stages.ModeStage
    prompt_coordinator: stages.PromptStage
    context_coordinator: stages.ContextStage
    tool_selection_coordinator: stages.ToolSelectionStage
    chat_coordinator: stages.ChatStage
    safety_coordinator: stages.SafetyStage
    checkpoint_coordinator: stages.CheckpointStage
    tool_coordinator: stages.ToolStage
    session_coordinator: stages.SessionStage
    metrics_coordinator: IObserver
    analytics_coordinator: IObserver
    workflow_coordinator: WorkflowCoordinator
    evaluation_coordinator: EvaluationCoordinator


T = TypeVar("T")


class _Coordinator(Generic[T]):
    """Reads one coordinator of the orchestrator that it stands in."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name.removeprefix("_").removesuffix("_coordinator")

    def __get__(self, owner: CoordinatorAccess, kind: type | None = None) -> T:
        kept: T = vars(owner)["_coordinators"][self._name]
        return kept


class CoordinatorAccess:
    """Gives each coordinator a public name; the names with an underscore are the guide's."""

    _coordinators: Mapping[str, Any]

    config_coordinator: _Coordinator[ConfigCoordinator] = _Coordinator()
    provider_coordinator: _Coordinator[ProviderCoordinator] = _Coordinator()
    mode_coordinator: _Coordinator[ModeCoordinator] = _Coordinator()
    prompt_coordinator: _Coordinator[PromptCoordinator] = _Coordinator()
    context_coordinator: _Coordinator[ContextCoordinator] = _Coordinator()
    tool_selection_coordinator: _Coordinator[ToolSelectionCoordinator] = _Coordinator()
    chat_coordinator: _Coordinator[ChatCoordinator] = _Coordinator()
    safety_coordinator: _Coordinator[SafetyCoordinator] = _Coordinator()
    checkpoint_coordinator: _Coordinator[CheckpointCoordinator] = _Coordinator()
    tool_coordinator: _Coordinator[ToolCoordinator] = _Coordinator()
    session_coordinator: _Coordinator[SessionCoordinator] = _Coordinator()
    metrics_coordinator: _Coordinator[MetricsCoordinator] = _Coordinator()
    analytics_coordinator: _Coordinator[AnalyticsCoordinator] = _Coordinator()
    workflow_coordinator: _Coordinator[WorkflowCoordinator] = _Coordinator()
    evaluation_coordinator: _Coordinator[EvaluationCoordinator] = _Coordinator()

    _config_coordinator = config_coordinator
    _provider_coordinator = provider_coordinator
    _mode_coordinator = mode_coordinator
    _prompt_coordinator = prompt_coordinator
    _context_coordinator = context_coordinator
    _tool_selection_coordinator = tool_selection_coordinator
    _chat_coordinator = chat_coordinator
    _safety_coordinator = safety_coordinator
    _checkpoint_coordinator = checkpoint_coordinator
    _tool_coordinator = tool_coordinator
    _session_coordinator = session_coordinator
    _metrics_coordinator = metrics_coordinator
    _analytics_coordinator = analytics_coordinator
    _workflow_coordinator = workflow_coordinator
    _evaluation_coordinator = evaluation_coordinator


def named(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the coordinators passed to the orchestrator, by short name.

    Raises `UnknownNameError` for a name that is none of the fifteen.
    """
    known = tuple(f"{name}_coordinator" for name in COORDINATORS)
    for name in overrides:
        if name not in known:
            raise UnknownNameError("coordinator", name, known)
    return {name.removesuffix("_coordinator"): given for name, given in overrides.items()}
