"""Everything that happens, as past-tense values: the closed union `Event`.

Observers hear events and cannot steer. The terminal, metrics, analytics and tests read the same
ones. A text turn with one tool call publishes, in this order:

    TurnStarted, StepStarted, TextDelta*, ReplyReceived,
    ToolCallReviewed, ToolCallStarted, ToolCallEnded,
    StepStarted, TextDelta*, ReplyReceived, TurnEnded

A turn ends with exactly one of `TurnEnded`, `TurnFailed` and `TurnCancelled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from victor.events.drivers import (
    EvaluationEnded,
    EvaluationStarted,
    TrialEnded,
    WorkflowEnded,
    WorkflowStarted,
    WorkflowStepEnded,
    WorkflowStepStarted,
)
from victor.events.model_calls import (
    ModelCallDelayed,
    ModelCallRetried,
    OutputRejected,
    ProviderSwitched,
    ReplyDelta,
    ReplyFinished,
    ReplyReceived,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from victor.events.tool_calls import (
    ApprovalRequested,
    CheckpointTaken,
    TodoChanged,
    ToolCallEnded,
    ToolCallProgressed,
    ToolCallReviewed,
    ToolCallRewritten,
    ToolCallStarted,
)
from victor.events.turns import (
    ContextCompacted,
    CoordinatorFailed,
    CoordinatorRecovered,
    HistoryRepaired,
    ModeChanged,
    PlanWritten,
    SessionStarted,
    TurnCancelled,
    TurnEnded,
    TurnFailed,
    TurnStarted,
)

__all__ = [
    "ApprovalRequested",
    "CheckpointTaken",
    "ContextCompacted",
    "CoordinatorFailed",
    "CoordinatorRecovered",
    "EvaluationEnded",
    "EvaluationStarted",
    "Event",
    "HistoryRepaired",
    "ModeChanged",
    "ModelCallDelayed",
    "ModelCallRetried",
    "OutputRejected",
    "PlanWritten",
    "ProviderSwitched",
    "ReplyDelta",
    "ReplyFinished",
    "ReplyReceived",
    "SessionStarted",
    "StepStarted",
    "SubagentActed",
    "TextDelta",
    "ThinkingDelta",
    "TodoChanged",
    "ToolCallDelta",
    "ToolCallEnded",
    "ToolCallProgressed",
    "ToolCallReviewed",
    "ToolCallRewritten",
    "ToolCallStarted",
    "TrialEnded",
    "TurnCancelled",
    "TurnEnded",
    "TurnFailed",
    "TurnStarted",
    "WorkflowEnded",
    "WorkflowStarted",
    "WorkflowStepEnded",
    "WorkflowStepStarted",
]


@dataclass(frozen=True, slots=True)
class SubagentActed:
    """Something happened to an agent that a tool call has started."""

    call_id: str
    """The call that it works for."""
    name: str
    """What kind of event it is, such as `ToolCallStarted`."""
    happened: Event
    """The event."""


Event: TypeAlias = (
    SessionStarted
    | TurnStarted
    | StepStarted
    | TextDelta
    | ThinkingDelta
    | ToolCallDelta
    | ReplyReceived
    | OutputRejected
    | ModelCallRetried
    | ModelCallDelayed
    | ProviderSwitched
    | ApprovalRequested
    | ToolCallRewritten
    | ToolCallReviewed
    | CheckpointTaken
    | ToolCallStarted
    | ToolCallProgressed
    | ToolCallEnded
    | TodoChanged
    | PlanWritten
    | SubagentActed
    | ContextCompacted
    | HistoryRepaired
    | ModeChanged
    | CoordinatorFailed
    | CoordinatorRecovered
    | TurnEnded
    | TurnFailed
    | TurnCancelled
    | WorkflowStarted
    | WorkflowStepStarted
    | WorkflowStepEnded
    | WorkflowEnded
    | EvaluationStarted
    | TrialEnded
    | EvaluationEnded
)
