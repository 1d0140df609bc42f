"""How long what is kept stays: checkpoints, spilled outputs, copies of workspaces."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from victor.protocols import Checkpoint

LET_GO = "what it had kept was let go to make room (settings checkpoint_days, checkpoint_limit_mb)"
"""Stands with a checkpoint whose contents are gone."""


def let_go(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint as it is listed once its contents are gone."""
    names = f"{len(checkpoint.before)} paths: {LET_GO}"
    return replace(checkpoint, before={}, after={}, skipped=(*checkpoint.skipped, names))


def too_old(checkpoint: Checkpoint, before: float) -> bool:
    """Return whether it is from before that moment, in seconds since the epoch."""
    return checkpoint.time < before


def prune_folder(folder: Path, *, before: float, most_bytes: int) -> int:
    """Delete the files in `folder` that were last used before that moment, then the oldest.

    It stops once `most_bytes` hold the rest. Returns how many went. What cannot be deleted, or is
    gone already, is passed over.
    """
    found: list[tuple[float, int, str]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in found)
    gone = 0
    for used, size, path in sorted(found):
        if used >= before and total <= most_bytes:
            break
        with contextlib.suppress(OSError):
            Path(path).unlink()
            gone += 1
        total -= size
    return gone
