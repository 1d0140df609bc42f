"""What becomes of a reply's calls, and what a tool tells of itself. Part of `victor.events`."""

from __future__ import annotations

from dataclasses import dataclass

from victor.messages import TodoItem, ToolCall, ToolResult
from victor.values import quick


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
class TodoChanged:
    """The model has written its todo list anew."""

    items: tuple[TodoItem, ...]
    """All of it."""
