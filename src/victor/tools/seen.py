"""Which contents of files the model knows: it may only change what it has seen, as it is now."""

from __future__ import annotations

import hashlib
from pathlib import Path

from victor.errors import ToolError


class SeenFiles:
    """Remembers by a digest what of each file was shown last, or was put there by a tool."""

    def __init__(self) -> None:
        self._digests: dict[Path, bytes] = {}

    def note(self, file: Path, data: bytes) -> None:
        """Note that the model knows that `file` holds `data`."""
        self._digests[file] = _digest(data)

    def forget(self, file: Path) -> None:
        """Note that what the model knew of `file` is no longer there."""
        self._digests.pop(file, None)

    def knows(self, file: Path) -> bool:
        """Return whether the model has seen some content of `file`, be it this one or not."""
        return file in self._digests

    def check(self, file: Path, data: bytes, name: str) -> None:
        """Raise `ToolError` unless the model knows that `file`, called `name`, holds `data`."""
        if not self.knows(file):
            raise ToolError(f"{name} was not read yet; nothing was changed. Read it first.")
        if self._digests[file] != _digest(data):
            raise ToolError(
                f"{name} has changed since it was read; nothing was changed. Read it again."
            )


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
