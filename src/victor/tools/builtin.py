"""The tools that Victor brings along."""

from __future__ import annotations

from pathlib import Path

from victor.protocols import ITool
from victor.tools.edit import Edit
from victor.tools.files import List, Read, Write
from victor.tools.search import Glob, Grep
from victor.tools.shell import Shell
from victor.tools.workspace import Workspace


def builtin_tools(
    workspace: Path | str,
    *,
    readable: tuple[Path, ...] = (),
    passed_on: tuple[str, ...] = (),
) -> tuple[ITool, ...]:
    """Return `read`, `write`, `edit`, `list`, `glob`, `grep` and `shell` for a workspace.

    Folders in `readable`, such as that of capped results, may be read, too. `passed_on` names
    environment variables that commands are given beside the harmless ones.
    """
    inside = Workspace(Path(workspace), readable)
    return (
        Read(inside),
        Write(inside),
        Edit(inside),
        List(inside),
        Glob(inside),
        Grep(inside),
        Shell(inside, passed_on),
    )
