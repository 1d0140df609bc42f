"""The part about where the session runs: fixed when it starts, so that it never changes within."""

from __future__ import annotations

import contextlib
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
    constant = True

    def __init__(self, workspace: Path, *, today: date | None = None) -> None:
        """Describe `workspace` on the day `today`, by default the local date now."""
        day = today or datetime.now().astimezone().date()
        self._workspace = workspace
        self._head = _git_folder(workspace) / "HEAD"
        self._branch = branch_of(workspace)
        self._stamp = self._stamped()
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
        if paths or (stamp := self._stamped()) == self._stamp:
            return ""
        self._stamp = stamp
        branch = branch_of(self._workspace)
        if branch == self._branch:
            return ""
        self._branch = branch
        return f"[git: {_told(branch)}]"

    def _stamped(self) -> tuple[int, int] | None:
        """Return what changes with the file that names the branch; None where there is none."""
        try:
            found = self._head.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def branch_of(workspace: Path) -> str | None:
    """Return the branch, or a commit's first digits, that the repository at `workspace` is on.

    None where there is no repository, and nothing where it cannot be told. The file is read, and
    git is not run: a repository's own configuration could make it run anything.
    """
    if not (workspace / ".git").exists():
        return None
    try:
        head = _first_line(_git_folder(workspace) / "HEAD")
    except OSError:
        return ""
    if head.startswith("ref: refs/heads/"):
        branch = head.removeprefix("ref: refs/heads/")
        return branch if _PLAIN.fullmatch(branch) else ""
    return head[:12] if _COMMIT.fullmatch(head) else ""


def _git_folder(workspace: Path) -> Path:
    """Return where the repository's own files are, if there is one."""
    folder = workspace / ".git"
    with contextlib.suppress(OSError):
        if folder.is_file():
            pointer = _first_line(folder)
            if pointer.startswith("gitdir: "):
                return workspace / pointer.removeprefix("gitdir: ")
    return folder


def _first_line(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(path)
    with path.open("rb") as file:
        return file.read(_LONGEST_LINE).partition(b"\n")[0].decode("utf-8", "replace").strip()


def _told(branch: str | None) -> str:
    if branch is None:
        return "no repository"
    return f"on {branch}" if branch else "a repository"
