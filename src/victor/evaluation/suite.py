"""Suites of tasks and the checks that score them, as values.

A suite is trusted code: its commands and functions run with the rights of who runs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from victor.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check looks at: what a try has left."""

    answer: str
    """The model's last text."""
    workspace: Path
    """The folder in which it worked."""


Judge: TypeAlias = Callable[[Outcome], bool | str | Awaitable[bool | str | None] | None]
"""Scores an outcome. True or None means passed; False, or a text that says why, means failed."""


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """A command that must exit with 0 in the try's folder."""

    command: str | tuple[str, ...]
    """A text goes through the shell, a tuple does not."""
    timeout: float = 60.0
    """Seconds; the whole process group ends then."""


@dataclass(frozen=True, slots=True)
class RegexCheck:
    """A regular expression that must be found in the answer; `^` and `$` match at each line."""

    pattern: str
    absent: bool = False
    """True where it must not be found."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What must be in a file of the try's folder."""

    path: str
    contains: str = ""
    regex: str = ""
    equals: str | None = None
    absent: bool = False
    """True where there must be no such file."""


@dataclass(frozen=True, slots=True)
class FunctionCheck:
    """A function that judges the outcome."""

    function: str | Judge
    """`module:function`; the module may be a file beside the suite."""
    timeout: float = 60.0
    """Seconds. A function that is not async goes on in its thread after that."""
    folder: Path | None = None
    """Where the module is looked for first."""


Check: TypeAlias = CommandCheck | RegexCheck | FileCheck | FunctionCheck


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do, and how to tell that it is done. All checks must pass."""

    id: str
    prompt: str
    checks: tuple[Check, ...]
    folder: Path | None = None
    """Copied for each try; None means an empty folder."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Contents by path, written over the copy."""
    timeout: float = 600.0
    """Seconds for the turn. Each check has its own limit on top."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Tasks that belong together.

    Raises `EvaluationError` when there are none, an id is there twice, or a task has no check.
    """

    name: str
    tasks: tuple[Task, ...]
    tries: int = 1
    description: str = ""

    def __post_init__(self) -> None:
        if not self.tasks:
            raise EvaluationError(f"Suite {self.name!r} has no tasks.")
        seen: set[str] = set()
        for task in self.tasks:
            if task.id in seen:
                raise EvaluationError(
                    f"Suite {self.name!r} has two tasks {task.id!r}.", hint="Rename one."
                )
            seen.add(task.id)
            if not task.checks:
                raise EvaluationError(
                    f"Task {task.id!r} has no checks, so every answer would pass.",
                    hint="Add a command, regex, file or function.",
                )
