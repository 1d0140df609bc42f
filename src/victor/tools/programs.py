"""Finding programs that Victor starts by itself: never one that the workspace brings along."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def find_program(name: str, workspace: Path) -> str | None:
    """Return the path of the program on the search path; None where there is none.

    Folders that are relative, or in the workspace, are left out: what lies there is the project's.
    A workspace that is the whole system leaves out nothing.
    """
    root = os.path.realpath(workspace)
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        real = os.path.realpath(folder)
        if not Path(folder).is_absolute() or _within(real, root):
            continue
        found = shutil.which(name, path=folder)
        if found and not _within(os.path.realpath(found), root):
            return found
    return None


def _within(path: str, root: str) -> bool:
    return root != os.sep and Path(path).is_relative_to(root)
