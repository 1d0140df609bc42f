"""The tools that Victor brings along."""

from __future__ import annotations

from pathlib import Path

from victor.protocols import IAnswerer, ISubagents, ITool
from victor.tools.apply_patch import ApplyPatch
from victor.tools.ask_user import AskUser
from victor.tools.edit import Edit, MultiEdit
from victor.tools.git import Git
from victor.tools.listing import List
from victor.tools.read import Read
from victor.tools.ripgrep import Ripgrep
from victor.tools.search import Glob, Grep
from victor.tools.seen import SeenFiles
from victor.tools.shell import Shell
from victor.tools.task import Task
from victor.tools.todo import Todo
from victor.tools.workspace import Workspace
from victor.tools.write import Write


def builtin_tools(
    workspace: Path | str,
    *,
    readable: tuple[Path, ...] = (),
    passed_on: tuple[str, ...] = (),
    person: IAnswerer | None = None,
    subagents: ISubagents | None = None,
) -> tuple[ITool, ...]:
    """Return the built-in tools for a workspace.

    Folders in `readable`, such as that of capped results, may be read, too. `passed_on` names
    environment variables that commands are given beside the harmless ones. `person` answers
    questions; without `subagents` there is no `task`.
    """
    inside = Workspace(Path(workspace), readable)
    seen = SeenFiles()
    return (
        Read(inside, seen),
        Write(inside, seen),
        Edit(inside, seen),
        MultiEdit(inside, seen),
        ApplyPatch(inside, seen),
        List(inside),
        Glob(inside),
        Grep(inside, Ripgrep.installed(inside.root)),
        Git(inside),
        Todo(),
        AskUser(person),
        *(() if subagents is None else (Task(subagents),)),
        Shell(inside, passed_on),
    )
