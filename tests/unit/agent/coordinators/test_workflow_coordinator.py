"""Which workflow runs, with what inputs, and how it came out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from victor.agent.coordinators.workflow_coordinator import WorkflowCoordinator
from victor.errors import WorkflowError
from victor.events import Event, WorkflowEnded, WorkflowStarted
from victor.messages import JsonObject, Response, ToolResult
from victor.protocols import RunTool, RunTurn
from victor.protocols.workflow import IWorkflow, RunStatus, WorkflowResult, WorkflowRun
from victor.workflow.load import load
from victor.workflow.run import WorkflowRunner

pytestmark = pytest.mark.anyio


class Plan:
    name = "plan"

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"given": dict(given)}


class Runner:
    """Runs nothing, and ends as it is told."""

    def __init__(self, ending: RunStatus | BaseException = RunStatus.DONE) -> None:
        self.ending = ending
        self.runs: list[WorkflowRun] = []

    def check(self, workflow: IWorkflow) -> None:
        pass

    async def run(self, run: WorkflowRun) -> WorkflowResult:
        self.runs.append(run)
        if isinstance(self.ending, BaseException):
            raise self.ending
        return WorkflowResult(run.id, run.workflow.name, self.ending, {"o": 1}, error="why")


async def chat(text: str) -> Response:
    return Response(text.upper())


async def tool(name: str, arguments: JsonObject) -> ToolResult:
    return ToolResult("1", name, is_error=name == "bad")


async def run(
    coordinator: WorkflowCoordinator,
    workflow: IWorkflow | Path | str,
    heard: list[Event],
    **inputs: Any,
) -> WorkflowResult:
    turn: RunTurn = chat
    call: RunTool = tool
    return await coordinator.run(workflow, inputs, chat=turn, tool=call, emit=heard.append)


async def test_a_run_is_announced_and_given_its_inputs() -> None:
    runner, heard = Runner(), list[Event]()
    result = await run(WorkflowCoordinator(runner=runner), Plan(), heard, a=1)
    assert result.outputs == {"o": 1}
    assert runner.runs[0].inputs == {"given": {"a": 1}}
    started, ended = heard
    assert isinstance(started, WorkflowStarted)
    assert isinstance(ended, WorkflowEnded)
    assert (started.run_id, started.workflow) == (ended.run_id, "plan")
    assert ended.status == "done"


async def test_a_failed_run_raises_with_what_there_was_and_the_next_one_runs() -> None:
    runner, heard = Runner(RunStatus.FAILED), list[Event]()
    coordinator = WorkflowCoordinator(runner=runner)
    with pytest.raises(WorkflowError, match="'plan' failed: why") as raised:
        await run(coordinator, Plan(), heard)
    assert isinstance(raised.value.result, WorkflowResult)
    assert isinstance(heard[-1], WorkflowEnded)
    assert heard[-1].status == "failed"
    runner.ending = RunStatus.DONE
    assert (await run(coordinator, Plan(), heard)).status is RunStatus.DONE


@pytest.mark.parametrize(
    ("ending", "status"),
    [(asyncio.CancelledError(), "cancelled"), (ValueError("a bug"), "failed")],
)
async def test_whatever_ends_a_run_its_end_is_told(ending: BaseException, status: str) -> None:
    heard: list[Event] = []
    coordinator = WorkflowCoordinator(runner=Runner(ending))
    with pytest.raises(type(ending)):
        await run(coordinator, Plan(), heard)
    assert isinstance(heard[-1], WorkflowEnded)
    assert heard[-1].status == status
    assert coordinator.running == ""


async def test_a_second_workflow_is_refused_while_one_runs() -> None:
    release = asyncio.Event()

    class Waiting(Runner):
        async def run(self, run: WorkflowRun) -> WorkflowResult:
            await release.wait()
            return await super().run(run)

    coordinator = WorkflowCoordinator(runner=Waiting())
    first = asyncio.create_task(run(coordinator, Plan(), []))
    await asyncio.sleep(0)
    assert coordinator.running == "plan"
    with pytest.raises(WorkflowError, match="'plan' is running"):
        await run(coordinator, Plan(), [])
    release.set()
    assert (await first).status is RunStatus.DONE


async def test_without_its_parts_it_says_what_is_missing() -> None:
    with pytest.raises(WorkflowError, match="runner="):
        await run(WorkflowCoordinator(), Plan(), [])
    with pytest.raises(WorkflowError, match="loader="):
        await run(WorkflowCoordinator(runner=Runner()), "x.yaml", [])


async def test_a_file_is_loaded_checked_and_run(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("inputs: {who: you}\nsteps: [{id: a, prompt: 'hi {{ inputs.who }}'}]")
    coordinator = WorkflowCoordinator(loader=load, runner=WorkflowRunner())
    result = await run(coordinator, path, [], who="me")
    assert result.outputs == {"a": "HI ME"}
    assert (await run(coordinator, str(path), [])).outputs == {"a": "HI YOU"}


async def test_an_ill_formed_workflow_is_refused_before_anything_is_told(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("steps: [{id: a, prompt: '{{ nobody }}'}]")
    heard: list[Event] = []
    with pytest.raises(WorkflowError, match="nobody"):
        await run(WorkflowCoordinator(loader=load, runner=WorkflowRunner()), path, heard)
    assert heard == []
