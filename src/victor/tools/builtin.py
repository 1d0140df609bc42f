"""The tools that Victor brings along."""

from __future__ import annotations

from pathlib import Path

from victor.protocols import IAnswerer, ISandbox, ISubagents, ITool, NoSandbox, SandboxPolicy
from victor.tools.apply_patch import ApplyPatch
from victor.tools.ask_user import AskUser
from victor.tools.background import Background, ShellOutput, ShellStop
from victor.tools.edit import Edit, MultiEdit
from victor.tools.find_tools import FindTools
from victor.tools.git import Git
from victor.tools.listing import List
from victor.tools.process import Limits
from victor.tools.read import Read
from victor.tools.ripgrep import Ripgrep
from victor.tools.search import Glob, Grep
from victor.tools.seen import SeenFiles
from victor.tools.shell import Shell
from victor.tools.task import Task
from victor.tools.todo import Todo
from victor.tools.web import web_tools
from victor.tools.workspace import Folders, Workspace
from victor.tools.write import Write


def builtin_tools(
    workspace: Path | str,
    *,
    readable: tuple[Path, ...] = (),
    own: Folders = tuple,
    passed_on: tuple[str, ...] = (),
    person: IAnswerer | None = None,
    subagents: ISubagents | None = None,
    sandbox: ISandbox | None = None,
    policy: SandboxPolicy | None = None,
    limits: Limits | None = None,
    spill_folder: Path | None = None,
    git_hooks: bool = False,
) -> tuple[ITool, ...]:
    """Return the built-in tools for a workspace.

    Folders in `readable`, such as those of skills, may be read, too, and what `own` returns: where
    the conversation's capped results are. `passed_on` names environment variables that commands are
    given beside the harmless ones. `person` answers questions; without `subagents` there is no
    `task`. Commands run in `sandbox`, may do beside changing the workspace what `policy` says, and
    take what `limits` let them; what they print beyond what the model is shown goes to files in
    `spill_folder`. Git runs hooks in them only with `git_hooks`.
    """
    inside = Workspace(Path(workspace), readable, own)
    seen = SeenFiles()
    background = Background()
    shell = Shell(
        inside,
        passed_on,
        sandbox=sandbox or NoSandbox(),
        policy=policy or SandboxPolicy(),
        limits=limits or Limits(),
        spill_folder=spill_folder,
        background=background,
        git_hooks=git_hooks,
    )
    # The first are what no work can do without: a small window may have no room for all.
    return (
        Read(inside, seen),
        Write(inside, seen),
        Edit(inside, seen),
        List(inside),
        Glob(inside),
        Grep(inside, Ripgrep.installed(inside.root)),
        shell,
        ShellOutput(background),
        ShellStop(background),
        MultiEdit(inside, seen),
        ApplyPatch(inside, seen),
        Git(inside),
        Todo(),
        AskUser(person),
        *(() if subagents is None else (Task(subagents),)),
        *web_tools(),
        FindTools(),
    )
