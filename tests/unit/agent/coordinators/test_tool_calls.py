"""What the tool coordinator does beside running calls: time, memory, progress, going in circles."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from victor.agent.coordinators.tool_coordinator import ToolCoordinator
from victor.agent.tool_progress import ToolProgress
from victor.errors import ConfigError
from victor.events import Event, ToolCallProgressed, ToolCallStarted
from victor.messages import Effect, Image, JsonObject, ToolCall, ToolSpec
from victor.protocols import (
    Allow,
    Executed,
    IPureTool,
    IToolEffect,
    IToolTime,
    Mode,
    ToolEnvironment,
    ToolOutput,
)
from victor.tools import builtin_tools

pytestmark = pytest.mark.anyio


@dataclass
class Tool:
    name: str = "t"
    outputs: list[ToolOutput] = field(default_factory=list)
    runs: int = 0
    environment: ToolEnvironment | None = None

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, "", {"type": "object"}, Effect.EFFECTFUL)

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        return (environment.workspace / "x",)

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        self.runs += 1
        self.environment = environment
        return self.outputs.pop(0) if self.outputs else ToolOutput(f"run {self.runs}")


class Careful(Tool):
    def effect(self, arguments: JsonObject) -> Effect:
        return Effect(arguments["effect"])


class Patient(Tool):
    def most_seconds(self, arguments: JsonObject, environment: ToolEnvironment) -> float | None:
        seconds: float | None = arguments["seconds"]
        return seconds

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        await asyncio.sleep(arguments.get("sleep", 0))
        return ToolOutput("done")


class Pure(Careful):
    state: tuple[object, ...] | None = (1,)

    def effect(self, arguments: JsonObject) -> Effect:
        return Effect.READ_ONLY

    async def depends_on(
        self, arguments: JsonObject, environment: ToolEnvironment
    ) -> tuple[object, ...] | None:
        return self.state


def call(name: str = "t", number: int = 1, **arguments: Any) -> ToolCall:
    return ToolCall(f"c{number}", name, arguments)


async def run(
    tools: ToolCoordinator, *calls: ToolCall, events: list[Event] | None = None
) -> list[Executed]:
    emit = [].append if events is None else events.append
    verdicts = (Allow("yes"),) * len(calls)
    return [done async for done in tools.execute(calls, verdicts, Mode.BUILD, emit)]


def test_tools_may_say_more_of_their_calls() -> None:
    assert isinstance(Careful(), IToolEffect)
    assert isinstance(Patient(), IToolTime)
    assert isinstance(Pure(), IPureTool)
    assert isinstance(builtin_tools(".")[0], IPureTool)


def test_a_call_may_do_less_than_its_tool() -> None:
    tools = ToolCoordinator((Careful(),))
    reading, wild = call(effect="read_only"), call()
    assert [review.effect for review in tools.reviews((reading, wild))] == [
        Effect.READ_ONLY,
        Effect.EFFECTFUL,
    ]
    assert tools.paths((reading,)) == ()
    assert len(tools.paths((wild,))) == 1


async def test_a_call_may_take_its_own_time() -> None:
    tools = ToolCoordinator((Patient(), Tool("usual")), timeout=0.05)
    assert tools.most_seconds((call("usual"),)) == 0.05
    assert tools.most_seconds((call("usual"), call(seconds=9))) == 9
    assert tools.most_seconds((call("usual"), call(seconds=None))) is None
    assert tools.most_seconds((call(), call("unknown"))) == 0.05
    (done,) = await run(tools, call(seconds=None, sleep=0.1))
    assert done.result.content == "done"
    (done,) = await run(tools, call(seconds=0.01, sleep=5))
    assert "took longer than 0.01 s" in done.result.content


async def test_a_pure_read_runs_once_until_something_is_different() -> None:
    pure, other = Pure(), Tool("other")
    tools = ToolCoordinator((pure, other))
    for _ in range(2):
        assert (await run(tools, call(a=1)))[0].result.content == "run 1"
    assert (await run(tools, call(a=2)))[0].result.content == "run 2"
    pure.state = (2,)
    assert (await run(tools, call(a=1)))[0].result.content == "run 3"
    await run(tools, call("other"))
    assert (await run(tools, call(a=1)))[0].result.content == "run 4"
    pure.state = None
    for number in (5, 6):
        assert (await run(tools, call(a=1)))[0].result.content == f"run {number}"


@pytest.mark.parametrize(
    "output", [ToolOutput("no", is_error=True), ToolOutput("", images=(Image(b"", "image/png"),))]
)
async def test_failures_and_pictures_are_not_kept(output: ToolOutput) -> None:
    pure = Pure(outputs=[output])
    tools = ToolCoordinator((pure,))
    await run(tools, call())
    await run(tools, call())
    assert pure.runs == 2


async def test_a_file_that_others_changed_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one\n")
    os.utime(file, (1, 1))
    tools = ToolCoordinator(builtin_tools(tmp_path), tmp_path)
    assert "one" in (await run(tools, call("read", path="a")))[0].result.content
    file.write_text("two\n")
    os.utime(file, (1, 1))
    assert "two" in (await run(tools, call("read", path="a")))[0].result.content


async def test_the_same_call_with_the_same_result_is_told_and_then_ends_the_turn() -> None:
    tools = ToolCoordinator((Tool(outputs=[ToolOutput("same")] * 9),))
    tools.configure({"tool_repeat_limit": 4})
    told = []
    for _ in range(4):
        assert tools.stuck == ""
        (done,) = await run(tools, call())
        told.append("do something else" in done.result.content)
    assert told == [False, False, True, True]
    assert tools.stuck.startswith("t was called 4 times alike")
    tools.start_turn()
    assert tools.stuck == ""


async def test_calls_alike_in_one_reply_count_once() -> None:
    tools = ToolCoordinator((Tool(outputs=[ToolOutput("same")] * 9),))
    done = await run(tools, *(call(number=number) for number in range(8)))
    assert {one.result.content for one in done} == {"same"}


async def test_refused_calls_count_too_and_other_results_do_not() -> None:
    tools = ToolCoordinator((Tool(),))
    tools.configure({"tool_repeat_limit": 3})
    for _ in range(5):
        await run(tools, call())
    assert tools.stuck == ""
    for _ in range(3):
        await run(tools, call("unknown"))
    assert tools.stuck
    with pytest.raises(ConfigError, match="tool_repeat_limit"):
        tools.configure({"tool_repeat_limit": -1})


async def test_a_tool_is_told_which_call_it_runs_and_what_the_model_sees() -> None:
    tool = Tool()
    tools = ToolCoordinator((tool,))
    tools.start_turn(sees_images=True)
    await run(tools, call())
    assert tool.environment is not None
    assert (tool.environment.call_id, tool.environment.sees_images) == ("c1", True)


async def test_what_a_tool_tells_is_published_at_a_rate_to_follow() -> None:
    class Talking(Tool):
        async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
            for number in range(1_000):
                environment.progress(f"{number} of 1000")
            environment.emit(ToolCallStarted(call("inner")))
            return ToolOutput("done")

    events: list[Event] = []
    await run(ToolCoordinator((Talking(),)), call(), events=events)
    assert events == [
        ToolCallStarted(call()),
        ToolCallProgressed(call(), "0 of 1000"),
        ToolCallStarted(call("inner")),
    ]


async def test_the_latest_line_is_told_when_its_time_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("victor.agent.tool_progress.INTERVAL_SECONDS", 0)
    events: list[Event] = []
    told = asyncio.Event()

    def emit(event: Event) -> None:
        events.append(event)
        told.set()

    progress = ToolProgress(call(), emit)
    progress.say("one")
    told.clear()
    progress.say("two")
    progress.say("x" * 900)
    await asyncio.wait_for(told.wait(), 5)
    told.clear()
    monkeypatch.setattr("victor.agent.tool_progress.INTERVAL_SECONDS", 60)
    progress.say("three")
    await asyncio.wait_for(told.wait(), 5)
    progress.say("never told")
    progress.end()
    progress.say("too late")
    assert [event.line for event in events if isinstance(event, ToolCallProgressed)] == [
        "one",
        "x" * 500,
        "three",
    ]
