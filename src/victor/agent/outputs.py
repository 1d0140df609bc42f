"""Where text goes that is too long for the model, or was left out for it: files in a folder.

Each session has a folder of its own, so that they do not write over each other's files, and what a
session set aside goes when it is deleted.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from functools import partial
from pathlib import Path

from victor.messages import ToolCall
from victor.protocols.context import KeptText
from victor.set_aside import folder_of

LEFT_OUT = "left-out.md"


class Outputs:
    """The files in `folder`, which is made at first use. Only their owner may read them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = 0

    async def keep(self, session_id: str, call: ToolCall, content: str) -> Path:
        """Write a call's output to a file of its own and return its path. Raises `OSError`."""
        self._kept += 1
        name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{call.name}-{call.id}")[:80]
        file = self.of(session_id) / f"{name}-{self._kept}.txt"
        return await asyncio.to_thread(_write, file, content)

    async def append(self, session_id: str, text: str) -> KeptText:
        """Add to the file of what the session's compactions left out and return where it is there.

        Raises `OSError`.
        """
        return await asyncio.to_thread(_append, self.of(session_id) / LEFT_OUT, text)

    async def forget(self, session_id: str) -> None:
        """Delete what the session has set aside. Raises `OSError`."""
        folder = self.of(session_id)
        if session_id and folder.is_dir():
            await asyncio.to_thread(shutil.rmtree, folder)

    def of(self, session_id: str) -> Path:
        """Return the folder of the session's files."""
        return folder_of(self._folder, session_id)


def _write(file: Path, content: str) -> Path:
    """Write a new file and return its path: another one where `file` exists."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A resumed session counts anew: what an earlier run of it has kept is not written over.
    while file.exists():
        file = file.with_stem(f"{file.stem}_")
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
    return file


def _append(file: Path, text: str) -> KeptText:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    with os.fdopen(os.open(file, flags, 0o600), "a+b") as stream:
        stream.seek(0)
        line = 1 + sum(piece.count(b"\n") for piece in iter(partial(stream.read, 1 << 20), b""))
        stream.write(text.encode())
    return KeptText(file, line)
