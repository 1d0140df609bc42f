"""Making the coordinators that keep a record, and those that run on top of a turn."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from victor.agent.assembly.given import Given
from victor.agent.session_forms import exported, imported


def session(given: Given) -> Any:
    """What keeps conversations, in the store of the settings."""
    from victor.agent.coordinators.session_coordinator import SessionCoordinator
    from victor.storage.chosen import session_store

    store = session_store(given.config)
    exports = {form: partial(exported, form) for form in ("markdown", "html", "jsonl")}
    return SessionCoordinator(store, exports=exports, read=imported)


def metrics(given: Given) -> Any:
    """What counts."""
    from victor.agent.coordinators.metrics_coordinator import MetricsCoordinator

    return MetricsCoordinator()


def analytics(given: Given) -> Any:
    """What exports events, to the file of the settings if there is one."""
    from victor.agent.coordinators.analytics_coordinator import AnalyticsCoordinator

    file = given.config.get("analytics_file")
    if not file:
        return AnalyticsCoordinator()
    from victor.telemetry import JsonLinesAnalyticsExporter

    return AnalyticsCoordinator([JsonLinesAnalyticsExporter(Path(file))])


def workflow(given: Given) -> Any:
    """What runs workflows."""
    from victor.agent.coordinators.workflow_coordinator import WorkflowCoordinator
    from victor.workflow.load import load
    from victor.workflow.run import WorkflowRunner

    return WorkflowCoordinator(loader=load, runner=WorkflowRunner())


def evaluation(given: Given) -> Any:
    """What runs evaluations."""
    from victor.agent.coordinators.evaluation_coordinator import EvaluationCoordinator
    from victor.evaluation.load import load
    from victor.evaluation.trial import TrialRunner

    return EvaluationCoordinator(loader=load, runner=TrialRunner())
