"""How long what is kept stays: checkpoints, spilled outputs, copies of workspaces."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from victor.protocols import Checkpoint

MOST_OUTPUT_BYTES = 512 * 1024 * 1024
"""Of all outputs that tools have set aside."""
MOST_COPIED_BYTES = 8 * 1024 * 1024 * 1024
"""Of all copies of workspaces."""

LET_GO = "what it had kept was let go to make room (settings checkpoint_days, checkpoint_limit_mb)"
"""Stands with a checkpoint whose contents are gone."""


def let_go(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint as it is listed once its contents are gone."""
    names = f"{len(checkpoint.before)} paths: {LET_GO}"
    return replace(checkpoint, before={}, after={}, skipped=(*checkpoint.skipped, names))


def too_old(checkpoint: Checkpoint, before: float) -> bool:
    """Return whether it is from before that moment, in seconds since the epoch."""
    return checkpoint.time < before


async def sweep(folder: Path, before: float) -> None:
    """Delete what is old in Victor's data folder and nobody would miss: outputs that tools have set
    aside, and copies of workspaces, last used before that moment or beyond their limits.
    """
    await asyncio.to_thread(prune_folder, folder / "outputs", before, MOST_OUTPUT_BYTES)
    await asyncio.to_thread(prune_folder, folder / "workspaces", before, MOST_COPIED_BYTES)


def prune_folder(folder: Path, before: float, most_bytes: int) -> int:
    """Delete the files below `folder` that were last used before that moment, then the oldest.

    It stops once `most_bytes` hold the rest; folders that are empty then go, too. Returns how many
    files went. What cannot be deleted, or is gone already, is passed over.
    """
    found = sorted(_files(folder))
    total = sum(size for _, size, _ in found)
    gone = 0
    for used, size, path in found:
        if used >= before and total <= most_bytes:
            break
        with contextlib.suppress(OSError):
            Path(path).unlink()
            gone += 1
        total -= size
        with contextlib.suppress(OSError):
            if Path(path).parent != folder:
                Path(path).parent.rmdir()
    return gone


def _files(folder: Path) -> Iterator[tuple[float, int, str]]:
    """Yield when each file below was last used, its size, and its path."""
    for above, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(above, name)  # noqa: PTH118 - as `os.walk` gives it
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode):
                    yield status.st_mtime, status.st_size, path
