"""Runs of task suites: which try comes when, and what they add up to."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from victor.errors import EvaluationError
from victor.events import EvaluationEnded, EvaluationStarted, TrialEnded
from victor.protocols.evaluation import (
    EvaluationReport,
    ISuite,
    ITask,
    ITrialRunner,
    NewChat,
    SuiteLoader,
    Trial,
)
from victor.protocols.observer import Emit


class EvaluationCoordinator:
    """Tries every task of a suite several times, each on a conversation and a folder of its own.

    `loader` reads suites from files and `runner` tries tasks; both are needed before anything can
    run.
    """

    def __init__(
        self,
        *,
        loader: SuiteLoader | None = None,
        runner: ITrialRunner | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._loader = loader
        self._runner = runner
        self._clock = clock

    def load(self, path: Path | str) -> ISuite:
        """Return the suite in a file, checked. Raises `EvaluationError`."""
        if self._loader is None:
            raise EvaluationError(
                f"Cannot read {path}: there is no loader.",
                hint="Pass a Suite, or construct the coordinator with `loader=`.",
            )
        return self._loader(Path(path))

    async def run(
        self,
        suite: ISuite | Path | str,
        *,
        new_chat: NewChat,
        emit: Emit,
        tries: int | None = None,
        concurrency: int = 1,
    ) -> EvaluationReport:
        """Try every task `tries` times (the suite's own number where it is None).

        Every task is tried once before any is tried again; at most `concurrency` tries go at the
        same time. A try that breaks has failed, and the others go on. Raises `EvaluationError`
        when the suite is ill-formed or a number is below 1.
        """
        if self._runner is None:
            raise EvaluationError(
                "Suites cannot run: there is no runner.",
                hint="Construct the coordinator with `runner=`.",
            )
        if isinstance(suite, Path | str):
            suite = await asyncio.to_thread(self.load, suite)
        tries = suite.tries if tries is None else tries
        for name, number in (("tries", tries), ("concurrency", concurrency)):
            if number < 1:
                raise EvaluationError(f"{name} is {number}.", hint="It must be at least 1.")
        run = _Run(self._runner, suite, tries, new_chat, emit)
        began = self._clock()
        emit(EvaluationStarted(run.id, suite.name, len(suite.tasks), tries))
        try:
            await run.finish(concurrency)
        finally:
            report = run.report(self._clock() - began)
            emit(EvaluationEnded(run.id, suite.name, report.passed, report.tried, report.seconds))
        return report


@dataclass(slots=True)
class _Run:
    """One run: what is left to try, and what was."""

    runner: ITrialRunner
    suite: ISuite
    tries: int
    new_chat: NewChat
    emit: Emit
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    trials: list[Trial] = field(default_factory=list)

    async def finish(self, concurrency: int) -> None:
        """Try all there is to try. When one worker breaks or the run is cancelled, all end."""
        left = self.left()
        workers = [asyncio.create_task(self.work(left)) for _ in range(concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)

    def left(self) -> Iterator[tuple[ITask, int]]:
        for number in range(1, self.tries + 1):
            for task in self.suite.tasks:
                yield task, number

    async def work(self, left: Iterator[tuple[ITask, int]]) -> None:
        for task, number in left:
            trial = await self.runner.run(task, number, self.new_chat)
            self.trials.append(trial)
            self.emit(
                TrialEnded(self.id, task.id, number, trial.passed, trial.seconds, trial.reason)
            )

    def report(self, seconds: float) -> EvaluationReport:
        order = {task.id: place for place, task in enumerate(self.suite.tasks)}
        trials = sorted(self.trials, key=lambda trial: (order[trial.task], trial.number))
        return EvaluationReport(self.suite.name, tuple(trials), self.tries, seconds, self.id)
