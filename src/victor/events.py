"""Everything that happens, as past-tense values: the closed union `Event`.

Observers hear events and cannot steer. The terminal, metrics, analytics and tests read the same
ones. A text turn with one tool call publishes, in this order:

    TurnStarted, StepStarted, TextDelta*, ReplyReceived,
    ToolCallReviewed, ToolCallStarted, ToolCallEnded,
    StepStarted, TextDelta*, ReplyReceived, TurnEnded

A turn ends with exactly one of `TurnEnded`, `TurnFailed` and `TurnCancelled`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from victor.driver_events import (
    EvaluationEnded as EvaluationEnded,
)
from victor.driver_events import (
    EvaluationStarted as EvaluationStarted,
)
from victor.driver_events import (
    TrialEnded as TrialEnded,
)
from victor.driver_events import (
    WorkflowEnded as WorkflowEnded,
)
from victor.driver_events import (
    WorkflowStarted as WorkflowStarted,
)
from victor.driver_events import (
    WorkflowStepEnded as WorkflowStepEnded,
)
from victor.driver_events import (
    WorkflowStepStarted as WorkflowStepStarted,
)
from victor.messages import PlanItem, Reply, Response, StopReason, ToolCall, ToolResult, Usage
from victor.values import quick


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A session was opened for writing."""

    session_id: str
    resumed: bool = False


@quick
@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The user's message is on record."""

    session_id: str
    turn_id: str
    text: str


@quick
@dataclass(frozen=True, slots=True)
class StepStarted:
    """A model call is about to be made."""

    turn_id: str
    step: int
    """Counted from 1."""
    provider: str
    model: str
    context_tokens: int
    """Estimate of what is sent: messages only."""


@quick
@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the model's answer, as it arrived."""

    content: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of the model's reasoning, as it arrived."""

    content: str
    signature: str = ""
    """Set on the delta that closes a block, where the vendor signs it."""


@quick
@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call, as it arrived."""

    index: int
    """Which call of the reply it belongs to, counted from 0."""
    id: str = ""
    name: str = ""
    arguments: str = ""
    """A fragment of JSON text."""


@quick
@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """The provider's stream is complete. Always the last of a stream, and only of a whole one."""

    stop_reason: StopReason
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    """The model that answered, as the vendor names it."""


ReplyDelta: TypeAlias = TextDelta | ThinkingDelta | ToolCallDelta | ReplyFinished
"""What a provider's stream is made of."""


@quick
@dataclass(frozen=True, slots=True)
class ReplyReceived:
    """A model call was answered in whole."""

    turn_id: str
    step: int
    reply: Reply
    seconds: float
    first_token_seconds: float | None = None
    """From the request to the first visible piece; None where there was none."""
    cost: float | None = None
    """US dollars by list price; None where the price is unknown."""


@dataclass(frozen=True, slots=True)
class OutputRejected:
    """An answer did not have the form that was asked for; the model is told, within limits."""

    turn_id: str
    attempt: int
    """Which answer of the turn it was, counted from 1."""
    problem: str
    """What did not fit."""


@dataclass(frozen=True, slots=True)
class ModelCallRetried:
    """A model call failed in a way that may pass, and is made again."""

    provider: str
    attempt: int
    """The attempt that failed, counted from 1."""
    error: str
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class ModelCallDelayed:
    """A model call waits until its endpoint can take it."""

    provider: str
    model: str
    reason: str
    """What it waits for, for a person."""
    wait_seconds: float | None
    """None where nobody can tell how long."""


@dataclass(frozen=True, slots=True)
class ProviderSwitched:
    """Another provider or model serves from now on."""

    provider: str
    model: str
    reason: str
    """Why: asked for, or which failure it follows."""


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """A tool call waits for a person's word."""

    call: ToolCall
    question: str


@dataclass(frozen=True, slots=True)
class ToolCallRewritten:
    """Another call is going to be reviewed, and to run, in the place of the model's."""

    call: ToolCall
    """As the model made it."""
    rewritten: ToolCall
    reason: str
    """Who or what changed it."""


@quick
@dataclass(frozen=True, slots=True)
class ToolCallReviewed:
    """It was decided whether a tool call may run."""

    call: ToolCall
    allowed: bool
    reason: str
    """The rule, mode or person that decided."""


@dataclass(frozen=True, slots=True)
class CheckpointTaken:
    """What a step may change was kept, so that it can be undone."""

    checkpoint_id: str
    turn_id: str
    paths: tuple[str, ...]


@quick
@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A tool began to run."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolCallProgressed:
    """A tool that runs told how far it is; of many such lines, the latest few a second."""

    call: ToolCall
    line: str


@quick
@dataclass(frozen=True, slots=True)
class ToolCallEnded:
    """A tool call has its result, and the result is on record."""

    call: ToolCall
    result: ToolResult
    seconds: float
    display: str = ""
    """What a person is shown beside `result.content`, such as a diff; may be empty."""


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """The model has written its plan down anew."""

    items: tuple[PlanItem, ...]
    """All of it."""


@dataclass(frozen=True, slots=True)
class PlanWritten:
    """The plan of the session was written or changed in `plan` mode, and is on record."""

    path: str
    """The file that it is in."""
    text: str
    """All of it, as Markdown."""


@dataclass(frozen=True, slots=True)
class SubagentActed:
    """Something happened to an agent that a tool call has started."""

    call_id: str
    """The call that it works for."""
    name: str
    """What kind of event it is, such as `ToolCallStarted`."""
    happened: Event
    """The event."""


@dataclass(frozen=True, slots=True)
class ContextCompacted:
    """Messages were dropped or shortened so that the context fits."""

    strategy: str
    reason: str
    messages_before: int
    messages_after: int
    tokens_before: int
    tokens_after: int
    what: tuple[str, ...] = ()
    """What was left out, shortened and added, in words."""
    kept: str = ""
    """The file that has what was left out, word for word; empty where it was not kept."""
    summary_tokens: int = 0
    """Tokens of the model calls that it took."""
    cost: float | None = 0.0
    """US dollars of these calls by list price; None where the price is unknown."""


@dataclass(frozen=True, slots=True)
class HistoryRepaired:
    """A history that no vendor would accept was brought to the nearest valid one."""

    source: str
    """Who made it: a strategy's name, `resume`, or `cancel`."""
    repairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """What the agent may do has changed."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class CoordinatorFailed:
    """A part failed; the turn went on with its fallback unless the part is critical."""

    coordinator: str
    operation: str
    error: str
    critical: bool = False


@dataclass(frozen=True, slots=True)
class CoordinatorRecovered:
    """A part that was switched off after repeated failures works again."""

    coordinator: str


@quick
@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The turn is done and on record."""

    response: Response
    seconds: float


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """The turn ended with an error. What was recorded stays."""

    turn_id: str
    error: str
    error_type: str


@dataclass(frozen=True, slots=True)
class TurnCancelled:
    """The turn was cancelled. The history is valid."""

    turn_id: str


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
    | PlanChanged
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
