"""The checks of a task, applied to what a try has left."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import re
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from victor.beneath import opened_at_once
from victor.errors import EvaluationError
from victor.evaluation.command import run_command
from victor.evaluation.suite import (
    Check,
    CommandCheck,
    FileCheck,
    FunctionCheck,
    Judge,
    Outcome,
    RegexCheck,
)

_LARGEST: Final = 10_000_000
_SHOWN: Final = 500


async def score(check: Check, outcome: Outcome) -> str:
    """Return why the check failed; empty where it passed.

    What a function check raises passes through, and so does `EvaluationError` when its function
    cannot be found.
    """
    match check:
        case CommandCheck():
            return await _command(check, outcome)
        case RegexCheck():
            found = re.search(check.pattern, outcome.answer, re.MULTILINE) is not None
            said = "contains" if found else "does not contain"
            return "" if found is not check.absent else f"the answer {said} `{check.pattern}`"
        case FileCheck():
            return await asyncio.to_thread(_file, check, outcome.workspace)
        case FunctionCheck():
            return await _function(check, outcome)


async def _command(check: CommandCheck, outcome: Outcome) -> str:
    shown = check.command if isinstance(check.command, str) else " ".join(check.command)
    try:
        status, output = await run_command(check.command, outcome.workspace, check.timeout)
    except OSError as error:
        return f"`{shown}` cannot start: {error.strerror or error}"
    if status == 0:
        return ""
    ended = f"took over {check.timeout:g} s" if status is None else f"exited with {status}"
    # The last line sums up, so a reader of first lines is shown it; the others follow.
    lines = output[-_SHOWN:].splitlines()
    said = f": {lines[-1]}" if lines else ""
    return "\n".join((f"`{shown}` {ended}{said}", *lines[:-1]))


def _file(check: FileCheck, workspace: Path) -> str:
    path = workspace / check.path
    if not path.resolve().is_relative_to(workspace.resolve()):
        return f"{check.path} leads out of the folder"
    if check.absent:
        return f"{check.path} is there" if path.exists() else ""
    try:
        with opened_at_once(path) as raw, TextIOWrapper(raw, "utf-8", newline="") as file:
            text = file.read(_LARGEST)
    except UnicodeDecodeError:
        return f"{check.path} is not text"
    except OSError as error:
        return f"{check.path} cannot be read: {error.strerror or error}"
    if check.contains not in text:
        return f"{check.path} does not contain {check.contains!r:.200}"
    if check.regex and not re.search(check.regex, text, re.MULTILINE):
        return f"{check.path} does not match `{check.regex}`"
    if check.equals is not None and text != check.equals:
        return f"{check.path} is not as expected"
    return ""


async def _function(check: FunctionCheck, outcome: Outcome) -> str:
    name = check.function if isinstance(check.function, str) else _name(check.function)
    limit = asyncio.timeout(check.timeout)
    try:
        async with limit:
            verdict = await asyncio.to_thread(_judge, check, outcome)
            if inspect.isawaitable(verdict):
                verdict = await verdict
    except TimeoutError:
        if not limit.expired():
            raise
        return f"{name} took over {check.timeout:g} s"
    match verdict:
        case True | None:
            return ""
        case False:
            return f"{name} said no"
        case str():
            return f"{name}: {verdict}" if verdict else ""
        case _:
            return f"{name} gave {verdict!r:.100}, neither a bool nor a text"


def _judge(check: FunctionCheck, outcome: Outcome) -> Any:
    try:
        judge = check.function
        if isinstance(judge, str):
            judge = _found(judge, check.folder)
        return judge(outcome)
    except SystemExit as error:
        # It would end the whole process, from inside the event loop.
        raise EvaluationError(f"The check asked to exit with {error.code!r}.") from error


def _name(judge: Judge) -> str:
    return getattr(judge, "__name__", type(judge).__name__)


def _found(function: str, folder: Path | None) -> Judge:
    module_name, _, name = function.partition(":")
    module = _module(module_name, folder)
    judge = getattr(module, name, None)
    if not callable(judge):
        raise EvaluationError(f"Module {module_name!r} has no function {name!r}.")
    found: Judge = judge
    return found


def _module(name: str, folder: Path | None) -> Any:
    file = folder / f"{name}.py" if folder else None
    if file is None or not file.is_file():
        try:
            return importlib.import_module(name)
        except ImportError as error:
            raise EvaluationError(
                f"There is no module {name!r}.", hint="Put it beside the suite, or install it."
            ) from error
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise EvaluationError(f"{file} cannot be loaded.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
