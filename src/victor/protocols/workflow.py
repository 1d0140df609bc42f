"""What the drivers, workflows and evaluations, are handed: ways into the conversation.

And the ports of the workflow coordinator, with the values that cross them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypedDict

from victor.messages import JsonObject, Response, ToolResult
from victor.protocols.observer import Emit

RunTurn: TypeAlias = Callable[[str], Awaitable[Response]]
"""Runs one turn: (the user's text) to its response. Raises `VictorError`."""

RunTool: TypeAlias = Callable[[str, JsonObject], Awaitable[ToolResult]]
"""Runs one tool, reviewed as the model's calls are: (name, arguments) to its result."""

ForkChat: TypeAlias = Callable[[], AbstractAsyncContextManager[RunTurn]]
"""Opens a conversation of its own that begins where the current one stands."""


class Talk(TypedDict):
    """Ways to talk for who puts texts together; see `WorkflowRun`."""

    chat: RunTurn
    hear: Callable[[str], None]


class RunStatus(StrEnum):
    """How a workflow, or a step of it, came out."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of one step. A step in a loop has one for each round."""

    id: str
    status: RunStatus
    output: Any = None
    """The answer of a prompt, the content of a tool's result, or what a block of steps gave."""
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """What became of one run of a workflow."""

    run_id: str
    workflow: str
    status: RunStatus
    outputs: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[StepOutcome, ...] = ()
    """In the order in which they ended."""
    seconds: float = 0.0
    error: str = ""


class IWorkflow(Protocol):
    """A workflow, as much of it as the coordinator needs to know."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for each input. Raises `WorkflowError` for a missing or unknown one."""
        ...


WorkflowLoader: TypeAlias = Callable[[Path], IWorkflow]
"""Reads a workflow from a file. Raises `WorkflowError`."""


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """One run: what it is of, and its ways into the conversation."""

    id: str
    workflow: IWorkflow
    inputs: Mapping[str, Any]
    chat: RunTurn
    tool: RunTool
    emit: Emit
    fork: ForkChat | None = None
    """Without it, prompts of parallel steps take turns on `chat`."""
    hear: Callable[[str], None] = field(default=lambda _: None)
    """Takes the words that are the author's or the person's own. What `chat` is given has outputs
    of steps in it, and so is nobody's."""


class IWorkflowRunner(Protocol):
    """Runs workflows."""

    def check(self, workflow: IWorkflow) -> None:
        """Raises `WorkflowError` if the workflow cannot run, listing all that is wrong with it."""
        ...

    async def run(self, run: WorkflowRun) -> WorkflowResult:
        """Return what became of it; a failing step is a result with status `failed`."""
        ...
