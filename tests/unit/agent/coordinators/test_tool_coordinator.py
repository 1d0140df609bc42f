from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from victor.agent import tool_runs
from victor.agent.coordinators.tool_coordinator import ToolCoordinator
from victor.errors import ConfigError, ProviderUnavailable, ToolError
from victor.events import Event, ToolCallStarted
from victor.messages import Effect, JsonObject, ToolCall, ToolSpec
from victor.protocols import (
    Access,
    Allow,
    Ask,
    CallReview,
    Deny,
    Executed,
    Mode,
    ToolEnvironment,
    ToolOutput,
    Verdict,
)
from victor.tokens import of_text

pytestmark = pytest.mark.anyio

YES = Allow("yes")
Work = Callable[[JsonObject, ToolEnvironment], Awaitable[Any]]


async def _nothing(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
    return ToolOutput("ok")


@dataclass
class PlainTool:
    """A tool of any behaviour, told apart by its name."""

    name: str
    work: Work = _nothing
    effect: Effect = Effect.READ_ONLY
    changes: tuple[str, ...] = ()
    runs: int = field(default=0, init=False)

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, "", {"type": "object"}, self.effect)

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        return tuple(environment.workspace / change for change in self.changes)

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> Any:
        self.runs += 1
        return await self.work(arguments, environment)


class TellingTool(PlainTool):
    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        return Access(command=arguments["command"])


class SilentTool(PlainTool):
    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        raise KeyError("path")


def call(name: str, number: int = 1, **arguments: Any) -> ToolCall:
    return ToolCall(f"c{number}", name, arguments)


async def executed(
    tools: ToolCoordinator,
    *calls: ToolCall,
    verdicts: tuple[Verdict, ...] | None = None,
    mode: Mode = Mode.BUILD,
    events: list[Event] | None = None,
) -> list[Executed]:
    emit = [].append if events is None else events.append
    verdicts = verdicts or (YES,) * len(calls)
    return [done async for done in tools.execute(calls, verdicts, mode, emit)]


async def result_of(tool: PlainTool, **options: Any) -> Executed:
    (done,) = await executed(ToolCoordinator((tool,), **options), call(tool.name))
    return done


async def test_a_call_runs_and_is_announced_before() -> None:
    events: list[Event] = []

    async def work(arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        assert events == [ToolCallStarted(call("t", a=1))]
        return ToolOutput(f"got {arguments['a']}", "shown")

    (done,) = await executed(
        ToolCoordinator((PlainTool("t", work),)), call("t", a=1), events=events
    )
    assert done.call == call("t", a=1)
    assert (done.result.call_id, done.result.content, done.result.is_error) == (
        "c1",
        "got 1",
        False,
    )
    assert done.display == "shown"
    assert done.seconds >= 0


@pytest.mark.parametrize(
    ("made", "verdict", "told"),
    [
        (call("unknown"), YES, "There is no tool 'unknown'. The tools are: t, u."),
        (call("unknown"), Deny("never"), "There is no tool 'unknown'. The tools are: t, u."),
        (ToolCall("c1", "t", {}, invalid='{"a": '), YES, 'What arrived: {"a": '),
        (ToolCall("c1", "t", {}, invalid="x" * 999), YES, "x ... x"),
        (call("t"), Deny("rule deny t"), "not allowed: rule deny t"),
        (call("t"), Ask("sure?", "it writes"), "not allowed: it writes"),
        (call("t", bad=1), YES, "bad is bad. Nothing ran."),
    ],
)
async def test_what_must_not_run_has_an_error_result(
    made: ToolCall, verdict: Verdict, told: str
) -> None:
    def fit(_spec: ToolSpec, arguments: JsonObject) -> JsonObject:
        if "bad" in arguments:
            raise ToolError("bad is bad.")
        return arguments

    tool = PlainTool("t")
    events: list[Event] = []
    tools = ToolCoordinator((tool, PlainTool("u")), fit_arguments=fit)
    (done,) = await executed(tools, made, verdicts=(verdict,), events=events)
    assert done.result.is_error
    assert told in done.result.content
    assert (tool.runs, events) == (0, [])


async def test_a_coordinator_without_tools_says_so() -> None:
    (done,) = await executed(ToolCoordinator(), call("t"))
    assert done.result.content.endswith("The tools are: none.")


def _raising(error: BaseException) -> Work:
    async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ToolError("No such file. Try list."), "No such file. Try list."),
        (ValueError("odd"), "t failed: ValueError: odd"),
        (FileNotFoundError(2, "gone"), "t failed: FileNotFoundError: [Errno 2] gone"),
        (SystemExit(1), "t failed: SystemExit: 1"),
        (asyncio.CancelledError("stray"), "t failed: CancelledError: stray"),
        (RecursionError("deep"), "t failed: RecursionError: deep"),
    ],
)
async def test_a_tool_that_raises_gives_an_error_result(error: BaseException, told: str) -> None:
    done = await result_of(PlainTool("t", _raising(error)))
    assert done.result.is_error
    assert done.result.content == told


