"""Sessions in an SQLite file: append-only, committed and synced before anything is acknowledged."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from victor.errors import SessionError, SessionNotFound
from victor.protocols import Record, SessionInfo, SessionMatch
from victor.storage import search_index
from victor.storage import session_rows as rows
from victor.storage.codec import decode
from victor.storage.database import REPAIR, Database, acquire, release
from victor.storage.holds import Holds
from victor.storage.matching import has, matched, terms
from victor.storage.totals import LAST, figures, totals

if TYPE_CHECKING:
    import sqlite3


class SqliteSessionStore:
    """Sessions in the SQLite file at `path`, opened at first use.

    Stores on one path share a connection and its thread; a session is held by one of them.
    `patience` is how many seconds to wait for other processes that write to the file.
    """

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        self._path = path.expanduser().absolute()
        self._patience = patience
        self._shared: Database | None = None
        self._holds = Holds(self._path.with_name(f"{self._path.name}.locks"))
        self._numbers: dict[str, int] = {}
        """Row of each session that is held and recorded."""
        self._indexes: bool | None = None
        """Whether this SQLite can have a search index; None until a search has asked."""

    async def create(self, info: SessionInfo) -> None:
        """Begin a session; one that exists stays as it is. Raises `SessionError`."""

        def work(connection: sqlite3.Connection) -> None:
            self._holds.take(info.id)
            if connection.execute(rows.CREATE, rows.row_of(info)).rowcount:
                rows.put_tags(connection, info.id, info.tags)

        await self._database().write(work, SessionError)

    async def add(self, info: SessionInfo, records: tuple[Record, ...]) -> None:
        """Begin a session that has these entries already. Raises `SessionError` if it exists."""
        counted = replace(info, **totals(records)._asdict())
        entries = [rows.entry(record) for record in records]

        def work(connection: sqlite3.Connection) -> None:
            if not connection.execute(rows.CREATE, rows.row_of(counted)).rowcount:
                raise SessionError(f"{self._path}: the session {info.id!r} is recorded already.")
            number = rows.put_tags(connection, info.id, info.tags)
            connection.executemany(
                rows.ADD,
                ({"session": number, "position": at, **entry} for at, entry in enumerate(entries)),
            )

        await self._database().write(work, SessionError)

    async def open(self, session_id: str) -> None:
        """Hold the session, recorded or not. Raises `SessionError` while another store does."""

        await self._database().call(lambda: self._holds.take(session_id), SessionError)

    async def append(self, session_id: str, record: Record) -> None:
        """Add one entry; it is on the disk when this returns.

        Raises `SessionNotFound`, and `SessionError` if it was not recorded.
        """
        row = rows.entry(record)

        def work(connection: sqlite3.Connection) -> int:
            number = self._numbers.get(session_id) or self._hold(connection, session_id)
            connection.execute(rows.APPEND, {"session": number, **row})
            if record.kind == "user" or record.kind in LAST:
                connection.execute(rows.COUNT, (row["time"], *figures(record), number))
            return number

        self._numbers[session_id] = await self._database().write(work, SessionError)

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return all entries, oldest first.

        Raises `SessionNotFound`, and `SessionError` where an entry is missing or is not as it was
        written.
        """

        def work(connection: sqlite3.Connection) -> list[rows.Row]:
            number = rows.find(connection, session_id)
            return connection.execute(rows.LOAD, (number,)).fetchall()

        found = await self._database().read(work, SessionError)
        broken = rows.first_broken(found)
        if broken is not None:
            raise SessionError(
                f"{self._path}: record {broken + 1} of session {session_id!r} is damaged or gone.",
                hint=REPAIR,
            )
        return tuple(decode(*row[2:6]) for row in found if row[0] is not None)

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""

        def work(connection: sqlite3.Connection) -> SessionInfo:
            row = connection.execute(rows.INFO, (session_id,)).fetchone()
            if row is None:
                raise SessionNotFound(session_id)
            return rows.info_of(row)

        return await self._database().read(work, SessionError)

    async def find(self, beginning: str, limit: int = 10) -> tuple[str, ...]:
        """Return the ids that begin so, sorted."""
        asked = {"beginning": beginning, "length": len(beginning), "limit": limit}

        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            return tuple(row[0] for row in connection.execute(rows.FIND, asked))

        return await self._database().read(work, SessionError)

    async def list(
        self, workspace: str | None = None, limit: int = 50, tag: str | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return sessions, the last used first; of one workspace or with one tag, if named."""
        asked = {"workspace": workspace, "limit": limit, "tag": tag}

        def work(connection: sqlite3.Connection) -> tuple[SessionInfo, ...]:
            return tuple(rows.info_of(row) for row in connection.execute(rows.LIST, asked))

        return await self._database().read(work, SessionError)

    async def search(
        self, text: str, workspace: str | None = None, limit: int = 50
    ) -> tuple[SessionMatch, ...]:
        """Return the sessions in which every word of `text` stands, the last used first."""
        wanted = terms(text)
        asked = search_index.query(wanted)
        if asked and not await self._catch_up():
            asked = ""
        listing = {"workspace": workspace, "limit": -1, "tag": None}

        def work(connection: sqlite3.Connection) -> tuple[SessionMatch, ...]:
            listed = {row[-1]: rows.info_of(row) for row in connection.execute(rows.LIST, listing)}
            said = rows.said(connection, wanted, asked, frozenset(listed))
            found = (
                matched(info, said.get(number), wanted)
                for number, info in listed.items()
                if number in said or has(info.title, wanted)
            )
            return tuple(islice(found, limit))

        return await self._database().read(work, SessionError) if wanted else ()

    async def _catch_up(self) -> bool:
        """Return whether every record is in the search index now."""
        database = self._database()
        if self._indexes is None:
            self._indexes = await database.read(search_index.is_possible, SessionError)
        try:
            while self._indexes and await database.write(search_index.catch_up, SessionError):
                pass
        except SessionError:
            # On a full or read-only disk a search takes longer, and finds the same.
            return False
        return self._indexes

    async def rename(self, session_id: str, title: str) -> None:
        """Give the session another title. Raises `SessionNotFound`."""

        def work(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE sessions SET title = ? WHERE id = ?", (title, session_id)
            )
            if not changed.rowcount:
                raise SessionNotFound(session_id)

        await self._database().write(work, SessionError)

    async def set_tags(self, session_id: str, tags: tuple[str, ...]) -> None:
        """Put these tags on the session, and no others. Raises `SessionNotFound`."""

        def work(connection: sqlite3.Connection) -> None:
            rows.put_tags(connection, session_id, tags)

        await self._database().write(work, SessionError)

    async def delete(self, session_id: str) -> None:
        """Forget a session, down to its bytes in the file.

        Raises `SessionNotFound`, and `SessionError` if another holds it.
        """

        def work(connection: sqlite3.Connection) -> None:
            number = rows.find(connection, session_id)
            self._holds.take(session_id)
            search_index.forget(connection, number)
            connection.execute("DELETE FROM sessions WHERE number = ?", (number,))

        def forget() -> None:
            self._numbers.pop(session_id, None)
            self._holds.drop(session_id)

        database = self._database()
        try:
            await database.write(work, SessionError)
            await database.empty_log(SessionError)
        finally:
            await database.call(forget, SessionError)

    async def aclose(self) -> None:
        """Give up the sessions held, and close the file if no other store uses it.

        A later call opens it again.
        """
        database, self._shared = self._shared, None
        if database is None:
            return

        def forget() -> None:
            self._numbers.clear()
            self._holds.drop_all()

        try:
            await database.call(forget, SessionError)
        finally:
            await release(database)

    def _database(self) -> Database:
        # A forked child has the parent's object, but not its thread.
        if self._shared is None or self._shared.pid != os.getpid():
            self._shared = acquire(self._path, patience=self._patience)
        return self._shared

    def _hold(self, connection: sqlite3.Connection, session_id: str) -> int:
        """Hold the session and return its row."""
        number = rows.find(connection, session_id)
        self._holds.take(session_id)
        return number
