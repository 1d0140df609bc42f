"""Where the plans of sessions are: one file each, in a folder that only its owner may read.

The record has them as well. The file is what the model writes, and what a person may open in an
editor; where it is gone, as on another machine, it is made anew from the record.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from victor.beneath import read_beneath
from victor.plans import MOST_CHARACTERS
from victor.set_aside import folder_of

NAME = "plan.md"
_MOST_BYTES = 4 * MOST_CHARACTERS


class PlanFiles:
    """The plans below `folder`, which goes in the end where it is `passing`."""

    def __init__(self, folder: Path, *, passing: bool = False) -> None:
        self.folder = Path(os.path.realpath(folder))
        self._passing = passing

    def of(self, session_id: str) -> Path:
        """Return the file of the session's plan, which need not be there."""
        return folder_of(self.folder, session_id) / NAME

    async def read(self, session_id: str) -> str | None:
        """Return the plan as its file has it; None where there is no such file, or only a link.

        Raises `OSError`.
        """
        file = self.of(session_id)
        data = await asyncio.to_thread(read_beneath, self.folder, file, _MOST_BYTES)
        return None if data is None else data.decode("utf-8", "replace")

    async def restore(self, session_id: str, text: str) -> None:
        """Make the file anew where there is none. Raises `OSError`."""
        await asyncio.to_thread(_restore, self.of(session_id), text)

    async def aclose(self) -> None:
        """Leave nothing behind, where that was promised."""
        if not self._passing or not self.folder.exists():
            return
        from shutil import rmtree

        await asyncio.to_thread(rmtree, self.folder, ignore_errors=True)


def _restore(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
