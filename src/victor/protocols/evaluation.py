"""The ports of the evaluation coordinator, with the values that cross them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from victor.messages import Usage
from victor.protocols.workflow import RunTurn

NewChat: TypeAlias = Callable[[Path], AbstractAsyncContextManager[RunTurn]]
"""Opens a fresh conversation that works in a folder, and closes it in the end."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One try of one task, scored."""

    task: str
    number: int
    """Which try of the task, counted from 1."""
    passed: bool
    seconds: float
    reason: str = ""
    """Why it did not pass: each failing check, or what broke."""
    usage: Usage = field(default_factory=Usage)
    answer: str = ""
    """The model's last text, cut where it is long."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Every try of one run of a suite."""

    suite: str
    trials: tuple[Trial, ...]
    """By task in the suite's order, then by number."""
    tries: int
    """Of each task."""
    seconds: float
    """Of the whole run, which is less than its trials' sum where they ran side by side."""
    run_id: str = ""

    @property
    def passed(self) -> int:
        """Trials that passed."""
        return sum(trial.passed for trial in self.trials)

    @property
    def tried(self) -> int:
        """All trials."""
        return len(self.trials)

    @property
    def usage(self) -> Usage:
        """Tokens of all trials."""
        return sum((trial.usage for trial in self.trials), Usage())

    @property
    def tasks(self) -> tuple[str, ...]:
        """Ids of the tasks, in order."""
        return tuple(dict.fromkeys(trial.task for trial in self.trials))

    def of(self, task: str) -> tuple[Trial, ...]:
        """Return the trials of one task."""
        return tuple(trial for trial in self.trials if trial.task == task)


class ITask(Protocol):
    """A task, as much of it as the coordinator needs to know."""

    @property
    def id(self) -> str:
        """What it is called in its suite."""
        ...


class ISuite(Protocol):
    """A suite of tasks, as much of it as the coordinator needs to know."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def tasks(self) -> tuple[ITask, ...]:
        """What there is to do."""
        ...

    @property
    def tries(self) -> int:
        """How often each task is tried, where the caller does not say."""
        ...


SuiteLoader: TypeAlias = Callable[[Path], ISuite]
"""Reads a suite from a file. Raises `EvaluationError`."""


class ITrialRunner(Protocol):
    """Tries tasks."""

    async def run(self, task: ITask, number: int, new_chat: NewChat) -> Trial:
        """Try a task once and score it. Whatever breaks is a trial that did not pass."""
        ...
