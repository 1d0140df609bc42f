"""Checkpoints that are kept in memory: for `ephemeral` sessions and for tests."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

from victor.errors import CheckpointError
from victor.protocols import Checkpoint
from victor.storage.retention import let_go, too_old

_NOTHING: Mapping[str, bytes] = {}


class MemoryCheckpointStore:
    """Checkpoints in memory, their contents compressed."""

    def __init__(self) -> None:
        self._checkpoints: dict[str, Checkpoint] = {}
        self._contents: dict[str, bytes] = {}

    async def put(self, checkpoint: Checkpoint, contents: Mapping[str, bytes] = _NOTHING) -> None:
        """Keep a checkpoint, replacing the one of the same id, and contents by their sha256."""
        for sha256, content in contents.items():
            if sha256 not in self._contents:
                self._contents[sha256] = zlib.compress(content, 1)
        replaced = self._checkpoints.get(checkpoint.id)
        self._checkpoints[checkpoint.id] = checkpoint
        if replaced is not None and replaced.before != checkpoint.before:
            self._sweep()

    async def get(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint. Raises `CheckpointError` if there is none of this id."""
        checkpoint = self._checkpoints.get(checkpoint_id)
        if checkpoint is None:
            raise CheckpointError(f"There is no checkpoint {checkpoint_id!r}.")
        return checkpoint

    async def content(self, sha256: str) -> bytes:
        """Return a content that some checkpoint has. Raises `CheckpointError`."""
        data = self._contents.get(sha256)
        if data is None:
            raise CheckpointError(f"The content {sha256[:12]} of a file was not kept.")
        return zlib.decompress(data)

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first."""
        kept = self._checkpoints.values()
        return tuple(checkpoint for checkpoint in kept if checkpoint.session_id == session_id)

    async def mark(self, *, undone: tuple[str, ...] = (), standing: tuple[str, ...] = ()) -> None:
        """Note of checkpoints that they were taken back or stand again; unknown ones are none."""
        for names, value in ((undone, True), (standing, False)):
            for name in names:
                if name in self._checkpoints:
                    self._checkpoints[name] = replace(self._checkpoints[name], undone=value)

    async def delete(self, session_id: str) -> None:
        """Forget the session's checkpoints, and contents that no other has."""
        for checkpoint in await self.list(session_id):
            del self._checkpoints[checkpoint.id]
        self._sweep()

    async def prune(self, *, before: float, most_bytes: int) -> int:
        """Let go of the contents of old checkpoints; those with none left count."""
        count = 0
        for checkpoint in tuple(self._checkpoints.values()):
            old = too_old(checkpoint, before)
            if not old and self._bytes() <= most_bytes:
                break
            if checkpoint.before:
                self._checkpoints[checkpoint.id] = let_go(checkpoint)
                self._sweep()
                count += 1
        return count

    async def aclose(self) -> None:
        """Do nothing: what is in memory stays for as long as the store does."""

    def _bytes(self) -> int:
        return sum(map(len, self._contents.values()))

    def _sweep(self) -> None:
        """Drop contents that no checkpoint has."""
        used = {
            state.sha256
            for checkpoint in self._checkpoints.values()
            for state in checkpoint.before.values()
        }
        for sha256 in self._contents.keys() - used:
            del self._contents[sha256]