async def test_a_tool_that_cancels_itself_hurts_only_itself() -> None:
    async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return ToolOutput("never")

    tools = ToolCoordinator((PlainTool("t", work), PlainTool("u")))
    done = {d.call.name: d for d in await executed(tools, call("t"), call("u", 2))}
    assert "cancelled itself" in done["t"].result.content
    assert done["u"].result.content == "ok"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (ToolOutput("", is_error=True), "Failed."),
        (ToolOutput(""), "Done."),
        (b"caf\xe9", "caf\ufffd"),
        (None, "None"),
        ("text", "text"),
        ({"a": 1}, "{'a': 1}"),
        (ToolOutput("half \ud83d"), "half ?"),
    ],
)
async def test_whatever_a_tool_returns_becomes_text_that_can_be_kept(
    output: Any, told: str
) -> None:
    async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> Any:
        return output

    assert (await result_of(PlainTool("t", work))).result.content == told


async def test_a_tool_that_hangs_is_ended() -> None:
    ended: list[str] = []

    async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")
        return ToolOutput("never")

    done = await result_of(PlainTool("t", work), timeout=0.02)
    assert done.result.is_error
    assert "took longer than 0.02 s and was ended. Ask for less" in done.result.content
    assert ended == ["ended"]


async def test_a_tool_that_swallows_its_cancellation_is_abandoned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tool_runs, "GRACE_SECONDS", 0.02)
    gate = asyncio.Event()

    async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("nobody hears this")

    done = await result_of(PlainTool("t", work), timeout=0.02)
    assert "may still be running" in done.result.content
    gate.set()
    await asyncio.sleep(0)


