"""What workflows and evaluations tell, which drive turns from above. Part of `victor.events`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkflowStarted:
    """A workflow began to run."""

    run_id: str
    workflow: str


@dataclass(frozen=True, slots=True)
class WorkflowStepStarted:
    """A step of a workflow began."""

    run_id: str
    step: str


@dataclass(frozen=True, slots=True)
class WorkflowStepEnded:
    """A step of a workflow is over."""

    run_id: str
    step: str
    status: str
    """`done`, `skipped`, `failed` or `cancelled`."""
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowEnded:
    """A workflow is over."""

    run_id: str
    workflow: str
    status: str
    """`done`, `failed` or `cancelled`."""
    seconds: float


@dataclass(frozen=True, slots=True)
class EvaluationStarted:
    """A suite of tasks began to run."""

    run_id: str
    suite: str
    tasks: int
    tries: int
    """Of each task."""


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """One try of one task was scored."""

    run_id: str
    task: str
    trial: int
    """Counted from 1."""
    passed: bool
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EvaluationEnded:
    """A suite of tasks is over."""

    run_id: str
    suite: str
    passed: int
    tried: int
    seconds: float
