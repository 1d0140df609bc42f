"""What happens between a turn and the models that serve it. Part of `victor.events`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from victor.messages import Reply, StopReason, Usage
from victor.values import quick


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
