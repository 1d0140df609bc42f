"""The way back through checkpoints: which of them, what each path becomes, what is left alone.

The rule: a restore touches only what is still as the agent last left it. Content and permissions
are followed apart, so that a person who made a file executable keeps that, and a person's text
survives when only the agent's permissions are taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from victor.protocols import Change, Checkpoint, FileState


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore does."""

    changes: tuple[Change, ...] = ()
    conflicts: tuple[str, ...] = ()
    """Paths left as they are, because they are not what the agent last left there."""


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What an undo, redo or rewind did to files, or would do. A path may stand in two of the
    lists: restored to what a person had made of it, and in conflict with the agent's work before.
    """

    turn_id: str = ""
    """The turn that was taken back, or came back; empty where there was none."""
    restored: tuple[str, ...] = ()
    """Files that are again as they were."""
    removed: tuple[str, ...] = ()
    """Files and empty folders that are gone again."""
    conflicts: tuple[str, ...] = ()
    """Files left as they are, because they are not what was last left there."""
    skipped: tuple[str, ...] = ()
    """What had not been kept, with the reason."""
    diff: str = ""
    """With a preview: what would change, as a unified diff."""
    turns: tuple[str, ...] = ()
    """Every turn that was taken back, or came back, oldest first."""
    conversation: bool = False
    """Whether the model no longer sees these turns, or sees them again."""
    restore_id: str = ""
    """The checkpoint that a redo takes back, or took back; empty where files are left alone."""

    @property
    def changes(self) -> int:
        """How many paths change."""
        return len(self.restored) + len(self.removed)


def report(
    checkpoints: tuple[Checkpoint, ...], planned: Plan, left: tuple[str, ...] = ()
) -> UndoReport:
    """Return what was done, or is planned, where nothing was `left` as it is."""
    done = [change for change in planned.changes if change.path not in left]
    # A folder stays for what somebody else has put into it, and that is no conflict.
    folders = {
        change.path for change in planned.changes if change.now.is_folder and change.then.is_absent
    }
    blocked = (path for path in left if path not in planned.conflicts and path not in folders)
    turns = tuple(dict.fromkeys(one.turn_id for one in checkpoints))
    return UndoReport(
        turns[-1] if turns else "",
        tuple(change.path for change in done if not change.then.is_absent),
        tuple(change.path for change in done if change.then.is_absent),
        (*planned.conflicts, *blocked),
        tuple(dict.fromkeys(note for one in checkpoints for note in one.skipped)),
        turns=turns,
    )


def plan(checkpoints: Iterable[Checkpoint], now: Mapping[str, FileState]) -> Plan:
    """Return the way back through the checkpoints, given oldest first, from what is there `now`.

    A path may be changed and be in conflict as well: it becomes what a person had made of it
    between two of the agent's changes, and the earlier one stays.
    """
    way = _Way(dict(now))
    for checkpoint in reversed(tuple(checkpoints)):
        for path, was in checkpoint.before.items():
            way.step_back(path, was, checkpoint.after.get(path))
    changes = tuple(
        Change(path, now[path], state) for path, state in way.states.items() if state != now[path]
    )
    return Plan(changes, tuple(way.conflicts))


def last_turn(checkpoints: tuple[Checkpoint, ...]) -> tuple[Checkpoint, ...]:
    """Return the checkpoints of the last turn that has something to take back."""
    standing = [one for one in checkpoints if _stands(one)]
    return tuple(one for one in standing if one.turn_id == standing[-1].turn_id)


def of_turns(
    checkpoints: tuple[Checkpoint, ...], turn_ids: tuple[str, ...]
) -> tuple[Checkpoint, ...]:
    """Return the checkpoints of these turns that have something to take back."""
    return tuple(one for one in checkpoints if _stands(one) and one.turn_id in turn_ids)


def _stands(checkpoint: Checkpoint) -> bool:
    """Return whether it is the agent's, was not taken back, and has something to tell."""
    if checkpoint.restores or checkpoint.undone:
        return False
    return checkpoint.changed or bool(checkpoint.skipped)


def last_restore(checkpoints: tuple[Checkpoint, ...]) -> Checkpoint | None:
    """Return the restore that a redo takes back; None where the agent has changed things since."""
    for one in reversed(checkpoints):
        if one.restores and not one.undone:
            return one
        if not one.restores and one.changed:
            return None
    return None


def cut_short(checkpoints: tuple[Checkpoint, ...]) -> Checkpoint | None:
    """Return the last restore where it did not come to its end."""
    last = last_restore(checkpoints)
    undone = {one.id for one in checkpoints if one.undone}
    return last if last is not None and not undone.issuperset(last.restores) else None


def restored_by(restore: Checkpoint, checkpoints: tuple[Checkpoint, ...]) -> tuple[Checkpoint, ...]:
    """Return the checkpoints that the restore took back; itself where they are gone."""
    return tuple(one for one in checkpoints if one.id in restore.restores) or (restore,)


@dataclass(slots=True)
class _Way:
    """The walk back: what each path would be by now, and where the walk stops."""

    states: dict[str, FileState]
    conflicts: dict[str, None] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    """Paths that somebody else has taken back already: what lies beneath is not the agent's."""

    def step_back(self, path: str, was: FileState, left: FileState | None) -> None:
        if path in self.conflicts or was == left:
            return
        here = self.states.get(path)
        if left is None or here is None:
            # A call that was cut short may not have come to this path at all.
            if here != was:
                self.conflicts[path] = None
            return
        if was.content == left.content:
            self._permissions_back(path, here, was, left)
        elif here.content == left.content and path not in self.settled:
            # Who changed the permissions since wants them on this file, whatever it holds.
            theirs = here.mode != left.mode and bool(was.sha256) and bool(here.sha256)
            self.states[path] = replace(was, mode=here.mode) if theirs else was
        elif here.content == was.content and path not in self.settled:
            self.settled.add(path)
        else:
            self.conflicts[path] = None

    def _permissions_back(
        self, path: str, here: FileState, was: FileState, left: FileState
    ) -> None:
        if _kind(here) != _kind(was) or here.mode not in (was.mode, left.mode):
            self.conflicts[path] = None
            return
        self.states[path] = replace(here, mode=was.mode)


def _kind(state: FileState) -> str:
    return "file" if state.sha256 else state.content
