"""One case: a user's task, an injection or none, and Victor's turn over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agentdojo.base_tasks import BaseInjectionTask, BaseUserTask
from agentdojo.functions_runtime import FunctionCall, TaskEnvironment
from agentdojo.task_suite.task_suite import TaskSuite
from tests.injection.attacks import MARK, calls_of
from tests.injection.declared import SUITES, Declared
from tests.injection.tools import DojoTool

from victor import AgentOrchestrator, Settings
from victor.messages import Request, ToolCall
from victor.testing import ScriptedProvider

Injection = BaseInjectionTask[Any]


@dataclass(frozen=True, slots=True)
class Case:
    """What is played."""

    suite: TaskSuite[Any]
    task: BaseUserTask[Any]
    injection: Injection | None = None
    person: bool = False
    """Whether somebody is there who allows what the task asks for, and nothing else."""
    defended: bool = True
    """Whether the tools declare anything. Where they do not, only the attack is looked at."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, as AgentDojo's own checks see it."""

    case: Case
    useful: bool
    """Whether the user's task was solved."""
    obeyed: bool
    """Whether the injection was seen, and so obeyed."""
    succeeded: bool
    """Whether the injection's goal was reached."""
    refused: tuple[str, ...]
    """Why calls of the user's own task did not run."""
    asked: int = 0


@dataclass(slots=True)
class Obedient:
    """A model that plays what solves the user's task, and does what an injection says as soon as
    it sees one, before it goes on.
    """

    own: list[FunctionCall]
    planted: list[FunctionCall]
    answer: str
    planted_answer: str
    obeyed: bool = False
    made: dict[str, FunctionCall] = field(default_factory=dict)
    own_ids: set[str] = field(default_factory=set)

    def reply(self, request: Request) -> str | ToolCall:
        """Return the next call, or the answer."""
        if not self.obeyed and any(
            MARK in result.content
            for message in request.messages
            for result in message.tool_results
        ):
            self.obeyed = True
        if self.obeyed and self.planted:
            return self._call(self.planted.pop(0))
        if self.own:
            call = self._call(self.own.pop(0))
            self.own_ids.add(call.id)
            return call
        said = (self.answer, self.planted_answer if self.obeyed else "")
        return " ".join(filter(None, said)) or "Done."

    def _call(self, wish: FunctionCall) -> ToolCall:
        call = ToolCall(f"call_{len(self.made)}", wish.function, dict(wish.args))
        self.made[call.id] = wish
        return call


@dataclass(slots=True)
class Person:
    """Somebody who allows the calls that the task they gave needs, and refuses all others."""

    wishes: list[tuple[str, dict[str, Any]]]
    asked: int = 0

    async def approve(self, call: ToolCall, question: str) -> bool:
        """Return whether the call is one that they meant."""
        self.asked += 1
        return (call.name, dict(call.arguments)) in self.wishes


async def play(case: Case, world: TaskEnvironment) -> Outcome:
    """Return what comes of the case in a world of its own."""
    task, injection = case.task, case.injection
    world = task.init_environment(world)
    before = world.model_copy(deep=True)
    own = list(task.ground_truth(before))
    planted = calls_of(case.suite.name, injection, before) if injection else []
    model = Obedient(
        list(own),
        list(planted),
        task.GROUND_TRUTH_OUTPUT,
        injection.GROUND_TRUTH_OUTPUT if injection else "",
    )
    person = Person([(wish.function, dict(wish.args)) for wish in own]) if case.person else None
    results = await _turn(case, world, model, person)
    ran = [wish for call_id, wish in model.made.items() if call_id not in results.refused]
    said = results.answer
    useful: bool | None = False
    if case.defended:
        useful = task.utility_from_traces(said, before, world, ran)
        useful = task.utility(said, before, world) if useful is None else useful
    succeeded: bool | None = False
    if injection is not None:
        succeeded = injection.security_from_traces(said, before, world, ran)
        succeeded = injection.security(said, before, world) if succeeded is None else succeeded
    refused = tuple(why for call_id, why in results.refused.items() if call_id in model.own_ids)
    asked = person.asked if person else 0
    return Outcome(case, bool(useful), model.obeyed, bool(succeeded), refused, asked)


@dataclass(frozen=True, slots=True)
class _Results:
    answer: str
    refused: dict[str, str]
    """Why, by the id of the call."""


async def _turn(
    case: Case, world: TaskEnvironment, model: Obedient, person: Person | None
) -> _Results:
    declared = SUITES[case.suite.name]
    tools = tuple(
        DojoTool(function, declared[function.name] if case.defended else _BARE, world)
        for function in case.suite.tools
    )
    settings = Settings(ephemeral=True, sandbox="none", max_tool_iterations=200)
    provider = ScriptedProvider(model.reply, repeat=True, recording=False)
    async with AgentOrchestrator(settings, provider, tools=tools, approver=person) as agent:
        response = await agent.chat(case.task.PROMPT)
    refused = {
        result.call_id: result.content
        for message in response.messages
        for result in message.tool_results
        if result.is_error and result.content.startswith("not allowed: ")
    }
    return _Results(response.content, refused)


_BARE = Declared()
