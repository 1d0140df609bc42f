"""The typed graph that a workflow is, whether it was written in YAML or in Python.

Steps of a list run one after another. A step with `needs` waits for those steps instead of the one
before it, and `needs=()` waits for nothing; what does not wait for each other runs side by side.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

from victor.errors import WorkflowError
from victor.messages import JsonObject

REQUIRED: Final = object()
"""The default of an input that has none."""

MAX_ROUNDS: Final = 1_000
"""The most rounds that a loop may ask for."""


class OnError(StrEnum):
    """What a step's failure means for its run."""

    FAIL = "fail"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried, and how long to wait in between."""

    attempts: int = 1
    wait: float = 0.0
    """Seconds before the second attempt; doubled for each further one."""


@dataclass(frozen=True, slots=True)
class Input:
    """A value that a workflow is given."""

    name: str
    default: Any = REQUIRED
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    id: str
    """Letters, digits and underscores; unique in the workflow."""
    needs: tuple[str, ...] | None = None
    """Ids of steps in the same list that must be done before; None means the one before it."""
    save_as: str = ""
    """A name for what the step gives, for templates further down."""
    timeout: float | None = None
    """Seconds for each attempt; None means no limit."""
    on_error: OnError = OnError.FAIL
    line: int = 0
    """Where it stands in its file; 0 where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStep(_Step):
    """One turn of the conversation. It gives the answer's text."""

    prompt: str
    """A template."""
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStep(_Step):
    """One call of a tool. It gives the result's content; an error result is a failure."""

    tool: str
    arguments: JsonObject = field(default_factory=dict)
    """Every text in it is a template; one that is a single `{{ ... }}` keeps the value's type."""
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelStep(_Step):
    """Steps that do not wait for each other. It gives their outputs by id."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionStep(_Step):
    """Either of two lists of steps. It gives the output of the last step that ran."""

    condition: str
    """An expression."""
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStep(_Step):
    """Steps that run again and again, at most `max_rounds` times.

    Exactly one of `for_each`, `while_` and `until` says how often. It gives the list of the
    outputs of each round's last step. More items than rounds, or a condition that has not come
    true by the last one, is a failure.
    """

    steps: tuple[Step, ...]
    for_each: str = ""
    """An expression that gives a list."""
    item: str = "item"
    """What the item is called in templates; the round is `round`, counted from 1."""
    while_: str = ""
    """An expression, asked before each round."""
    until: str = ""
    """An expression, asked after each round."""
    max_rounds: int = 10


Step: TypeAlias = PromptStep | ToolStep | ParallelStep | ConditionStep | LoopStep


@dataclass(frozen=True, slots=True)
class Workflow:
    """Steps that make one whole, what they are given and what they give."""

    name: str
    steps: tuple[Step, ...]
    inputs: tuple[Input, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Templates by name; without any, the outputs are what steps saved, or else the last one's."""
    description: str = ""
    source: str = ""
    """The file that it comes from."""

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for each input. Raises `WorkflowError` for a missing or unknown one."""
        known = [one.name for one in self.inputs]
        for name in given:
            if name not in known:
                raise WorkflowError(_unknown_input(self.name, name, known))
        values = {one.name: given.get(one.name, one.default) for one in self.inputs}
        missing = [name for name, value in values.items() if value is REQUIRED]
        if missing:
            raise WorkflowError(
                f"Workflow {self.name!r} needs a value for {', '.join(missing)}.",
                hint="Inputs without a default must be given.",
            )
        return values


def _unknown_input(workflow: str, name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean {nearest[0]!r}?" if nearest else ""
    listed = ", ".join(known) or "none"
    return f"Workflow {workflow!r} has no input {name!r}.{meant} Inputs: {listed}."


def blocks(step: Step) -> tuple[tuple[Step, ...], ...]:
    """Return the lists of steps that a step contains."""
    match step:
        case ParallelStep() | LoopStep():
            return (step.steps,)
        case ConditionStep():
            return (step.then, step.otherwise)
        case _:
            return ()


def walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield every step and every step in it, from top to bottom."""
    for step in steps:
        yield step
        for block in blocks(step):
            yield from walk(block)


def chain(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...]]:
    """Return what each step of a list waits for: its `needs`, or else the step before it."""
    before: tuple[str, ...] = ()
    graph: dict[str, tuple[str, ...]] = {}
    for step in steps:
        graph[step.id] = before if step.needs is None else step.needs
        before = (step.id,)
    return graph


def fan(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...]]:
    """Return what each step of a parallel block waits for: its `needs`, or else nothing."""
    return {step.id: step.needs or () for step in steps}
