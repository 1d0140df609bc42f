"""Workflows, run over a conversation and tools that do as the test says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from victor.errors import VictorError, WorkflowError
from victor.events import WorkflowStepEnded, WorkflowStepStarted
from victor.messages import JsonObject, ToolResult
from victor.protocols.workflow import RunStatus, WorkflowResult, WorkflowRun
from victor.workflow.model import (
    ConditionStep,
    Input,
    LoopStep,
    OnError,
    ParallelStep,
    PromptStep,
    Retry,
    ToolStep,
    Workflow,
)
from victor.workflow.run import WorkflowRunner

if TYPE_CHECKING:
    from .conftest import Stage

pytestmark = pytest.mark.anyio

FAILED = ToolResult("1", "it broke", is_error=True)


def outcomes(result: WorkflowResult) -> list[tuple[str, str]]:
    return [(step.id, str(step.status)) for step in result.steps]


async def test_steps_run_in_order_and_see_what_came_before(stage: Stage) -> None:
    result = await stage.run(
        """
        inputs: {place: src}
        steps:
          - {id: look, tool: list, arguments: {path: "{{ inputs.place }}"}}
          - {id: think, prompt: "Judge {{ steps.look }}", save_as: verdict}
          - {id: tell, prompt: "Repeat {{ verdict }}"}
        outputs: {first: "{{ verdict }}", last: "{{ steps.tell.output }}"}
        """
    )
    assert stage.called == [("list", {"path": "src"})]
    assert stage.said == ["Judge list done", "Repeat answer to Judge list done"]
    assert result.status is RunStatus.DONE
    assert result.outputs["first"] == "answer to Judge list done"
    assert result.outputs["last"].startswith("answer to Repeat")
    assert outcomes(result) == [("look", "done"), ("think", "done"), ("tell", "done")]


async def test_every_step_is_announced_when_it_begins_and_when_it_ends(stage: Stage) -> None:
    await stage.run("steps: [{id: a, prompt: x}, {id: b, tool: t}]")
    told = [(type(event).__name__, getattr(event, "step", "")) for event in stage.heard]
    assert told == [
        ("WorkflowStepStarted", "a"),
        ("WorkflowStepEnded", "a"),
        ("WorkflowStepStarted", "b"),
        ("WorkflowStepEnded", "b"),
    ]


async def test_without_outputs_of_its_own_a_workflow_gives_what_was_saved(stage: Stage) -> None:
    saved = await stage.run("steps: [{id: a, prompt: x, save_as: one}, {id: b, prompt: y}]")
    assert saved.outputs == {"one": "answer to x"}
    last = await stage.run("steps: [{id: a, prompt: x}, {id: b, prompt: y}]")
    assert last.outputs == {"b": "answer to y"}


async def test_an_argument_that_is_one_expression_keeps_its_type(stage: Stage) -> None:
    await stage.run(
        """
        inputs: {many: 3, some: [1, 2]}
        steps:
          - {id: a, tool: t, save_as: text}
          - id: b
            tool: t
            arguments:
              number: "{{ inputs.many + 1 }}"
              list: ["{{ inputs.some }}", "n={{ inputs.many }}", true]
              step: "{{ steps.a }}"
        """
    )
    assert stage.called[1][1] == {
        "number": 4,
        "list": [[1, 2], "n=3", True],
        "step": "t done",
    }


async def test_a_failing_step_fails_the_run_and_nothing_after_it_runs(stage: Stage) -> None:
    stage.result = lambda name, arguments: FAILED
    result = await stage.run("steps: [{id: a, tool: t}, {id: b, prompt: x}]")
    assert result.status is RunStatus.FAILED
    assert "step 'a'" in result.error
    assert "it broke" in result.error
    assert outcomes(result) == [("a", "failed")]
    assert result.steps[0].output == "it broke"
    assert stage.said == []


async def test_a_step_may_fail_and_the_run_go_on_with_what_it_gave(stage: Stage) -> None:
    stage.result = lambda name, arguments: FAILED
    result = await stage.run(
        """
        steps:
          - {id: a, tool: t, on_error: continue}
          - {id: b, prompt: "{{ steps.a.status }}: {{ steps.a }}"}
        """
    )
    assert stage.said == ["failed: it broke"]
    assert outcomes(result) == [("a", "failed"), ("b", "done")]


async def test_a_failing_turn_fails_its_step(stage: Stage) -> None:
    stage.answer = lambda text: VictorError("The vendor is down.")
    result = await stage.run("steps: [{id: a, prompt: x}]")
    assert "step 'a': The vendor is down." in result.error


async def test_a_step_is_tried_again_with_growing_waits(stage: Stage) -> None:
    results = [FAILED, FAILED, "good"]
    stage.result = lambda name, arguments: results.pop(0)
    result = await stage.run("steps: [{id: a, tool: t, retry: {attempts: 3, wait: 0.5}}]")
    assert result.status is RunStatus.DONE
    assert result.steps[0].attempts == 3
    assert stage.naps == [0.5, 1.0]


async def test_after_the_last_attempt_the_step_has_failed(stage: Stage) -> None:
    stage.answer = lambda text: VictorError("no")
    result = await stage.run("steps: [{id: a, prompt: x, retry: 2}]")
    assert result.status is RunStatus.FAILED
    assert (result.steps[0].attempts, len(stage.said)) == (2, 2)


async def test_a_step_that_takes_too_long_fails(stage: Stage) -> None:
    stage.result = lambda name, arguments: asyncio.Event().wait()
    result = await stage.run("steps: [{id: a, tool: t, timeout: 0.01}]")
    assert "It took longer than 0.01 s." in result.error


async def test_a_block_that_takes_too_long_fails_and_stops_what_is_in_it(stage: Stage) -> None:
    stage.result = lambda name, arguments: asyncio.Event().wait()
    result = await stage.run(
        "steps: [{id: both, timeout: 0.01, parallel: [{id: a, tool: t}, {id: b, tool: t}]}]"
    )
    assert "step 'both': It took longer" in result.error
    assert set(outcomes(result)) == {("a", "cancelled"), ("b", "cancelled"), ("both", "failed")}


async def test_a_timeout_that_is_the_tools_own_is_not_taken_for_the_steps(stage: Stage) -> None:
    stage.result = lambda name, arguments: TimeoutError("mine")
    with pytest.raises(TimeoutError, match="mine"):
        await stage.run("steps: [{id: a, tool: t, timeout: 60}]")
    ended = stage.heard[-1]
    assert isinstance(ended, WorkflowStepEnded)
    assert ended.status == "failed"


async def test_parallel_tools_run_at_the_same_time(stage: Stage) -> None:
    meeting = asyncio.Barrier(3)

    async def meet(name: str) -> str:
        await meeting.wait()
        return name

    stage.result = lambda name, arguments: meet(name)
    result = await stage.run(
        """
        steps:
          - id: all
            parallel: [{id: a, tool: x}, {id: b, tool: y}, {id: c, tool: z}]
        """
    )
    assert result.outputs == {"all": {"a": "x", "b": "y", "c": "z"}}


async def test_parallel_prompts_take_turns_on_the_one_conversation(stage: Stage) -> None:
    running = 0
    most = 0

    async def answer(text: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return text

    stage.answer = answer
    await stage.run("steps: [{id: all, parallel: [{id: a, prompt: x}, {id: b, prompt: y}]}]")
    assert sorted(stage.said) == ["x", "y"]
    assert most == 1


async def test_with_forks_each_branch_has_a_conversation_of_its_own(stage: Stage) -> None:
    meeting = asyncio.Barrier(2)

    async def answer(text: str) -> str:
        if text.startswith("meet"):
            await meeting.wait()
        return text

    stage.answer = answer
    await stage.run(
        """
        steps:
          - id: all
            parallel:
              - id: a
                for_each: range(2)
                steps: [{id: a1, prompt: "one {{ item }}"}]
              - {id: b, prompt: meet b}
              - {id: c, prompt: meet c}
              - {id: d, tool: t}
          - {id: after, prompt: back}
        """,
        forking=True,
    )
    assert sorted(stage.forks) == [["meet b"], ["meet c"], ["one 0", "one 1"]]
    assert stage.said == ["back"]
    assert stage.open_forks == 0


async def test_when_one_of_several_fails_the_others_are_stopped(stage: Stage) -> None:
    stopped: list[str] = []

    async def result(name: str, arguments: JsonObject) -> str | ToolResult:
        if name == "bad":
            await asyncio.sleep(0)
            return FAILED
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(name)
            raise
        return name

    stage.result = result
    run = await stage.run("steps: [{id: all, parallel: [{id: a, tool: good}, {id: b, tool: bad}]}]")
    assert stopped == ["good"]
    assert set(outcomes(run)) == {("b", "failed"), ("a", "cancelled"), ("all", "failed")}
    assert run.steps[-1].output is None


async def test_needs_decide_the_order_and_what_runs_side_by_side(stage: Stage) -> None:
    meeting = asyncio.Barrier(2)

    async def result(name: str, arguments: JsonObject) -> str:
        if name != "last":
            await meeting.wait()
        return name

    stage.result = result
    run = await stage.run(
        """
        steps:
          - {id: c, tool: last, needs: [a, b]}
          - {id: a, tool: first, needs: []}
          - {id: b, tool: second, needs: []}
        outputs: {all: "{{ steps.c }}"}
        """
    )
    assert stage.called[-1] == ("last", {})
    assert run.outputs == {"all": "last"}


@pytest.mark.parametrize(("answer", "said"), [("yes", "good"), ("no", "bad")])
async def test_a_condition_takes_one_way_and_says_that_the_other_is_skipped(
    stage: Stage, answer: str, said: str
) -> None:
    stage.result = lambda name, arguments: answer
    run = await stage.run(
        """
        steps:
          - {id: ask, tool: t}
          - id: fork
            if: "steps.ask.output == 'yes'"
            then: [{id: one, prompt: good, save_as: told}]
            else: [{id: two, prompt: bad, save_as: told}]
        """
    )
    assert stage.said == [said]
    assert [status for _, status in outcomes(run)].count("skipped") == 1
    assert run.outputs == {"told": f"answer to {said}"}
    skipped = [event for event in stage.heard if getattr(event, "status", "") == "skipped"]
    assert len(skipped) == 1
    assert not any(
        isinstance(event, WorkflowStepStarted) and event.step == skipped[0].step  # type: ignore[union-attr]
        for event in stage.heard
    )


async def test_a_condition_without_else_may_do_nothing(stage: Stage) -> None:
    run = await stage.run("steps: [{id: a, if: false, then: [{id: b, prompt: x}]}]")
    assert run.outputs == {"a": None}
    assert stage.said == []


async def test_what_was_skipped_is_not_defined(stage: Stage) -> None:
    fork = "{id: fork, if: false, then: [{id: maybe, prompt: x}]}"
    bad = await stage.run(f'steps: [{fork}, {{id: a, prompt: "{{{{ steps.maybe }}}}"}}]')
    assert "steps.id is defined" in bad.error
    expression = "{{ steps.maybe is defined }} {{ 'maybe' in steps }} {{ 'fork' in steps }}"
    await stage.run(f'steps: [{fork}, {{id: a, prompt: "{expression}"}}]')
    assert stage.said == ["False False True"]


async def test_a_loop_over_a_list_gives_a_list(stage: Stage) -> None:
    stage.result = lambda name, arguments: '{"files": ["a", "b"]}'
    run = await stage.run(
        """
        steps:
          - {id: list, tool: t}
          - id: each
            for_each: (steps.list.output | from_json).files
            as: file
            steps: [{id: one, prompt: "{{ round }}: {{ file }}"}]
        """
    )
    assert stage.said == ["1: a", "2: b"]
    assert run.outputs == {"each": ["answer to 1: a", "answer to 2: b"]}


async def test_a_loop_ends_when_its_condition_comes_true(stage: Stage) -> None:
    results = [FAILED, FAILED, "fine"]
    stage.result = lambda name, arguments: results.pop(0)
    run = await stage.run(
        """
        steps:
          - id: fix
            until: "steps.test.status == 'done'"
            max: 5
            steps: [{id: test, tool: t, on_error: continue}]
        """
    )
    assert run.status is RunStatus.DONE
    assert len(stage.called) == 3


async def test_a_loop_whose_condition_never_comes_true_fails_at_its_bound(stage: Stage) -> None:
    run = await stage.run('steps: [{id: a, until: "1 == 2", max: 3, steps: [{id: b, tool: t}]}]')
    assert len(stage.called) == 3
    assert "was not true after 3 rounds" in run.error


async def test_while_is_asked_before_each_round(stage: Stage) -> None:
    body = "steps: [{id: b, tool: t}]"
    none = await stage.run(f"steps: [{{id: a, while: false, {body}}}]")
    assert (none.outputs, stage.called) == ({"a": []}, [])
    await stage.run(f"steps: [{{id: a, while: round < 3, max: 2, {body}}}]")
    assert len(stage.called) == 2
    endless = await stage.run(f"steps: [{{id: a, while: true, max: 4, {body}}}]")
    assert "was still true after 4 rounds" in endless.error


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("range(11)", "more than 10 items"),
        ("'text'", "is no list"),
        ("5", "is no list"),
        ("steps.t", "is no list"),
        ("inputs.x.y", "fails"),
    ],
)
async def test_what_cannot_be_looped_over_fails_before_the_first_round(
    stage: Stage, expression: str, error: str
) -> None:
    run = await stage.run(
        f"""
        inputs: {{x: 1}}
        steps:
          - {{id: t, tool: t}}
          - {{id: a, for_each: "{expression}", max: 10, steps: [{{id: b, prompt: x}}]}}
        """
    )
    assert error in run.error
    assert stage.said == []


async def test_what_an_earlier_round_left_is_gone_when_the_step_is_skipped(stage: Stage) -> None:
    await stage.run(
        """
        steps:
          - id: rounds
            for_each: range(2)
            steps:
              - {id: first, if: round == 1, then: [{id: once, tool: t, save_as: kept}]}
              - {id: say, prompt: "{{ steps.once is defined }} {{ kept is defined }}"}
        """
    )
    assert stage.said == ["True True", "False False"]


async def test_the_failing_step_of_a_loop_names_itself_once(stage: Stage) -> None:
    stage.result = lambda name, arguments: FAILED
    run = await stage.run("steps: [{id: a, for_each: range(2), steps: [{id: b, tool: t}]}]")
    assert run.error.count("step '") == 1
    assert "step 'b'" in run.error


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ 1 / 0 }}",
        "{{ inputs.x | from_json }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ inputs.x.missing }}",
        "{{ inputs.list.append(1) }}",
    ],
)
async def test_a_template_that_fails_or_reaches_out_fails_its_step_alone(
    stage: Stage, prompt: str
) -> None:
    run = await stage.run(f'inputs: {{x: "{{", list: [1]}}\nsteps: [{{id: a, prompt: "{prompt}"}}]')
    assert run.status is RunStatus.FAILED
    assert "step 'a': The template fails" in run.error
    assert stage.said == []


async def test_an_output_that_fails_fails_the_run(stage: Stage) -> None:
    run = await stage.run('steps: [{id: a, tool: t}]\noutputs: {x: "{{ 1 / 0 }}"}')
    assert run.status is RunStatus.FAILED


async def test_a_cancelled_run_ends_its_steps_and_tells_so(stage: Stage) -> None:
    begun = asyncio.Event()

    async def result(name: str, arguments: JsonObject) -> str:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    stage.result = result
    task = asyncio.create_task(stage.run("steps: [{id: a, tool: t}]"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ended = stage.heard[-1]
    assert isinstance(ended, WorkflowStepEnded)
    assert ended.status == "cancelled"


async def test_no_more_tools_run_at_once_than_the_bound_allows(stage: Stage) -> None:
    running = most = 0

    async def tool(name: str, arguments: JsonObject) -> ToolResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return ToolResult("1", name)

    steps = tuple(ToolStep(id=f"s{number}", tool="t") for number in range(9))
    workflow = Workflow("w", (ParallelStep(id="all", steps=steps),))
    runner = WorkflowRunner(max_parallel=3)
    run = WorkflowRun("r", workflow, {}, stage.chat, tool, stage.heard.append)
    assert (await runner.run(run)).status is RunStatus.DONE
    assert most == 3


async def test_a_workflow_written_in_python_runs_like_one_in_yaml(stage: Stage) -> None:
    results = [FAILED, "fine"]
    stage.result = lambda name, arguments: results.pop(0)
    workflow = Workflow(
        "fix",
        (
            LoopStep(
                id="rounds",
                until="steps.test.status == 'done'",
                max_rounds=3,
                steps=(
                    ToolStep(
                        id="test",
                        tool="shell",
                        arguments={"command": "{{ inputs.command }}"},
                        on_error=OnError.CONTINUE,
                    ),
                    ConditionStep(
                        id="check",
                        condition="steps.test.status == 'failed'",
                        then=(PromptStep(id="fix", prompt="Fix it", retry=Retry(2)),),
                    ),
                ),
            ),
        ),
        inputs=(Input("command"),),
    )
    run = await stage.run(workflow, command="make test")
    assert run.status is RunStatus.DONE
    assert stage.said == ["Fix it"]
    assert stage.called == [("shell", {"command": "make test"})] * 2


async def test_a_thing_that_is_no_workflow_is_refused() -> None:
    with pytest.raises(WorkflowError, match="not a Workflow"):
        WorkflowRunner().check("steps: []")  # type: ignore[arg-type]
