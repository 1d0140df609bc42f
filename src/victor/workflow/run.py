"""The run of a workflow: what may go side by side does, and every step tells how it came out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from graphlib import TopologicalSorter
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from victor.errors import VictorError, WorkflowError
from victor.events import WorkflowStepEnded, WorkflowStepStarted
from victor.messages import JsonObject
from victor.protocols.workflow import (
    IWorkflow,
    RunStatus,
    RunTurn,
    StepOutcome,
    WorkflowResult,
    WorkflowRun,
)
from victor.workflow.check import check
from victor.workflow.model import (
    ConditionStep,
    LoopStep,
    OnError,
    ParallelStep,
    PromptStep,
    Step,
    ToolStep,
    Workflow,
    chain,
    fan,
    walk,
)
from victor.workflow.own_words import own_words
from victor.workflow.templates import Namespace, StepView, evaluate, fill, is_true, render

_T = TypeVar("_T")

_GRACE: Final = 5.0
"""Seconds that cancelled steps are given to end before they are left behind."""

_SHOWN: Final = 500
"""Characters of a tool's error that become part of the step's."""

_Sleep: TypeAlias = Callable[[float], Awaitable[None]]


class WorkflowRunner:
    """Runs workflows made of the steps of `victor.workflow.model`.

    At most `max_parallel` tools of a run go at the same time. Prompts take turns on the one
    conversation; with `fork`, each branch of a parallel step has a conversation of its own, which
    ends with the branch.
    """

    def __init__(
        self,
        *,
        max_parallel: int = 8,
        clock: Callable[[], float] = time.perf_counter,
        sleep: _Sleep = asyncio.sleep,
    ) -> None:
        self._max_parallel = max_parallel
        self._clock = clock
        self._sleep = sleep

    def check(self, workflow: IWorkflow) -> None:
        """Raise `WorkflowError` if the workflow cannot run, listing all that is wrong with it."""
        check(_own(workflow))

    async def run(self, run: WorkflowRun) -> WorkflowResult:
        """Return what became of it; a failing step is a result with status `failed`.

        Anything but a `VictorError` that a chat or tool raises passes through.
        """
        workflow = _own(run.workflow)
        state = _Run(run, asyncio.Semaphore(self._max_parallel), self._clock, self._sleep)
        began = self._clock()
        status, error, outputs = RunStatus.DONE, "", {}
        try:
            for words in own_words(workflow, run.inputs):
                run.hear(words)
            scope = _Scope(_Chat(run.chat))
            last = await state.graph(workflow.steps, chain(workflow.steps), scope, state.step)
            outputs = state.outputs(workflow, last)
        except WorkflowError as failure:
            status, error = RunStatus.FAILED, str(failure)
        return WorkflowResult(
            run_id=run.id,
            workflow=workflow.name,
            status=status,
            outputs=outputs,
            steps=tuple(state.outcomes),
            seconds=self._clock() - began,
            error=error,
        )


def _own(workflow: IWorkflow) -> Workflow:
    if not isinstance(workflow, Workflow):
        raise WorkflowError(
            f"{workflow!r:.80} is not a Workflow.", hint="Make one, or load it from a YAML file."
        )
    return workflow


@dataclass(frozen=True, slots=True)
class _Chat:
    """A conversation, and whose turn it is."""

    turn: RunTurn
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What the steps of a block share: their conversation, and the names of the loops around."""

    chat: _Chat
    names: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """One run: what its steps have given so far."""

    run: WorkflowRun
    tools: asyncio.Semaphore
    clock: Callable[[], float]
    sleep: _Sleep
    outcomes: list[StepOutcome] = field(default_factory=list)
    views: dict[str, StepView] = field(default_factory=dict)
    saved: dict[str, Any] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    async def graph(
        self,
        steps: tuple[Step, ...],
        waits_for: Mapping[str, tuple[str, ...]],
        scope: _Scope,
        start: Callable[[Step, _Scope], Awaitable[None]],
    ) -> Any:
        """Start each step when what it waits for is done; return the output of the last one."""
        by_id = {step.id: step for step in steps}
        sorter = TopologicalSorter(waits_for)
        sorter.prepare()
        running: dict[asyncio.Task[None], str] = {}
        try:
            while sorter.is_active():
                for name in sorter.get_ready():
                    running[asyncio.ensure_future(start(by_id[name], scope))] = name
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                    sorter.done(running.pop(task))
        finally:
            await _stop(tuple(running))
        return self.views[steps[-1].id].output if steps else None

    async def step(self, step: Step, scope: _Scope) -> None:
        """Run one step, and report what became of it. Raises `WorkflowError` if it failed."""
        self.run.emit(WorkflowStepStarted(self.run.id, step.id))
        began = self.clock()
        self.attempts[step.id] = 1
        status, output, error = RunStatus.FAILED, None, ""
        try:
            output = await self.act(step, scope)
            status = RunStatus.DONE
        except WorkflowError as failure:
            error = str(failure)
            # A block fails with the error of the step in it, whose output is not the block's.
            output = failure.result if failure.step == step.id else None
            if step.on_error is not OnError.CONTINUE:
                raise
        except asyncio.CancelledError:
            status = RunStatus.CANCELLED
            raise
        finally:
            seconds, attempts = self.clock() - began, self.attempts[step.id]
            self.keep(step, StepOutcome(step.id, status, output, seconds, attempts, error))

    def keep(self, step: Step, outcome: StepOutcome) -> None:
        """Note what became of a step, where templates and observers find it."""
        status = str(outcome.status)
        self.outcomes.append(outcome)
        self.views[step.id] = StepView(outcome.output, status, outcome.error)
        if step.save_as:
            self.saved[step.save_as] = outcome.output
        self.run.emit(
            WorkflowStepEnded(self.run.id, step.id, status, outcome.seconds, outcome.error)
        )

    def skip(self, steps: tuple[Step, ...]) -> None:
        """Note that steps do not run; what an earlier round left of them is gone."""
        for step in walk(steps):
            self.keep(step, StepOutcome(step.id, RunStatus.SKIPPED))
            del self.views[step.id]
            self.saved.pop(step.save_as, None)

    async def act(self, step: Step, scope: _Scope) -> Any:
        """Return what the step gives. Raises `WorkflowError` that names the step."""
        try:
            match step:
                case PromptStep():
                    return await self.prompt(step, scope)
                case ToolStep():
                    return await self.tool(step, scope)
                case ParallelStep():
                    return await _timed(self.parallel(step, scope), step)
                case ConditionStep():
                    return await _timed(self.condition(step, scope), step)
                case LoopStep():
                    return await _timed(self.loop(step, scope), step)
        except VictorError as error:
            if isinstance(error, WorkflowError) and error.step:
                raise
            result = error.result if isinstance(error, WorkflowError) else None
            place = f"{self.place()}{step.line}, " if step.line else ""
            raise WorkflowError(
                f"{place}step {step.id!r}: {error}", step=step.id, result=result
            ) from error

    def place(self) -> str:
        workflow = _own(self.run.workflow)
        return f"{workflow.source}:"

    async def prompt(self, step: PromptStep, scope: _Scope) -> str:
        text = render(step.prompt, self.names(scope))
        return await self.insist(step, partial(self.ask, step, text, scope.chat))

    async def ask(self, step: PromptStep, text: str, chat: _Chat) -> str:
        async with chat.lock:
            response = await _timed(chat.turn(text), step)
        return response.content

    async def tool(self, step: ToolStep, scope: _Scope) -> str:
        arguments = fill(step.arguments, self.names(scope))
        return await self.insist(step, partial(self.call, step, arguments))

    async def call(self, step: ToolStep, arguments: JsonObject) -> str:
        async with self.tools:
            result = await _timed(self.run.tool(step.tool, arguments), step)
        if result.is_error:
            shown = result.content[:_SHOWN]
            raise WorkflowError(f"{step.tool} failed: {shown}", result=result.content)
        return result.content

    async def insist(self, step: PromptStep | ToolStep, once: Callable[[], Awaitable[_T]]) -> _T:
        """Return what `once` gives, trying again as often as the step says."""
        wait = step.retry.wait
        for attempt in range(1, step.retry.attempts):
            self.attempts[step.id] = attempt
            try:
                return await once()
            except VictorError:
                await self.sleep(wait)
                wait *= 2
        self.attempts[step.id] = max(step.retry.attempts, 1)
        return await once()

    async def parallel(self, step: ParallelStep, scope: _Scope) -> dict[str, Any]:
        await self.graph(step.steps, fan(step.steps), scope, self.branch)
        return {one.id: self.views[one.id].output for one in step.steps}

    async def branch(self, step: Step, scope: _Scope) -> None:
        """Run one of several parallel steps, on a conversation of its own if there can be one."""
        fork = self.run.fork
        if fork is None or not any(isinstance(one, PromptStep) for one in walk((step,))):
            await self.step(step, scope)
            return
        async with fork() as turn:
            await self.step(step, replace(scope, chat=_Chat(turn)))

    async def condition(self, step: ConditionStep, scope: _Scope) -> Any:
        taken, other = step.then, step.otherwise
        if not is_true(step.condition, self.names(scope)):
            taken, other = other, taken
        self.skip(other)
        return await self.graph(taken, chain(taken), scope, self.step)

    async def loop(self, step: LoopStep, scope: _Scope) -> list[Any]:
        graph = chain(step.steps)
        return [
            await self.graph(step.steps, graph, inner, self.step)
            for inner in self.rounds(step, scope)
        ]

    def rounds(self, step: LoopStep, scope: _Scope) -> Iterator[_Scope]:
        """Yield the scope of each round. Raises `WorkflowError` when there would be too many."""
        items = self.items(step, scope) if step.for_each else []
        for number in range(1, step.max_rounds + 1):
            inner = replace(scope, names={**scope.names, "round": number})
            if step.for_each:
                if number > len(items):
                    return
                inner = replace(inner, names={**inner.names, step.item: items[number - 1]})
            if step.while_ and not is_true(step.while_, self.names(inner)):
                return
            yield inner
            if step.until and is_true(step.until, self.names(inner)):
                return
        if step.until:
            raise WorkflowError(f"{step.until!r} was not true after {step.max_rounds} rounds.")
        if step.while_ and is_true(step.while_, self.names(inner)):
            raise WorkflowError(f"{step.while_!r} was still true after {step.max_rounds} rounds.")

    def items(self, step: LoopStep, scope: _Scope) -> list[Any]:
        value = evaluate(step.for_each, self.names(scope))
        value = value.output if isinstance(value, StepView) else value
        try:
            found = list(islice(value, step.max_rounds + 1))
        except TypeError:
            found = None
        if found is None or isinstance(value, str):
            raise WorkflowError(
                f"{step.for_each!r} gives {value!r:.60}, which is no list.",
                hint="Text becomes one by `| from_json` or `.splitlines()`.",
            )
        if len(found) > step.max_rounds:
            raise WorkflowError(
                f"{step.for_each!r} gives more than {step.max_rounds} items.",
                hint="Raise the step's `max`, or shorten the list.",
            )
        return found

    def names(self, scope: _Scope) -> dict[str, Any]:
        """Return what templates may refer to."""
        own = {"inputs": Namespace(self.run.inputs), "steps": Namespace(self.views)}
        return {**own, **self.saved, **scope.names}

    def outputs(self, workflow: Workflow, last: Any) -> dict[str, Any]:
        """Return what the workflow gives, once its steps are done."""
        names = self.names(_Scope(_Chat(self.run.chat)))
        if workflow.outputs:
            return {name: fill(template, names) for name, template in workflow.outputs.items()}
        return dict(self.saved) or {workflow.steps[-1].id: last}


async def _timed(work: Awaitable[_T], step: Step) -> _T:
    limit = asyncio.timeout(step.timeout)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise WorkflowError(f"It took longer than {step.timeout:g} s.") from None


async def _stop(tasks: tuple[asyncio.Task[None], ...]) -> None:
    if not tasks:
        return
    for task in tasks:
        task.cancel()
        # What a cancelled step still raises is not this run's failure any more.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    await asyncio.wait(tasks, timeout=_GRACE)
