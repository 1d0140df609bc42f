"""Workflows out of YAML, and what is told of the ill-formed ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.errors import WorkflowError
from victor.workflow.check import check
from victor.workflow.load import load, loads
from victor.workflow.model import (
    REQUIRED,
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

ROOT = Path(__file__).parents[3]


def test_every_kind_of_step_becomes_its_value() -> None:
    workflow = loads(
        """
        name: all
        description: of them
        inputs: {a: 1, b: {description: needed}, c: {default: x}}
        steps:
          - {id: ask, prompt: "Do {{ inputs.b }}", retry: 3, timeout: 5, save_as: told}
          - {id: call, tool: t, arguments: {x: [1]}, retry: {attempts: 2, wait: 1}, needs: ask}
          - {id: both, parallel: [{id: p, prompt: x}, {id: q, tool: t}], on_error: continue}
          - {id: way, if: told, then: [{id: yes, prompt: y}], else: [{id: no, prompt: n}]}
          - {id: each, for_each: "[1]", as: one, max: 7, steps: [{id: r, prompt: "{{ one }}"}]}
        outputs: {number: 5}
        """,
        source="all.yaml",
    )
    ask, call, both, way, each = workflow.steps
    assert isinstance(ask, PromptStep)
    assert (ask.retry, ask.timeout, ask.save_as, ask.line) == (Retry(3), 5.0, "told", 6)
    assert isinstance(call, ToolStep)
    assert (call.retry, call.needs, call.arguments) == (Retry(2, 1.0), ("ask",), {"x": [1]})
    assert isinstance(both, ParallelStep)
    assert (both.on_error, [step.id for step in both.steps]) == (OnError.CONTINUE, ["p", "q"])
    assert isinstance(way, ConditionStep)
    assert (way.condition, len(way.then), len(way.otherwise)) == ("told", 1, 1)
    assert isinstance(each, LoopStep)
    assert (each.for_each, each.item, each.max_rounds) == ("[1]", "one", 7)
    assert workflow.inputs == (Input("a", 1), Input("b", REQUIRED, "needed"), Input("c", "x"))
    assert (workflow.name, workflow.outputs) == ("all", {"number": "5"})


@pytest.mark.parametrize("path", sorted((ROOT / "examples/workflows").glob("*.yaml")), ids=str)
def test_the_examples_are_well_formed(path: Path) -> None:
    assert load(path).steps


def test_a_workflow_without_a_name_is_called_like_its_file(tmp_path: Path) -> None:
    path = tmp_path / "tidy.yaml"
    path.write_text("steps: [{id: a, prompt: x}]")
    assert load(path).name == "tidy"


def test_words_are_what_they_look_like() -> None:
    workflow = loads("inputs: {a: no, b: 2025-01-13, c: true}\nsteps: [{id: on, prompt: off}]")
    assert workflow.bind({}) == {"a": "no", "b": "2025-01-13", "c": True}
    assert workflow.steps[0].id == "on"


ILL_FORMED = {
    "not a mapping": ("[1, 2]", "must be a mapping"),
    "nothing": ("", "must be a mapping"),
    "broken yaml": ("steps: [\n- x", "flow.yaml:2"),
    "control characters": ("steps: \x00", "not YAML text"),
    "a tag that would run code": ("steps: !!python/object/apply:os.getcwd []", "flow.yaml:1"),
    "aliases": ("a: &a [1]\nb: *a", "aliases are not supported"),
    "a bare alias": ("*a", "aliases are not supported"),
    "a key twice": ("name: a\nname: b", "flow.yaml:2: the key 'name' is there twice"),
    "a key that is no text": ("1: a", "the key 1 is not text"),
    "an unknown key": ("step: []", "did you mean 'steps'"),
    "no steps": ("name: x", "no list of steps"),
    "empty steps": ("steps: []", "no list of steps"),
    "a step that is a text": ("steps: [x]", "A step must be a mapping"),
    "a step of no kind": ("steps: [{id: a}]", "exactly one of prompt, tool"),
    "a step of two kinds": ("steps: [{id: a, prompt: x, tool: t}]", "it has prompt and tool"),
    "no id": ("steps: [{prompt: x}]", "needs text under 'id'"),
    "an id that is a number": ("steps: [{id: 5, prompt: x}]", "needs text under 'id'"),
    "an empty prompt": ("steps: [{id: a, prompt: ' '}]", "needs text under 'prompt'"),
    "a misspelt key": ("steps: [{id: a, prompt: x, timout: 5}]", "did you mean 'timeout'"),
    "a key of another kind": ("steps: [{id: a, prompt: x, max: 5}]", "unknown key 'max'"),
    "a negative timeout": ("steps: [{id: a, prompt: x, timeout: -1}]", "at least 0"),
    "a timeout in words": ("steps: [{id: a, prompt: x, timeout: soon}]", "needs a number"),
    "no attempts": ("steps: [{id: a, prompt: x, retry: 0}]", "at least 1 under 'retry'"),
    "half an attempt": ("steps: [{id: a, prompt: x, retry: {attempts: 0.5}}]", "whole number"),
    "an unknown way on": ("steps: [{id: a, prompt: x, on_error: hope}]", "fail, continue"),
    "arguments in a list": ("steps: [{id: a, tool: t, arguments: [1]}]", "needs a mapping"),
    "needs in a mapping": ("steps: [{id: a, prompt: x, needs: {b: c}}]", "list of step ids"),
    "no parallel steps": ("steps: [{id: a, parallel: []}]", "no list of steps under 'parallel'"),
    "a loop without end": ("steps: [{id: a, steps: [{id: b, prompt: x}]}]", "exactly one of"),
    "a loop of two kinds": (
        "steps: [{id: a, while: x, until: y, steps: [{id: b, prompt: x}]}]",
        "exactly one of for_each, while and until",
    ),
    "too many rounds": (
        "steps: [{id: a, while: true, max: 1001, steps: [{id: b, prompt: x}]}]",
        "it may be 1 to 1000",
    ),
    "a reserved item": (
        "steps: [{id: a, for_each: '[1]', as: steps, steps: [{id: b, prompt: x}]}]",
        "cannot be called 'steps'",
    ),
    "an id with a dash": ("steps: [{id: a-b, prompt: x}]", "letters, digits and underscores"),
    "a name with a dash": ("steps: [{id: a, prompt: x, save_as: b-c}]", "save_as 'b-c'"),
    "an id twice": (
        "steps:\n- {id: a, prompt: x}\n- {id: b, parallel: [{id: a, prompt: x}]}",
        "flow.yaml:3, step 'a': Another step has this id",
    ),
    "a name twice": (
        "steps: [{id: a, prompt: x, save_as: n}, {id: b, prompt: x, save_as: n}]",
        "'n' is taken",
    ),
    "a reserved name": ("steps: [{id: a, prompt: x, save_as: inputs}]", "'inputs' is taken"),
    "an unknown need": (
        "steps: [{id: a, prompt: x}, {id: b, prompt: x, needs: [z]}]",
        "needs 'z' is not in its list. Others: a.",
    ),
    "a circle": (
        "steps: [{id: a, prompt: x, needs: [b]}, {id: b, prompt: x, needs: [a]}]",
        "waits for itself",
    ),
    "a step that needs itself": ("steps: [{id: a, prompt: x, needs: [a]}]", "a → a"),
    "an unknown step": ("steps: [{id: a, prompt: '{{ steps.b }}'}]", "steps.b has not run"),
    "an unknown step in brackets": (
        "steps: [{id: a, prompt: \"{{ steps['b'] }}\"}]",
        "steps.b has not run",
    ),
    "a later step": (
        "steps: [{id: a, prompt: '{{ steps.b }}'}, {id: b, prompt: x}]",
        "steps.b has not run by then. Have run: none",
    ),
    "a sibling that runs at the same time": (
        "steps: [{id: p, parallel: [{id: a, prompt: x}, {id: b, prompt: '{{ steps.a }}'}]}]",
        "steps.a has not run",
    ),
    "a step that is not waited for": (
        "steps: [{id: a, prompt: x}, {id: b, prompt: '{{ steps.a }}', needs: []}]",
        "steps.a has not run",
    ),
    "an unknown input": (
        "inputs: {x: 1}\nsteps: [{id: a, tool: t, arguments: {k: ['{{ inputs.y }}']}}]",
        "no input 'y'. Inputs: x",
    ),
    "an unknown name": ("steps: [{id: a, prompt: '{{ nobody }}'}]", "Nothing is called 'nobody'"),
    "an item outside of its loop": (
        "steps: [{id: a, for_each: '[item]', steps: [{id: b, prompt: x}]}]",
        "Nothing is called 'item'",
    ),
    "an unknown name in an output": (
        "steps: [{id: a, prompt: x}]\noutputs: {o: '{{ nobody }}'}",
        "output 'o': Nothing is called",
    ),
    "a broken template": ("steps: [{id: a, prompt: '{{ x'}]", "does not parse"),
    "an unknown filter": ("steps: [{id: a, prompt: '{{ 1 | shout }}'}]", "shout"),
    "a broken expression": (
        "steps: [{id: a, if: 'x ==', then: [{id: b, prompt: x}]}]",
        "does not parse",
    ),
    "braces in an expression": (
        "steps: [{id: a, if: '{{ true }}', then: [{id: b, prompt: x}]}]",
        "Write it without braces",
    ),
}


@pytest.mark.parametrize("case", ILL_FORMED)
def test_an_ill_formed_workflow_is_refused_with_the_reason(case: str) -> None:
    text, reason = ILL_FORMED[case]
    with pytest.raises(WorkflowError) as raised:
        loads(text, source="flow.yaml")
    assert reason in str(raised.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(WorkflowError) as raised:
        loads("steps: [{id: a, prompt: '{{ x }}'}, {id: b, prompt: '{{ y }}'}]")
    assert str(raised.value).count("\n- ") == 2


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(WorkflowError, match="nested too deeply"):
        loads("[" * 500)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match=r"absent\.yaml: No such file"):
        load(tmp_path / "absent.yaml")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(WorkflowError, match="larger than a megabyte"):
        load(path)


def test_a_workflow_made_in_python_is_checked_too() -> None:
    with pytest.raises(WorkflowError, match="no steps"):
        check(Workflow("w", ()))
    with pytest.raises(WorkflowError, match="step 'a': It has no steps in it"):
        check(Workflow("w", (ParallelStep(id="a", steps=()),)))


def test_inputs_are_bound_to_what_is_given_or_else_their_defaults() -> None:
    step = PromptStep(id="a", prompt="x")
    workflow = Workflow("w", (step,), inputs=(Input("needed"), Input("free", 5)))
    assert workflow.bind({"needed": "n"}) == {"needed": "n", "free": 5}
    with pytest.raises(WorkflowError, match="needs a value for needed"):
        workflow.bind({})
    with pytest.raises(WorkflowError, match=r"no input 'neded'\. Did you mean 'needed'"):
        workflow.bind({"neded": 1})