async def test_those_that_are_done_in_time_keep_their_results() -> None:
    async def hang(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        await asyncio.Event().wait()
        raise AssertionError

    tools = ToolCoordinator((PlainTool("t"), PlainTool("slow", hang)), timeout=0.02)
    done = await executed(tools, call("slow"), call("t", 2))
    assert [(d.call.name, d.result.is_error) for d in done] == [("t", False), ("slow", True)]


async def test_calls_that_read_run_beside_each_other() -> None:
    barrier = asyncio.Barrier(8)

    async def meet(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        await barrier.wait()
        return ToolOutput("met")

    tools = ToolCoordinator((PlainTool("t", meet),), timeout=5)
    done = await executed(tools, *(call("t", number) for number in range(8)))
    assert sorted(d.result.call_id for d in done) == [f"c{number}" for number in range(8)]
    assert {d.result.content for d in done} == {"met"}


async def test_more_calls_than_may_run_at_once_all_have_a_result() -> None:
    running = most = 0

    async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return ToolOutput("ok")

    tools = ToolCoordinator((PlainTool("t", work),))
    done = await executed(tools, *(call("t", number) for number in range(40)))
    assert len(done) == 40
    assert most == tool_runs.PARALLEL_CALLS


async def test_calls_with_effects_run_alone_and_in_order() -> None:
    log: list[str] = []

    def logged(name: str) -> Work:
        async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
            log.append(f"{name} begins")
            await asyncio.sleep(0)
            log.append(f"{name} ends")
            return ToolOutput("ok")

        return work

    tools = ToolCoordinator(
        (
            PlainTool("read", logged("read")),
            PlainTool("write", logged("write"), Effect.IDEMPOTENT),
            PlainTool("run", logged("run"), Effect.EFFECTFUL),
        )
    )
    names = ("write", "run", "read", "read", "write")
    done = await executed(tools, *(call(name, number) for number, name in enumerate(names)))
    assert [d.call.name for d in done] == list(names)
    assert log == [
        "write begins", "write ends", "run begins", "run ends",
        "read begins", "read begins", "read ends", "read ends",
        "write begins", "write ends",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("effect", "error", "runs"),
    [
        (Effect.READ_ONLY, ConnectionResetError("again"), 2),
        (Effect.IDEMPOTENT, TimeoutError("again"), 2),
        (Effect.READ_ONLY, OSError(16, "busy"), 2),
        (Effect.READ_ONLY, ProviderUnavailable("again"), 2),
        (Effect.EFFECTFUL, ConnectionResetError("not again"), 1),
        (Effect.READ_ONLY, PermissionError(13, "never"), 1),
        (Effect.READ_ONLY, OSError(28, "full"), 1),
        (Effect.READ_ONLY, ToolError("no"), 1),
        (Effect.READ_ONLY, ValueError("no"), 1),
    ],
)
async def test_only_what_is_safe_and_may_help_is_run_again(
    monkeypatch: pytest.MonkeyPatch, effect: Effect, error: Exception, runs: int
) -> None:
    monkeypatch.setattr(tool_runs, "RETRY_PAUSE_SECONDS", 0)
    tool = PlainTool("t", _raising(error), effect)
    done = await result_of(tool)
    assert done.result.is_error
    assert tool.runs == runs


async def test_a_second_try_may_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_runs, "RETRY_PAUSE_SECONDS", 0)

    async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        if tool.runs == 1:
            raise BlockingIOError(11, "again")
        return ToolOutput("ok")

    tool = PlainTool("t", work)
    assert (await result_of(tool)).result.content == "ok"


def _printing(text: str) -> Work:
    async def work(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        return ToolOutput(text)

    return work


async def test_a_long_result_is_capped_and_all_of_it_kept(tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(100_000))
    tools = ToolCoordinator(
        (PlainTool("t/x", _printing(text)),), output_limit=100, spill_folder=tmp_path / "spill"
    )
    first, second = await executed(tools, call("t/x", 1), call("t/x", 2))
    content = first.result.content
    assert content.startswith("line 0\n")
    assert content.endswith("line 99999\n")
    assert len(content) < 400 + 300
    assert all(line.startswith(("line ", "[...")) for line in content.splitlines())
    assert first.result.full_output in content
    assert Path(first.result.full_output).read_text() == text
    assert Path(first.result.full_output).parent == tmp_path / "spill"
    assert first.result.full_output != second.result.full_output


async def test_a_long_result_without_a_folder_is_capped_all_the_same() -> None:
    done = await result_of(PlainTool("t", _printing("x" * 1_000)), output_limit=100)
    head, told, tail = done.result.content.split("\n")
    assert set(head + tail) == {"x"}
    left_out = 1_000 - len(head) - len(tail)
    assert told == f"[... {left_out} characters left out. The rest was dropped; ask for less. ...]"
    assert of_text(head) + of_text(tail) <= 100
    assert done.result.full_output == ""


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = await result_of(
        PlainTool("t", _printing("x" * 1_000)), output_limit=100, spill_folder=tmp_path / "file"
    )
    assert "could not be kept (" in done.result.content
    assert not done.result.is_error
    assert done.result.full_output == ""


async def test_leaving_early_ends_what_still_runs() -> None:
    ended: list[str] = []

    async def hang(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("hang")
        raise AssertionError

    tools = ToolCoordinator((PlainTool("t"), PlainTool("hang", hang)))
    calls = (call("t"), call("hang", 2), call("t", 3))
    running = tools.execute(calls, (YES,) * 3, Mode.BUILD, lambda _: None)
    async for _ in running:
        break
    await running.aclose()
    assert ended == ["hang"]


async def test_cancelling_ends_what_runs_and_passes_through() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(_arguments: JsonObject, _environment: ToolEnvironment) -> ToolOutput:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    turn = asyncio.create_task(executed(ToolCoordinator((PlainTool("t", hang),)), call("t")))
    await begun.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert ended.is_set()


async def test_a_tool_is_told_where_it_runs_and_how_far_it_may_go(tmp_path: Path) -> None:
    seen: list[ToolEnvironment] = []

    async def work(_arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        environment.progress("on the way")
        seen.append(environment)
        return ToolOutput("ok")

    tools = ToolCoordinator((PlainTool("t", work),), tmp_path)
    tools.configure({"tool_calling_timeout": 30, "tool_output_limit": 500})
    tools.start_session("s1")
    await executed(tools, call("t"))
    await executed(tools, call("t"), mode=Mode.PLAN)
    assert [(e.session_id, e.timeout, e.output_limit, e.writable) for e in seen] == [
        ("s1", 30.0, 2_000, True),
        ("s1", 30.0, 2_000, False),
    ]
    assert seen[0].workspace == tmp_path.resolve()


@pytest.mark.parametrize(
    "config",
    [
        {"tool_calling_timeout": 0},
        {"tool_calling_timeout": "30"},
        {"tool_output_limit": True},
        {"tool_calling_timeout": 5, "tool_output_limit": -1},
    ],
)
async def test_bad_settings_are_refused_and_change_nothing(config: dict[str, Any]) -> None:
    seen: list[float] = []

    async def work(_arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        seen.append(environment.timeout)
        return ToolOutput("ok")

    tools = ToolCoordinator((PlainTool("t", work),), timeout=9)
    with pytest.raises(ConfigError, match=next(reversed(config))):
        tools.configure(config)
    tools.configure({})
    await executed(tools, call("t"))
    assert seen == [9]


def test_a_tool_of_the_same_name_takes_the_place_of_the_other() -> None:
    tools = ToolCoordinator((TellingTool("t"), PlainTool("u")))
    specs = tools.specs
    assert tools.specs is specs
    tools.add_tool(PlainTool("t", effect=Effect.EFFECTFUL))
    assert [(spec.name, spec.effect) for spec in tools.specs] == [
        ("t", Effect.EFFECTFUL),
        ("u", Effect.READ_ONLY),
    ]
    (review,) = tools.reviews((call("t", command="ls"),))
    assert review.access == Access(("ls",))


def test_safety_is_told_what_a_call_reaches_for(tmp_path: Path) -> None:
    tools = ToolCoordinator(
        (
            PlainTool("write", effect=Effect.IDEMPOTENT, changes=("a/b", "/outside")),
            PlainTool("send", effect=Effect.EFFECTFUL),
            TellingTool("run", effect=Effect.EFFECTFUL),
            SilentTool("odd", effect=Effect.EFFECTFUL),
            PlainTool("read"),
        ),
        tmp_path,
    )
    calls = (
        call("write", text="not a path"),
        call("send", to="you", count=3),
        call("run", command="ls"),
        call("run"),
        call("odd"),
        call("read"),
        call("none"),
    )
    assert tools.reviews(calls) == (
        CallReview(calls[0], Effect.IDEMPOTENT, access=Access(("a/b", "/outside"))),
        CallReview(calls[1], Effect.EFFECTFUL, undoable=False, access=Access(("you",))),
        CallReview(calls[2], Effect.EFFECTFUL, undoable=False, access=Access(command="ls")),
        CallReview(calls[3], Effect.EFFECTFUL, undoable=False, access=Access(known=False)),
        CallReview(calls[4], Effect.EFFECTFUL, undoable=False, access=Access(known=False)),
        CallReview(calls[5], Effect.READ_ONLY, access=Access()),
        CallReview(calls[6], Effect.EFFECTFUL, known=False),
    )


def test_the_paths_of_a_step_are_those_that_may_change_each_once(tmp_path: Path) -> None:
    tools = ToolCoordinator(
        (
            PlainTool("write", effect=Effect.IDEMPOTENT, changes=("a", "b")),
            PlainTool("edit", effect=Effect.EFFECTFUL, changes=("b", "c")),
            PlainTool("read", changes=("d",)),
            SilentTool("odd", effect=Effect.EFFECTFUL),
        ),
        tmp_path,
    )
    calls = (call("write"), call("edit"), call("read"), call("odd"), call("none"))
    root = tmp_path.resolve()
    assert tools.paths(calls) == (root / "a", root / "b", root / "c")
