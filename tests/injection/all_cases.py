"""All of AgentDojo's tasks and injections, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
from agentdojo.base_tasks import BaseUserTask
from agentdojo.functions_runtime import FunctionsRuntime, TaskEnvironment
from agentdojo.task_suite.load_suites import get_suites
from agentdojo.task_suite.task_suite import TaskSuite
from tests.injection.attacks import calls_of, injection
from tests.injection.played import Case, Injection, Outcome, play

VERSION = "v1.2.2"
"""AgentDojo's newest set of tasks."""


@dataclass(slots=True)
class Findings:
    """What came of one suite."""

    name: str
    calm: list[Outcome] = field(default_factory=list)
    """The user's tasks, without an attack and without anybody to ask."""
    attended: list[Outcome] = field(default_factory=list)
    """The same with a person."""
    attacked: list[Outcome] = field(default_factory=list)
    """Each task with each injection that calls tools; nobody to ask."""
    bare: list[Outcome] = field(default_factory=list)
    """The same with tools that declare nothing, to see that the attacks are real."""
    words: int = 0
    """How many attacks only want words in the answer, which no rule on calls can see."""


async def run(tell: Callable[[str], None]) -> list[Findings]:
    """Return the findings of each suite; `tell` hears of which one it is at."""
    return [await _suite(suite, tell) for suite in get_suites(VERSION).values()]


async def _suite(suite: TaskSuite[Any], tell: Callable[[str], None]) -> Findings:
    findings = Findings(suite.name)
    world = suite.load_and_inject_default_environment({})
    tasks = list(suite.user_tasks.values())
    for number, task in enumerate(tasks, 1):
        tell(f"{suite.name}: task {number} of {len(tasks)}")
        for person, into in ((False, findings.calm), (True, findings.attended)):
            into.append(await play(Case(suite, task, person=person), _copy(world)))
    worlds = _Worlds(suite)
    for number, task in enumerate(tasks, 1):
        tell(f"{suite.name}: attacks on task {number} of {len(tasks)}")
        for planted in suite.injection_tasks.values():
            if not calls_of(suite.name, planted, _copy(world)):
                findings.words += 1
                continue
            poisoned = worlds.poisoned(task, planted)
            for defended, into in ((True, findings.attacked), (False, findings.bare)):
                case = Case(suite, task, planted, defended=defended)
                into.append(await play(case, _copy(poisoned)))
    return findings


class _Worlds:
    """Worlds of a suite with an injection in every place that a task makes a model read."""

    def __init__(self, suite: TaskSuite[Any]) -> None:
        self._suite = suite
        self._marks = {name: f"<{name}>" for name in suite.get_injection_vector_defaults()}
        self._marked = suite.load_and_inject_default_environment(self._marks)
        self._made: dict[tuple[str, ...], TaskEnvironment] = {}

    def poisoned(self, task: BaseUserTask[Any], planted: Injection) -> TaskEnvironment:
        """Return the world; it is shared, so that it has to be copied."""
        places = tuple(self._places(task))
        key = (planted.ID, *places)
        if key not in self._made:
            texts = dict.fromkeys(places, injection(planted.GOAL))
            self._made[key] = self._suite.load_and_inject_default_environment(texts)
        return self._made[key]

    def _places(self, task: BaseUserTask[Any]) -> Iterator[str]:
        runtime = FunctionsRuntime(self._suite.tools)
        world = task.init_environment(_copy(self._marked))
        messages = GroundTruthPipeline(task).query(task.PROMPT, runtime, world)[3]
        read = str([message["content"] for message in messages])
        return (name for name, mark in self._marks.items() if mark in read)


def _copy(world: Any) -> Any:
    return world.model_copy(deep=True)
