"""The part of the facade that takes things back: files, the conversation, or both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from victor.agent.context_access import ContextAccess
from victor.errors import SessionError
from victor.history import RecordedTurn, in_force, last_rewind, turns
from victor.protocols import Record
from victor.restore_plan import UndoReport


@dataclass(frozen=True, slots=True)
class RestorablePoint:
    """A turn that one can go back to, as it was before it."""

    number: int
    """Counted from 1."""
    turn_id: str
    words: str
    """What the user wrote."""
    time: float
    """When it began, in seconds since the epoch."""
    paths: tuple[str, ...] = ()
    """What it changed and is not taken back yet."""


class RestoreAccess(ContextAccess):
    """Undo, redo and rewind. Each has a preview that changes nothing."""

    async def preview_undo(self) -> UndoReport:
        """Return what `undo` would do, with a diff, and do nothing."""
        self._enter()
        return await self.checkpoint_coordinator.preview_undo(self.session_id)

    async def undo(self) -> UndoReport:
        """Take back the last turn's changes to files; a file changed by others since is left.

        The model is told with the next turn. Raises `CheckpointError`.
        """
        self._enter()
        report = await self.checkpoint_coordinator.undo(self.session_id)
        if report.restore_id:
            await self._note({"restore": report.restore_id, "files": _names(report)})
        return report

    async def preview_redo(self) -> UndoReport:
        """Return what `redo` would do, with a diff, and do nothing."""
        self._enter()
        entry = last_rewind(await self._records())
        if entry is not None and not entry.data.get("restore"):
            return self._only_turns(entry)
        report = await self.checkpoint_coordinator.preview_redo(self.session_id)
        back = entry.data.get("to", "") if entry is not None else ""
        return replace(report, conversation=bool(back)) if report.restore_id else report

    async def redo(self) -> UndoReport:
        """Bring back what was taken back last: files, turns of the conversation, or both.

        Files come back until the agent changes something again, turns until the next turn.
        Raises `CheckpointError` or `SessionError`.
        """
        self._enter()
        entry = last_rewind(await self._records())
        report = await self.preview_redo()
        if entry is None or entry.data.get("restore"):
            report = replace(
                await self.checkpoint_coordinator.redo(self.session_id),
                conversation=report.conversation,
            )
        if entry is not None and (report.restore_id or report.conversation):
            told = () if report.conversation else _names(report)
            await self._note({"redo": True, "files": told})
            if report.conversation:
                await self._conversation.rebuild()
        return report

    async def points(self) -> tuple[RestorablePoint, ...]:
        """Return the turns that the conversation has, oldest first, for `rewind`."""
        self._enter()
        records = await self._records()
        present = {turn.id for turn in turns(in_force(records))}
        changed: dict[str, dict[str, None]] = {}
        for one in await self.checkpoint_coordinator.list(self.session_id):
            if not one.restores and not one.undone:
                paths = (path for path, was in one.before.items() if one.after.get(path) != was)
                changed.setdefault(one.turn_id, {}).update(dict.fromkeys(paths))
        return tuple(
            RestorablePoint(
                turn.number,
                turn.id,
                turn.words,
                turn.records[0].time,
                tuple(changed.get(turn.id, ())),
            )
            for turn in turns(records)
            if turn.id in present
        )

    async def preview_rewind(
        self, turn: int, *, files: bool = True, conversation: bool = True
    ) -> UndoReport:
        """Return what `rewind` would do, with a diff, and do nothing. Raises `SessionError`."""
        self._enter()
        records = await self._records()
        gone = self._from(turn, records)
        names = tuple(one.id for one in gone)
        if not files:
            return self._rewound(names)
        ids = _ids_from(records, names[0])
        report = await self.checkpoint_coordinator.preview_rewind(self.session_id, ids)
        return replace(report, turns=names, conversation=conversation)

    async def rewind(
        self, turn: int, *, files: bool = True, conversation: bool = True
    ) -> UndoReport:
        """Go back to before a turn, counted from 1: what it and all later ones did is taken back.

        `files` as `undo` does it; `conversation`: the model no longer sees these turns, while the
        record keeps them. `redo` brings both back. Raises `SessionError` where there is no such
        turn, and `CheckpointError`.
        """
        self._enter()
        records = await self._records()
        gone = self._from(turn, records)
        names = tuple(one.id for one in gone)
        report = self._rewound(names)
        if files:
            ids = _ids_from(records, names[0])
            report = await self.checkpoint_coordinator.rewind(self.session_id, ids)
            report = replace(report, turns=names, conversation=conversation)
        if conversation or report.restore_id:
            back = {"to": gone[0].id} if conversation else {}
            # Where the turns go, the model needs not be told of their files.
            told = () if conversation else _names(report)
            await self._note({"restore": report.restore_id, "files": told, **back})
        if conversation:
            await self._conversation.rebuild()
        return report

    def _from(self, turn: int, records: tuple[Record, ...]) -> tuple[RecordedTurn, ...]:
        """Return the turns from this one on. Raises `SessionError` where there is no such turn."""
        present = {one.id for one in turns(in_force(records))}
        found = tuple(one for one in turns(records) if one.number >= turn)
        if not found or found[0].number != turn or found[0].id not in present:
            known = ", ".join(str(one.number) for one in turns(records) if one.id in present)
            raise SessionError(
                f"There is no turn {turn} to go back to.", hint=f"There are: {known or 'none'}."
            )
        return found

    def _rewound(self, names: tuple[str, ...]) -> UndoReport:
        return UndoReport(names[-1] if names else "", turns=names, conversation=True)

    def _only_turns(self, entry: Record) -> UndoReport:
        return self._rewound((str(entry.data.get("to", "")),))

    async def _records(self) -> tuple[Record, ...]:
        return await self._conversation.records()

    async def _note(self, data: dict[str, object]) -> None:
        await self._conversation.note(Record("rewound", "", data=data))


def _ids_from(records: tuple[Record, ...], turn_id: str) -> tuple[str, ...]:
    """Return the ids of this turn and of all that came after it, a workflow's calls among them."""
    start = next(n for n, record in enumerate(records) if record.turn_id == turn_id)
    # A result of an earlier turn may have come late.
    earlier = {record.turn_id for record in records[:start]}
    ids = dict.fromkeys(record.turn_id for record in records[start:] if record.turn_id)
    return tuple(name for name in ids if name not in earlier)


def _names(report: UndoReport) -> tuple[str, ...]:
    return (*report.restored, *report.removed)
