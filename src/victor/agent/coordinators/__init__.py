"""The fifteen coordinators, loaded one by one on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

__all__ = [
    "AnalyticsCoordinator",
    "ChatCoordinator",
    "CheckpointCoordinator",
    "ConfigCoordinator",
    "ContextCoordinator",
    "EvaluationCoordinator",
    "MetricsCoordinator",
    "ModeCoordinator",
    "PromptCoordinator",
    "ProviderCoordinator",
    "SafetyCoordinator",
    "SessionCoordinator",
    "ToolCoordinator",
    "ToolSelectionCoordinator",
    "WorkflowCoordinator",
]


def _home(name: str) -> str:
    """Return the module of a coordinator: `ToolSelectionCoordinator` is in its own, spelled so."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return f"{__name__}.{words[1:]}"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_home(name)), name)


def __dir__() -> list[str]:
    return sorted(__all__)
