"""What is wrong with a workflow, found before any of it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Final

from victor.errors import WorkflowError
from victor.workflow.model import (
    MAX_ROUNDS,
    ConditionStep,
    LoopStep,
    ParallelStep,
    PromptStep,
    Step,
    ToolStep,
    Workflow,
    blocks,
    chain,
    fan,
    walk,
)
from victor.workflow.templates import References, expression_references, references

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RESERVED: Final = frozenset({"inputs", "steps", "round"})


def check(workflow: Workflow) -> None:
    """Raise `WorkflowError` if the workflow cannot run as it stands, listing every reason."""
    problems = _Check(workflow).problems()
    if not problems:
        return
    listed = problems[0] if len(problems) == 1 else "\n- ".join(("", *problems))
    raise WorkflowError(f"Workflow {workflow.name!r} cannot run: {listed}")


@dataclass(frozen=True, slots=True)
class _Visible:
    """What a template may refer to where it stands."""

    steps: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def and_of(self, steps: tuple[Step, ...]) -> _Visible:
        inner = list(walk(steps))
        ids = {step.id for step in inner}
        return _Visible(self.steps | ids, self.names | {step.save_as for step in inner})


@dataclass(slots=True)
class _Check:
    workflow: Workflow
    found: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        steps = self.workflow.steps
        if not steps:
            return ["It has no steps."]
        self._unique()
        # References make sense only between steps that can be told apart.
        if not self.found:
            self._list(steps, chain(steps), _Visible())
            self._outputs()
        return self.found

    def _say(self, step: Step, problem: str) -> None:
        place = f"{self.workflow.source}:{step.line}, " if step.line else ""
        self.found.append(f"{place}step {step.id!r}: {problem}")

    def _unique(self) -> None:
        ids: set[str] = set()
        for step in walk(self.workflow.steps):
            if not _NAME.fullmatch(step.id):
                self._say(step, "An id is letters, digits and underscores.")
            if step.id in ids:
                self._say(step, "Another step has this id; give each its own.")
            ids.add(step.id)
        self._saved(self.workflow.steps, _RESERVED)

    def _saved(self, steps: tuple[Step, ...], taken: frozenset[str]) -> frozenset[str]:
        """Return the names taken after these steps; the two ways of a condition may share one."""
        for step in steps:
            if step.save_as and not _NAME.fullmatch(step.save_as):
                self._say(step, f"save_as {step.save_as!r} is not letters, digits, underscores.")
            if step.save_as in taken:
                self._say(step, f"The name {step.save_as!r} is taken; save it under another.")
            inner = [self._saved(block, taken) for block in blocks(step)]
            taken = taken.union(*inner, {step.save_as} if step.save_as else ())
        return taken

    def _list(
        self, steps: tuple[Step, ...], graph: dict[str, tuple[str, ...]], outer: _Visible
    ) -> None:
        by_id = {step.id: step for step in steps}
        for step in steps:
            for needed in graph[step.id]:
                if needed not in by_id:
                    siblings = ", ".join(name for name in by_id if name != step.id) or "none"
                    self._say(step, f"needs {needed!r} is not in its list. Others: {siblings}.")
                    return
        try:
            order = tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = " → ".join(error.args[1])
            self._say(by_id[error.args[1][0]], f"It waits for itself: {circle}. Cut one `needs`.")
            return
        before: dict[str, frozenset[str]] = {}
        for name in order:
            before[name] = frozenset(graph[name]).union(*(before[one] for one in graph[name]))
            done = tuple(step for step in steps if step.id in before[name])
            self._step(by_id[name], outer.and_of(done))

    def _step(self, step: Step, visible: _Visible) -> None:
        if blocks(step) and not any(blocks(step)):
            self._say(step, "It has no steps in it.")
        match step:
            case PromptStep():
                self._templates(step, [step.prompt], visible)
            case ToolStep():
                self._templates(step, list(_texts(step.arguments)), visible)
            case ParallelStep():
                self._list(step.steps, fan(step.steps), visible)
            case ConditionStep():
                self._refer(step, step.condition, visible, expression_references)
                for block in blocks(step):
                    self._list(block, chain(block), visible)
            case LoopStep():
                self._loop(step, visible)

    def _loop(self, step: LoopStep, outer: _Visible) -> None:
        if sum(map(bool, (step.for_each, step.while_, step.until))) != 1:
            self._say(step, "A loop has exactly one of for_each, while and until.")
        if not 1 <= step.max_rounds <= MAX_ROUNDS:
            self._say(step, f"max is {step.max_rounds}; it may be 1 to {MAX_ROUNDS}.")
        if not _NAME.fullmatch(step.item) or step.item in _RESERVED:
            self._say(step, f"An item cannot be called {step.item!r}.")
        inner = outer.and_of(step.steps)
        inner = _Visible(inner.steps, inner.names | {"round"})
        for condition in filter(None, (step.while_, step.until)):
            self._refer(step, condition, inner, expression_references)
        if step.for_each:
            self._refer(step, step.for_each, outer, expression_references)
            inner = _Visible(inner.steps, inner.names | {step.item})
        self._list(step.steps, chain(step.steps), inner)

    def _outputs(self) -> None:
        everything = _Visible().and_of(self.workflow.steps)
        for name, template in self.workflow.outputs.items():
            for problem in self._refused(template, everything, references):
                self.found.append(f"output {name!r}: {problem}")

    def _templates(self, step: Step, templates: list[str], visible: _Visible) -> None:
        for template in templates:
            self._refer(step, template, visible, references)

    def _refer(
        self, step: Step, text: str, visible: _Visible, read: Callable[[str], References]
    ) -> None:
        for problem in self._refused(text, visible, read):
            self._say(step, problem)

    def _refused(
        self, text: str, visible: _Visible, read: Callable[[str], References]
    ) -> Iterator[str]:
        try:
            found = read(text)
        except WorkflowError as error:
            yield str(error)
            return
        inputs = frozenset(one.name for one in self.workflow.inputs)
        for name in sorted(found.steps - visible.steps):
            yield f"steps.{name} has not run by then. Have run: {_listed(visible.steps)}."
        for name in sorted(found.inputs - inputs):
            yield f"There is no input {name!r}. Inputs: {_listed(inputs)}."
        for name in sorted(found.names - visible.names - {"steps", "inputs"}):
            yield f"Nothing is called {name!r} there. Names: {_listed(visible.names)}."


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(filter(None, names))) or "none"


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from _texts(one)
        case list() | tuple():
            for one in value:
                yield from _texts(one)
