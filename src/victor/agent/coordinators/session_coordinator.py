"""The durable record of a conversation: written as it happens, and read again to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from victor import labels, plans
from victor.errors import SessionError, SessionNotFound, UnknownNameError
from victor.history import IMPORTED, as_it_ended, inherited, restored, turns, words_of
from victor.messages import Message
from victor.protocols import ISessionStore, Record, SessionInfo, SessionMatch

Export: TypeAlias = Callable[[SessionInfo, tuple[Record, ...]], str]
"""Returns a session as a text in one form."""

Clean: TypeAlias = Callable[
    [SessionInfo, tuple[Record, ...]], tuple[SessionInfo, tuple[Record, ...]]
]
"""Returns a session without what is not to be given out, such as secrets."""

Import: TypeAlias = Callable[[str], tuple[SessionInfo, tuple[Record, ...]]]
"""Returns the session that a text holds. Raises `SessionError`."""


class SessionCoordinator:
    """Records sessions in `store`. Nothing is acknowledged that the store has not committed.

    `exports` are the forms that a session can be given out in, by name; `read` takes one in.
    """

    def __init__(
        self,
        store: ISessionStore,
        *,
        exports: Mapping[str, Export] | None = None,
        read: Import | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._exports = dict(exports or {})
        self._read = read
        self._clock = clock
        self._begun: dict[str, SessionInfo] = {}
        """Sessions that are started and have no record yet: they leave nothing behind."""

    async def start(self, info: SessionInfo) -> None:
        """Open the session for writing; it is created with its first record.

        Raises `SessionError`, also where another store or process has it open.
        """
        await self._store.open(info.id)
        try:
            await self._store.info(info.id)
        except SessionNotFound:
            self._begun[info.id] = info

    async def open(self, session_id: str) -> None:
        """Hold the session for writing, so that what is loaded next stays the whole of it.

        Raises `SessionError` where another store or process has it open.
        """
        await self._store.open(session_id)

    async def record(self, session_id: str, record: Record) -> None:
        """Commit one entry. Raises `SessionError`, then nothing was recorded."""
        if session_id in self._begun:
            await self._create(self._begun[session_id], record)
        await self._store.append(session_id, record)

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return what was committed, oldest first. Raises `SessionError`."""
        return await self._store.load(session_id)

    def messages(self, records: tuple[Record, ...]) -> tuple[Message, ...]:
        """Return the conversation that the model is to see; it may be sent as it is."""
        return self.restore(records)[0]

    def restore(self, records: tuple[Record, ...]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
        """Return the conversation that the model is to see, and what had to be mended in it.

        A call that was begun and has no result gets one that says so.
        """
        return restored(records)

    async def fork(
        self,
        session_id: str,
        fork_id: str,
        *,
        at_turn: int | None = None,
        provider: str = "",
        model: str = "",
    ) -> SessionInfo:
        """Begin the session `fork_id` with another's history, up to the end of its turn `at_turn`.

        None takes all of it, 0 nothing. The other is not touched; what its turns cost stays its
        own. Raises `SessionNotFound`, or `SessionError` where there is no such turn.
        """
        parent, records = await self._store.info(session_id), await self._store.load(session_id)
        had = turns(records)
        last = len(had) if at_turn is None else at_turn
        if not 0 <= last <= len(had):
            raise SessionError(
                f"Session {session_id!r} has no turn {last}: it has {len(had)}.",
                hint=f"Fork it at one of 0 to {len(had)}.",
            )
        cut = records if at_turn is None else as_it_ended(records, last)
        kept = tuple(inherited(record) for record in cut)
        if last and had[last - 1].end is None:
            # What the parent is still doing is not the fork's to finish.
            kept = (*kept, Record("cancelled", had[last - 1].id, time=self._clock()))
        info = replace(
            parent,
            id=fork_id,
            created=self._clock(),
            updated=self._clock(),
            provider=provider or parent.provider,
            model=model or parent.model,
            parent=session_id,
            parent_turn=last,
        )
        await self._store.add(info, kept)
        return await self._store.info(fork_id)

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""
        begun = self._begun.get(session_id)
        return begun if begun is not None else await self._store.info(session_id)

    async def list(
        self, workspace: str | None = None, limit: int = 50, tag: str | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return recorded sessions, the last used first; of one workspace or tag only, if named."""
        return await self._store.list(workspace, limit, tag)

    async def resolve(self, name: str, workspace: str | None = None) -> str:
        """Return the id that is meant: `last` (of the workspace), an id, or how just one begins.

        Raises `SessionNotFound`, or `SessionError` where several begin so.
        """
        if name == "last":
            return await self.latest(workspace)
        if name in self._begun:
            return name
        found = await self._store.find(name) if name else ()
        if name in found:
            return name
        if len(found) > 1:
            raise SessionError(
                f"Several sessions begin with {name!r}: {', '.join(found)}.",
                hint="Give more of the id.",
            )
        if not found:
            raise SessionNotFound(name)
        return found[0]

    async def latest(self, workspace: str | None = None) -> str:
        """Return the id of the session used last. Raises `SessionNotFound` where there is none."""
        found = await self._store.list(workspace, 1)
        if not found:
            where = f"in {workspace}" if workspace else "yet"
            raise SessionNotFound(
                "last", hint=f"None was recorded {where}; `victor chat` begins one."
            )
        return found[0].id

    async def search(
        self, text: str, workspace: str | None = None, limit: int = 50
    ) -> tuple[SessionMatch, ...]:
        """Return the sessions in whose title or in one of whose messages each word stands."""
        return await self._store.search(text, workspace, limit)

    async def rename(self, session_id: str, title: str) -> None:
        """Give the session another title. Raises `SessionNotFound`."""
        title = labels.title(title)
        begun = self._begun.get(session_id)
        if begun is not None:
            self._begun[session_id] = replace(begun, title=title)
            return
        await self._store.rename(session_id, title)

    async def tag(
        self, session_id: str, *tags: str, remove: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Put tags on the session, take others off, and return those that it has then.

        Raises `SessionNotFound`, or `SessionError` for what cannot be a tag.
        """
        info = await self.info(session_id)
        kept = tuple(sorted({*info.tags, *map(labels.tag, tags)} - set(remove)))
        if session_id in self._begun:
            self._begun[session_id] = replace(info, tags=kept)
        else:
            await self._store.set_tags(session_id, kept)
        return kept

    async def export(self, session_id: str, form: str, *, clean: Clean | None = None) -> str:
        """Return the session as a text in one of the forms, `clean`ed before that.

        Raises `SessionNotFound`, and `UnknownNameError` for a form that there is not.
        """
        make = self._exports.get(form)
        if make is None:
            raise UnknownNameError("form of export", form, tuple(self._exports))
        info, records = await self._store.info(session_id), await self._store.load(session_id)
        return make(*(clean(info, records) if clean is not None else (info, records)))

    async def add(
        self, text: str, *, as_id: str | None = None, workspace: str | None = None
    ) -> SessionInfo:
        """Record the session that an export holds, under another id or workspace if named.

        Each of its records says that it is `imported`: who wrote the words in it, nobody knows,
        and so no plan in it is approved.
        Raises `SessionError`, and then nothing was recorded.
        """
        if self._read is None:
            raise SessionError("This coordinator was made without a way to read exports.")
        info, records = self._read(text)
        info = replace(info, id=as_id or info.id, workspace=workspace or info.workspace)
        if info.id in await self._store.find(info.id):
            raise SessionError(
                f"The session {info.id!r} is recorded already.",
                hint="Delete that one first, or take this one in with --new-id (`as_id`).",
            )
        await self._store.add(info, tuple(map(_imported, records)))
        return await self._store.info(info.id)

    async def delete(self, session_id: str) -> None:
        """Forget the session. Raises `SessionNotFound`."""
        if self._begun.pop(session_id, None) is None:
            await self._store.delete(session_id)

    async def close(self) -> None:
        """Release the record; what is started and has no record is forgotten."""
        self._begun.clear()
        await self._store.aclose()

    async def _create(self, info: SessionInfo, record: Record) -> None:
        if not info.title and record.message is not None:
            info = replace(info, title=labels.title(words_of(record.message)))
        await self._store.create(info)
        self._begun.pop(info.id, None)


def _imported(record: Record) -> Record:
    """Return the record as one that came from a file, in which nobody has approved anything."""
    told = {key: value for key, value in record.data.items() if key != plans.APPROVED}
    return replace(record, data={**told, IMPORTED: True})
