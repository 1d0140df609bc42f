"""The part about where the session runs: fixed when it starts, so that it never changes within."""

from __future__ import annotations

import os
import sys
from datetime import date, datetime
from pathlib import Path

from victor.protocols import PromptContext
from victor.protocols.prompt import BasePromptContributor

_SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}


class Environment(BasePromptContributor):
    """Folder, system, shell and date, as they are when the session starts."""

    name = "environment"

    def __init__(self, workspace: Path, *, today: date | None = None) -> None:
        """Describe `workspace` on the day `today`, by default the local date now."""
        day = today or datetime.now().astimezone().date()
        git = "yes" if (workspace / ".git").exists() else "no"
        self._text = (
            "Where you work:\n\n"
            f"- folder: {workspace}\n"
            f"- git repository: {git}\n"
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
