"""Finding programs that Victor starts by itself: never one that the workspace brings along."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def find_program(name: str, workspace: Path) -> str | None:
    """Return the path of the program on the search path; None where there is none.

    Folders that are relative, or in the workspace, are left out: what lies there is the project's.
    """
    root = os.path.realpath(workspace)
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        real = os.path.realpath(folder)
        inside = os.path.commonpath((real, root)) == root and root != os.sep
        if not Path(folder).is_absolute() or inside:
            continue
        found = shutil.which(name, path=folder)
        if found and not Path(os.path.realpath(found)).is_relative_to(root):
            return found
    return None
