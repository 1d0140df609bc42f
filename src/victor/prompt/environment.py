"""The part about where the session runs: fixed when it starts, so that it never changes within."""

from __future__ import annotations

import os
import re
import sys
from datetime import date, datetime
from pathlib import Path

from victor.protocols import PromptContext
from victor.protocols.prompt import BasePromptContributor

_LONGEST_LINE = 4096
_PLAIN = re.compile(r"[\w./+@#-]{1,200}")
"""A branch's name that can stand in a prompt without saying anything else."""
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}


class Environment(BasePromptContributor):
    """Folder, branch, system, shell and date, as they are when the session starts."""

    name = "environment"

    def __init__(self, workspace: Path, *, today: date | None = None) -> None:
        """Describe `workspace` on the day `today`, by default the local date now."""
        day = today or datetime.now().astimezone().date()
        self._workspace = workspace
        self._branch = branch_of(workspace)
        self._text = (
            "Where you work:\n\n"
            f"- folder: {workspace}\n"
            f"- git: {_told(self._branch)}\n"
            f"- system: {_SYSTEMS.get(sys.platform, sys.platform)}\n"
            f"- shell: {Path(os.environ.get('SHELL') or 'sh').name}\n"
            f"- date at the start of the session: {day.isoformat()}"
        )

    def priority(self) -> int:
        """Return a place behind everything that is the same on all machines."""
        return 600

    async def get_contribution(self, context: PromptContext) -> str:
        """Return the description."""
        return self._text

    async def get_note(self, context: PromptContext, paths: tuple[str, ...]) -> str:
        """Return the branch where a turn begins on another one than was told."""
        if paths:
            return ""
        branch = branch_of(self._workspace)
        if branch == self._branch:
            return ""
        self._branch = branch
        return f"[git: {_told(branch)}]"


def branch_of(workspace: Path) -> str | None:
    """Return the branch, or a commit's first digits, that the repository at `workspace` is on.

    None where there is no repository, and nothing where it cannot be told. The file is read, and
    git is not run: a repository's own configuration could make it run anything.
    """
    folder = workspace / ".git"
    if not folder.exists():
        return None
    try:
        if folder.is_file():
            pointer = _first_line(folder)
            if not pointer.startswith("gitdir: "):
                return ""
            folder = workspace / pointer.removeprefix("gitdir: ")
        head = _first_line(folder / "HEAD")
    except OSError:
        return ""
    if head.startswith("ref: refs/heads/"):
        branch = head.removeprefix("ref: refs/heads/")
        return branch if _PLAIN.fullmatch(branch) else ""
    return head[:12] if _COMMIT.fullmatch(head) else ""


def _first_line(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(path)
    with path.open("rb") as file:
        return file.read(_LONGEST_LINE).partition(b"\n")[0].decode("utf-8", "replace").strip()


def _told(branch: str | None) -> str:
    if branch is None:
        return "no repository"
    return f"on {branch}" if branch else "a repository"
