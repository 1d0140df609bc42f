"""Runs of workflows over the chat: which one, with what inputs, and how it came out."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from victor.errors import WorkflowError
from victor.events import WorkflowEnded, WorkflowStarted
from victor.protocols.observer import Emit
from victor.protocols.workflow import (
    ForkChat,
    IWorkflow,
    IWorkflowRunner,
    RunStatus,
    RunTool,
    RunTurn,
    WorkflowLoader,
    WorkflowResult,
    WorkflowRun,
)


class WorkflowCoordinator:
    """Runs one workflow at a time. A run that fails leaves the conversation as it stands.

    `loader` reads workflows from files and `runner` runs them; both are needed before anything
    can run.
    """

    def __init__(
        self,
        *,
        loader: WorkflowLoader | None = None,
        runner: IWorkflowRunner | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._loader = loader
        self._runner = runner
        self._clock = clock
        self._running = ""

    @property
    def running(self) -> str:
        """The name of the workflow that runs now; empty when none does."""
        return self._running

    def load(self, path: Path | str) -> IWorkflow:
        """Return the workflow in a file, checked. Raises `WorkflowError`."""
        if self._loader is None:
            raise WorkflowError(
                f"Cannot read {path}: there is no loader.",
                hint="Pass a Workflow, or construct the coordinator with `loader=`.",
            )
        return self._loader(Path(path))

    async def run(
        self,
        workflow: IWorkflow | Path | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        chat: RunTurn,
        tool: RunTool,
        emit: Emit,
        fork: ForkChat | None = None,
        hear: Callable[[str], None] = lambda _: None,
    ) -> WorkflowResult:
        """Run a workflow, or the one in a file, and return what it gave.

        Raises `WorkflowError` before anything runs when the workflow is ill-formed, an input is
        missing or unknown, or another workflow runs; and after a step failed, then with the
        `WorkflowResult` up to there as its `result`.
        """
        if self._runner is None:
            raise WorkflowError(
                "Workflows cannot run: there is no runner.",
                hint="Construct the coordinator with `runner=`.",
            )
        if isinstance(workflow, Path | str):
            workflow = await asyncio.to_thread(self.load, workflow)
        self._runner.check(workflow)
        if self._running:
            raise WorkflowError(
                f"Workflow {self._running!r} is running on this conversation.",
                hint="Wait for its end, or use another orchestrator.",
            )
        bound = workflow.bind(inputs or {})
        run = WorkflowRun(uuid.uuid4().hex, workflow, bound, chat, tool, emit, fork, hear)
        return await self._run(self._runner, run)

    async def _run(self, runner: IWorkflowRunner, run: WorkflowRun) -> WorkflowResult:
        name = run.workflow.name
        self._running = name
        run.emit(WorkflowStarted(run.id, name))
        began = self._clock()
        status = RunStatus.FAILED
        try:
            result = await runner.run(run)
            status = result.status
        except asyncio.CancelledError:
            status = RunStatus.CANCELLED
            raise
        finally:
            self._running = ""
            run.emit(WorkflowEnded(run.id, name, str(status), self._clock() - began))
        if status is not RunStatus.DONE:
            raise WorkflowError(f"Workflow {name!r} failed: {result.error}", result=result)
        return result
