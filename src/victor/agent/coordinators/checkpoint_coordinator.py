"""Restorable points: what a call may change is kept before it, and can be put back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

from victor.protocols import (
    Change,
    Checkpoint,
    ICheckpointStore,
    IFileImages,
    IWorkspaceWatch,
)
from victor.restore_plan import (
    Plan,
    UndoReport,
    cut_short,
    last_restore,
    last_turn,
    of_turns,
    plan,
    report,
    restored_by,
)

_CUT_SHORT = "a command: Victor ended before it did, so what it changed is not known"

_DAY_SECONDS = 24 * 3600.0
_MEGABYTE = 1024 * 1024

__all__ = ["CheckpointCoordinator", "UndoReport"]


class CheckpointCoordinator:
    """Keeps what was in `store`, and reads and writes the files themselves through `files`.

    `watch` tells what commands change; without it, that cannot be undone. `sweep` is called in the
    end with a moment, in seconds since the epoch, to delete what else was last used before it.
    """

    def __init__(
        self,
        store: ICheckpointStore,
        files: IFileImages,
        watch: IWorkspaceWatch | None = None,
        *,
        sweep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._sweep = sweep
        self._store = store
        self._files = files
        self._watch = watch
        self._watched: set[str] = set()
        self._used = False
        self._days = 30.0
        self._most_bytes = 1024 * _MEGABYTE

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `checkpoint_days` and `checkpoint_limit_mb`."""
        self._days = config.get("checkpoint_days", self._days)
        megabytes = config.get("checkpoint_limit_mb", self._most_bytes / _MEGABYTE)
        self._most_bytes = int(megabytes * _MEGABYTE)

    async def before(
        self, session_id: str, turn_id: str, paths: tuple[Path, ...], *, workspace: bool = False
    ) -> Checkpoint | None:
        """Keep what is at `paths` now; with `workspace`, what is anywhere in it.

        Returns None where there is nothing to keep. Raises `CheckpointError`.
        """
        watch = self._watch if workspace else None
        if not paths and watch is None:
            return None
        self._used = True
        checkpoint = Checkpoint(uuid4().hex, session_id, turn_id, {}, time())
        kept = await self._files.read(paths)
        checkpoint = replace(checkpoint, before=kept.states, skipped=kept.skipped)
        unsettled = checkpoint
        if watch is not None:
            await watch.begin(checkpoint.id)
            self._watched.add(checkpoint.id)
            # Should Victor end before the command does, this is what is left to tell.
            unsettled = replace(checkpoint, skipped=(*checkpoint.skipped, _CUT_SHORT))
        await self._store.put(unsettled, kept.contents)
        return checkpoint

    async def after(self, checkpoint: Checkpoint) -> None:
        """Note what the call left behind. Raises `CheckpointError`."""
        after = await self._files.states(tuple(checkpoint.before)) if checkpoint.before else {}
        settled = replace(checkpoint, after=after)
        contents: Mapping[str, bytes] = {}
        if self._watch is not None and checkpoint.id in self._watched:
            self._watched.discard(checkpoint.id)
            changed = await self._watch.end(checkpoint.id)
            contents = changed.before.contents
            settled = replace(
                settled,
                before={**changed.before.states, **checkpoint.before},
                after={**changed.after, **after},
                skipped=(*checkpoint.skipped, *changed.before.skipped),
            )
        if not settled.before and not checkpoint.skipped:
            settled = replace(settled, skipped=())
        await self._store.put(settled, contents)

    async def undo(self, session_id: str) -> UndoReport:
        """Take back what the last turn changed, and do the turn before at the next call.

        Only what is still as the agent left it is touched. Raises `CheckpointError`; then what
        was not restored can be undone again.
        """
        checkpoints = await self._store.list(session_id)
        return await self._take_back(checkpoints, last_turn(checkpoints))

    async def preview_undo(self, session_id: str) -> UndoReport:
        """Return what `undo` would do now, and change nothing. Raises `CheckpointError`."""
        return await self._preview(last_turn(await self._store.list(session_id)))

    async def redo(self, session_id: str) -> UndoReport:
        """Bring back what was taken back last; possible until the agent changes something again.

        Raises `CheckpointError`; then what was not brought back can be redone again.
        """
        checkpoints = await self._store.list(session_id)
        taken = last_restore(checkpoints)
        if taken is None:
            return UndoReport()
        planned = await self._plan((taken,))
        left = await self._files.restore(planned.changes, self._store.content)
        await self._store.mark(undone=(taken.id,), standing=taken.restores)
        done = report(restored_by(taken, checkpoints), planned, left)
        return replace(done, restore_id=taken.id)

    async def preview_redo(self, session_id: str) -> UndoReport:
        """Return what `redo` would do now, and change nothing. Raises `CheckpointError`."""
        checkpoints = await self._store.list(session_id)
        taken = last_restore(checkpoints)
        if taken is None:
            return UndoReport()
        planned = await self._plan((taken,))
        diff = await self._files.diff(planned.changes, self._store.content)
        would = report(restored_by(taken, checkpoints), planned)
        return replace(would, diff=diff, restore_id=taken.id)

    async def rewind(self, session_id: str, turn_ids: tuple[str, ...]) -> UndoReport:
        """Take back what these turns changed, as `undo` does for one. Raises `CheckpointError`."""
        checkpoints = await self._store.list(session_id)
        return await self._take_back(checkpoints, of_turns(checkpoints, turn_ids))

    async def preview_rewind(self, session_id: str, turn_ids: tuple[str, ...]) -> UndoReport:
        """Return what `rewind` would do now, and change nothing. Raises `CheckpointError`."""
        return await self._preview(of_turns(await self._store.list(session_id), turn_ids))

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first. Raises `CheckpointError`."""
        return await self._store.list(session_id)

    async def forget(self, session_id: str) -> None:
        """Drop every checkpoint of the session. Raises `CheckpointError`."""
        await self._store.delete(session_id)

    async def aclose(self) -> None:
        """Let go of what is too old or too much, and release the store.

        Raises `CheckpointError`.
        """
        try:
            if self._used:
                before = time() - self._days * _DAY_SECONDS
                await self._store.prune(before=before, most_bytes=self._most_bytes)
                if self._sweep is not None:
                    await self._sweep(before)
        finally:
            if self._watch is not None:
                await self._watch.aclose()
            await self._store.aclose()

    async def _take_back(
        self, known: tuple[Checkpoint, ...], checkpoints: tuple[Checkpoint, ...]
    ) -> UndoReport:
        if not checkpoints:
            return UndoReport()
        planned = await self._plan(checkpoints)
        restore = await self._keep_for_redo(known, checkpoints, planned.changes)
        left = await self._files.restore(planned.changes, self._store.content)
        await self._store.mark(undone=restore.restores)
        return replace(report(checkpoints, planned, left), restore_id=restore.id)

    async def _preview(self, checkpoints: tuple[Checkpoint, ...]) -> UndoReport:
        planned = await self._plan(checkpoints)
        diff = await self._files.diff(planned.changes, self._store.content)
        return replace(report(checkpoints, planned), diff=diff)

    async def _plan(self, checkpoints: tuple[Checkpoint, ...]) -> Plan:
        paths = dict.fromkeys(path for checkpoint in checkpoints for path in checkpoint.before)
        return plan(checkpoints, await self._files.states(tuple(paths)))

    async def _keep_for_redo(
        self,
        known: tuple[Checkpoint, ...],
        checkpoints: tuple[Checkpoint, ...],
        changes: tuple[Change, ...],
    ) -> Checkpoint:
        """Keep what is about to be replaced, so that the restore itself can be taken back."""
        kept = await self._files.read(tuple(Path(change.path) for change in changes))
        before = {
            change.path: change.now
            for change in changes
            if kept.states.get(change.path) == change.now
        }
        restore = Checkpoint(
            uuid4().hex,
            checkpoints[-1].session_id,
            checkpoints[-1].turn_id,
            before,
            time(),
            {change.path: change.then for change in changes},
            kept.skipped,
            restores=tuple(checkpoint.id for checkpoint in checkpoints),
        )
        earlier = cut_short(known)
        if earlier is not None and set(earlier.restores) <= set(restore.restores):
            restore = replace(
                restore,
                id=earlier.id,
                before={**earlier.before, **before},
                after={**earlier.after, **restore.after},
            )
        shas = {state.sha256 for state in before.values()}
        contents = {sha: content for sha, content in kept.contents.items() if sha in shas}
        await self._store.put(restore, contents)
        return restore
