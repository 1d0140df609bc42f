"""Which try comes when, and what they add up to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from victor.agent.coordinators.evaluation_coordinator import EvaluationCoordinator
from victor.errors import EvaluationError
from victor.events import EvaluationEnded, EvaluationStarted, Event, TrialEnded
from victor.messages import Usage
from victor.protocols.evaluation import EvaluationReport, ISuite, ITask, NewChat, Trial

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Task:
    id: str


@dataclass(frozen=True)
class Suite:
    tasks: tuple[Task, ...] = (Task("a"), Task("b"))
    name: str = "suite"
    tries: int = 2


class Runner:
    """Passes every try of `a` and the second one of `b`."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.seen: list[tuple[str, int]] = []

    async def run(self, task: ITask, number: int, new_chat: NewChat) -> Trial:
        self.seen.append((task.id, number))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        passed = task.id == "a" or number == 2
        return Trial(task.id, number, passed, 1.0, "" if passed else "wrong", Usage(10, 1))


def no_chat(folder: Path) -> object:
    raise AssertionError(folder)


async def run(
    coordinator: EvaluationCoordinator,
    suite: ISuite | Path | str,
    heard: list[Event],
    **options: int,
) -> EvaluationReport:
    return await coordinator.run(
        suite,
        new_chat=no_chat,  # type: ignore[arg-type]
        emit=heard.append,
        **options,  # type: ignore[arg-type]
    )


async def test_every_task_is_tried_once_before_any_is_tried_again() -> None:
    runner = Runner()
    report = await run(EvaluationCoordinator(runner=runner), Suite(), [])
    assert runner.seen == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert [(trial.task, trial.number) for trial in report.trials] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
    ]
    assert (report.passed, report.tried, report.usage) == (3, 4, Usage(40, 4))


async def test_the_run_tells_how_it_goes() -> None:
    heard: list[Event] = []
    report = await run(EvaluationCoordinator(runner=Runner()), Suite(), heard, tries=1)
    started, first, second, ended = heard
    assert isinstance(started, EvaluationStarted)
    assert (started.suite, started.tasks, started.tries) == ("suite", 2, 1)
    assert isinstance(first, TrialEnded)
    assert isinstance(second, TrialEnded)
    assert (first.task, first.passed) == ("a", True)
    assert (second.task, second.passed, second.reason) == ("b", False, "wrong")
    assert isinstance(ended, EvaluationEnded)
    assert (ended.passed, ended.tried) == (1, 2)
    assert {event.run_id for event in (started, first, second, ended)} == {report.run_id}


async def test_no_more_tries_go_at_once_than_asked_for() -> None:
    one, three = Runner(), Runner()
    await run(EvaluationCoordinator(runner=one), Suite(), [], tries=5)
    await run(EvaluationCoordinator(runner=three), Suite(), [], tries=5, concurrency=3)
    assert (one.most, three.most) == (1, 3)


@pytest.mark.parametrize("option", ["tries", "concurrency"])
async def test_a_number_below_one_is_refused_before_anything_is_told(option: str) -> None:
    heard: list[Event] = []
    with pytest.raises(EvaluationError, match=f"{option} is 0"):
        await run(EvaluationCoordinator(runner=Runner()), Suite(), heard, **{option: 0})
    assert heard == []


async def test_a_cancelled_run_tells_what_was_tried() -> None:
    first = asyncio.Event()

    class Stuck(Runner):
        async def run(self, task: ITask, number: int, new_chat: NewChat) -> Trial:
            if self.seen:
                first.set()
                await asyncio.Event().wait()
            return await super().run(task, number, new_chat)

    heard: list[Event] = []
    runner = Stuck()
    task = asyncio.create_task(run(EvaluationCoordinator(runner=runner), Suite(), heard))
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ended = heard[-1]
    assert isinstance(ended, EvaluationEnded)
    assert (ended.passed, ended.tried) == (1, 1)


async def test_a_runner_that_breaks_ends_the_run_and_its_other_tries() -> None:
    class Broken(Runner):
        async def run(self, task: ITask, number: int, new_chat: NewChat) -> Trial:
            if task.id == "b":
                raise ValueError("a bug")
            await asyncio.Event().wait()
            raise AssertionError

    heard: list[Event] = []
    with pytest.raises(ValueError, match="a bug"):
        await run(EvaluationCoordinator(runner=Broken()), Suite(), heard, concurrency=2)
    assert isinstance(heard[-1], EvaluationEnded)


async def test_without_its_parts_it_says_what_is_missing() -> None:
    with pytest.raises(EvaluationError, match="runner="):
        await run(EvaluationCoordinator(), Suite(), [])
    with pytest.raises(EvaluationError, match="loader="):
        await run(EvaluationCoordinator(runner=Runner()), "suite.yaml", [])


async def test_a_suite_in_a_file_is_loaded(tmp_path: Path) -> None:
    asked: list[Path] = []

    def loader(path: Path) -> Suite:
        asked.append(path)
        return Suite(tries=1)

    coordinator = EvaluationCoordinator(loader=loader, runner=Runner())
    report = await run(coordinator, str(tmp_path / "s.yaml"), [])
    assert asked == [tmp_path / "s.yaml"]
    assert report.tried == 2
