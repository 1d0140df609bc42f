"""Restorable points: what a step may change is kept before it, and can be put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from uuid import uuid4

from victor.protocols import Checkpoint, FileImage, ICheckpointStore, IFileImages


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What an undo did, or would do. A path may stand in two of the lists: restored to what a
    person had made of it, and in conflict with the agent's work before that.
    """

    turn_id: str = ""
    """The turn that was undone; empty where there was none to undo."""
    restored: tuple[str, ...] = ()
    """Files that are again as they were."""
    removed: tuple[str, ...] = ()
    """Files that the agent had made, and that are gone."""
    conflicts: tuple[str, ...] = ()
    """Files left as they are, because they are not what the agent last left there."""
    skipped: tuple[str, ...] = ()
    """Files that had not been kept, with the reason."""
    diff: str = ""
    """With a preview: what would change, as a unified diff."""


@dataclass(slots=True)
class _Plan:
    """The walk back through a turn: what each path becomes, and where the walk stops."""

    states: dict[str, str]
    targets: dict[str, FileImage] = field(default_factory=dict)
    conflicts: dict[str, None] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    """Paths that somebody else has taken back already: what lies beneath is not the agent's."""

    def step_back(self, checkpoint: Checkpoint, before: tuple[str, ...]) -> None:
        """Undo one step; `before` are the states of its images."""
        for image, was in zip(checkpoint.images, before, strict=True):
            path = image.path
            left = checkpoint.after.get(path)
            now = self.states.get(path)
            if path in self.conflicts or was == left:
                continue
            if now == was and path not in self.settled:
                # A step that was cut short may not have come to this file at all.
                if left is not None:
                    self.settled.add(path)
                continue
            if left is None or now != left or path in self.settled:
                self.conflicts[path] = None
                continue
            self.targets[path] = image
            self.states[path] = was


class CheckpointCoordinator:
    """Keeps pre-images in `store`, and reads and writes the files themselves through `files`."""

    def __init__(self, store: ICheckpointStore, files: IFileImages) -> None:
        self._store = store
        self._files = files

    async def before(
        self, session_id: str, turn_id: str, paths: tuple[Path, ...]
    ) -> Checkpoint | None:
        """Keep what is at `paths` now; None where there is nothing to keep.

        Raises `CheckpointError`.
        """
        if not paths:
            return None
        images, skipped = await self._files.read(paths)
        checkpoint = Checkpoint(
            uuid4().hex, session_id, turn_id, images, time=time(), skipped=skipped
        )
        await self._store.put(checkpoint)
        return checkpoint

    async def after(self, checkpoint: Checkpoint) -> None:
        """Note what the step left at the checkpoint's paths. Raises `CheckpointError`."""
        states = await self._files.states(_paths(checkpoint))
        await self._store.put(replace(checkpoint, after=states))

    async def undo(self, session_id: str) -> UndoReport:
        """Take back what the last turn changed, and do the turn before at the next call.

        Only what is still as the agent left it is touched. Raises `CheckpointError`; then what
        was not restored can be undone again.
        """
        checkpoints = await self._store.last(session_id)
        plan, now = await self._plan(checkpoints)
        left = await self._files.restore(tuple(plan.targets.values()), now)
        for checkpoint in checkpoints:
            await self._store.put(replace(checkpoint, undone=True))
        return _report(checkpoints, plan, left)

    async def preview_undo(self, session_id: str) -> UndoReport:
        """Return what `undo` would do now, and change nothing. Raises `CheckpointError`."""
        checkpoints = await self._store.last(session_id)
        plan, _ = await self._plan(checkpoints)
        diff = await self._files.diff(tuple(plan.targets.values()))
        return replace(_report(checkpoints, plan), diff=diff)

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first. Raises `CheckpointError`."""
        return await self._store.list(session_id)

    async def forget(self, session_id: str) -> None:
        """Drop every checkpoint of the session. Raises `CheckpointError`."""
        for checkpoint in await self._store.list(session_id):
            await self._store.delete(checkpoint.id)

    async def aclose(self) -> None:
        """Release the store. Raises `CheckpointError`."""
        await self._store.aclose()

    async def _plan(self, checkpoints: tuple[Checkpoint, ...]) -> tuple[_Plan, Mapping[str, str]]:
        """Return the way back through the checkpoints, and what is at their paths now."""
        paths = {path: None for checkpoint in checkpoints for path in _paths(checkpoint)}
        now = await self._files.states(tuple(paths))
        plan = _Plan(dict(now))
        for checkpoint in reversed(checkpoints):
            plan.step_back(checkpoint, await self._files.states_of(checkpoint.images))
        # A file that the turn made and deleted again is as it was already.
        for path in [path for path in plan.targets if plan.states[path] == now[path]]:
            del plan.targets[path]
        return plan, now


def _paths(checkpoint: Checkpoint) -> tuple[str, ...]:
    return tuple(image.path for image in checkpoint.images)


def _report(
    checkpoints: tuple[Checkpoint, ...], plan: _Plan, left: tuple[str, ...] = ()
) -> UndoReport:
    done = {path: image for path, image in plan.targets.items() if path not in left}
    removed = tuple(
        path for path, image in done.items() if image.content is None and not image.link
    )
    skipped = {text: None for checkpoint in checkpoints for text in checkpoint.skipped}
    return UndoReport(
        checkpoints[-1].turn_id if checkpoints else "",
        tuple(path for path in done if path not in removed),
        removed,
        (*plan.conflicts, *(path for path in left if path not in plan.conflicts)),
        tuple(skipped),
    )
