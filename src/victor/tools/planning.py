"""Writing the session's plan where nothing else may be changed: the one way out of reading only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from victor.errors import ToolError, WorkspaceError
from victor.messages import JsonObject
from victor.plans import MOST_CHARACTERS
from victor.protocols import ToolEnvironment, ToolOutput
from victor.tools.document import read_bytes
from victor.tools.files import ChangingTool
from victor.tools.workspace import Workspace

T = TypeVar("T", bound="PlanningTool")


class PlanningTool(ChangingTool):
    """A tool that changes the file in its argument `path`, which may be the plan."""

    __slots__ = ()

    def writes_only(self, arguments: JsonObject, file: Path) -> bool:
        """Return whether the call names this file, letter by letter: no other way leads there."""
        return bool(arguments.get("path") == str(file))


def plan_of(arguments: JsonObject, environment: ToolEnvironment) -> Path | None:
    """Return the plan, where the call names it and nothing but it may be changed now."""
    plan = environment.plan
    return plan if environment.plan_only and arguments["path"] == str(plan) else None


def change_plan(tool: T, plan: Path, text: str, work: Callable[[T, str], ToolOutput]) -> ToolOutput:
    """Let `work` be done by the tool where the plan is, and return it with the plan as it is then.

    `work` is given the tool and the plan's path, for it; `text` is what is put into it. Raises
    `ToolError` for too long a plan, and where something else stands in its place.
    """
    if len(text) > MOST_CHARACTERS:
        raise ToolError(f"A plan may have {MOST_CHARACTERS:,} characters; nothing was written.")
    root = plan.parent.parent
    try:
        plan.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{plan} cannot be written: {error.strerror}.") from error
    if os.path.realpath(plan) != str(plan):
        raise WorkspaceError(f"A link stands where {plan} should be; nothing was written.")
    name = plan.relative_to(root).as_posix()
    output = work(replace(tool, workspace=Workspace(root)), name)
    whole = read_bytes(plan, str(plan), root).decode("utf-8", "replace")
    said = output.content.replace(name, str(plan))
    return replace(output, content=f"{said} The user is shown the plan.", plan=whole)
