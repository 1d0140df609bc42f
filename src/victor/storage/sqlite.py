"""Sessions in an SQLite file: append-only, committed and synced before anything is acknowledged."""

from __future__ import annotations

import json
import os
from dataclasses import astuple
from itertools import islice
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, TypeAlias
from zlib import crc32 as checksum

from victor.errors import SessionError, SessionNotFound
from victor.protocols import Record, SessionInfo
from victor.storage.codec import decode, encode
from victor.storage.database import Database, acquire, release
from victor.storage.holds import Holds
from victor.storage.totals import LAST, figures, says

if TYPE_CHECKING:
    import sqlite3

_CREATE = """INSERT INTO sessions
    (id, title, workspace, provider, model, created, updated, turns, input_tokens, output_tokens)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"""

_APPEND = """INSERT INTO records (session, position, kind, turn_id, time, body, crc32)
    SELECT :session, coalesce(max(position) + 1, 0), :kind, :turn_id, :time, :body, :crc32
    FROM records WHERE session = :session"""

_COUNT = """UPDATE sessions SET updated = ?, turns = turns + ?,
    input_tokens = input_tokens + ?, output_tokens = output_tokens + ? WHERE number = ?"""

_INFO = """SELECT
    id, title, workspace, provider, model, created, updated, turns, input_tokens, output_tokens
    FROM sessions WHERE id = ?"""

_LIST = """SELECT
    id, title, workspace, provider, model, created, updated, turns, input_tokens, output_tokens
    FROM sessions WHERE :workspace IS NULL OR workspace = :workspace
    ORDER BY updated DESC, number DESC LIMIT :limit"""

_LOAD = """SELECT position, crc32, kind, turn_id, time, body FROM records
    WHERE session = ? ORDER BY position"""

_SAID = """SELECT kind, turn_id, time, body FROM records
    WHERE session = ? AND kind IN ('user', 'reply') AND instr(lower(body), ?)"""


_Row: TypeAlias = tuple[int, int, str, str, float, str]


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

    async def create(self, info: SessionInfo) -> None:
        """Begin a session; one that exists stays as it is. Raises `SessionError`."""
        values = astuple(info)

        def work(connection: sqlite3.Connection) -> None:
            self._holds.take(info.id)
            connection.execute(_CREATE, values)

        await self._database().write(work, SessionError)

    async def open(self, session_id: str) -> None:
        """Hold the session, recorded or not. Raises `SessionError` while another store does."""

        await self._database().call(lambda: self._holds.take(session_id), SessionError)

    async def append(self, session_id: str, record: Record) -> None:
        """Add one entry; it is on the disk when this returns.

        Raises `SessionNotFound`, and `SessionError` if it was not recorded.
        """
        body = encode(record)
        now = record.time or time()
        row: dict[str, object] = {
            "kind": record.kind,
            "turn_id": record.turn_id,
            "time": now,
            "body": body,
            "crc32": _crc32(record.kind, record.turn_id, body),
        }

        def work(connection: sqlite3.Connection) -> int:
            number = self._numbers.get(session_id) or self._hold(connection, session_id)
            connection.execute(_APPEND, {"session": number, **row})
            if record.kind == "user" or record.kind in LAST:
                connection.execute(_COUNT, (now, *figures(record), number))
            return number

        self._numbers[session_id] = await self._database().write(work, SessionError)

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return all entries, oldest first.

        Raises `SessionNotFound`, and `SessionError` where an entry is missing or is not as it was
        written.
        """

        def work(connection: sqlite3.Connection) -> list[_Row]:
            number = _find(connection, session_id)
            return connection.execute(_LOAD, (number,)).fetchall()

        rows = await self._database().read(work, SessionError)
        for expected, (position, crc32, kind, turn_id, _, body) in enumerate(rows):
            if position != expected or crc32 != _crc32(kind, turn_id, body):
                raise SessionError(
                    f"{self._path}: record {expected + 1} of session {session_id!r} is damaged.",
                    hint="Restore the file from a copy, or start another session.",
                )
        return tuple(decode(*row[2:]) for row in rows)

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""

        def work(connection: sqlite3.Connection) -> SessionInfo:
            row = connection.execute(_INFO, (session_id,)).fetchone()
            if row is None:
                raise SessionNotFound(session_id)
            return SessionInfo(*row)

        return await self._database().read(work, SessionError)

    async def list(self, workspace: str | None = None, limit: int = 50) -> tuple[SessionInfo, ...]:
        """Return sessions, the last used first; of one workspace only, if named."""

        def work(connection: sqlite3.Connection) -> tuple[SessionInfo, ...]:
            return _listed(connection, workspace, limit)

        return await self._database().read(work, SessionError)

    async def search(
        self, text: str, workspace: str | None = None, limit: int = 50
    ) -> tuple[SessionInfo, ...]:
        """Return the sessions in which `text` stands, in any case, the last used first."""
        wanted = text.lower()

        def work(connection: sqlite3.Connection) -> tuple[SessionInfo, ...]:
            found = (
                info
                for info in _listed(connection, workspace, -1)
                if wanted in info.title.lower() or _said(connection, info.id, wanted)
            )
            return tuple(islice(found, limit))

        return await self._database().read(work, SessionError)

    async def rename(self, session_id: str, title: str) -> None:
        """Give the session another title. Raises `SessionNotFound`."""

        def work(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE sessions SET title = ? WHERE id = ?", (title, session_id)
            )
            if not changed.rowcount:
                raise SessionNotFound(session_id)

        await self._database().write(work, SessionError)

    async def delete(self, session_id: str) -> None:
        """Forget a session. Raises `SessionNotFound`, and `SessionError` if another holds it."""

        def work(connection: sqlite3.Connection) -> None:
            number = _find(connection, session_id)
            self._holds.take(session_id)
            connection.execute("DELETE FROM sessions WHERE number = ?", (number,))

        def forget() -> None:
            self._numbers.pop(session_id, None)
            self._holds.drop(session_id)

        database = self._database()
        try:
            await database.write(work, SessionError)
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
        number = _find(connection, session_id)
        self._holds.take(session_id)
        return number


def _crc32(kind: str, turn_id: str, body: str) -> int:
    return checksum(f"{kind}\0{turn_id}\0{body}".encode(errors="surrogatepass"))


def _find(connection: sqlite3.Connection, session_id: str) -> int:
    row = connection.execute("SELECT number FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        raise SessionNotFound(session_id)
    number: int = row[0]
    return number


def _listed(
    connection: sqlite3.Connection, workspace: str | None, limit: int
) -> tuple[SessionInfo, ...]:
    rows = connection.execute(_LIST, {"workspace": workspace, "limit": limit})
    return tuple(SessionInfo(*row) for row in rows)


def _said(connection: sqlite3.Connection, session_id: str, wanted: str) -> bool:
    """Return whether a message of the session holds the text, which is in lower case."""
    # SQLite spares the reading of most records, but knows the case of ASCII letters only.
    part = json.dumps(wanted)[1:-1] if wanted.isascii() else ""
    rows = connection.execute(_SAID, (_find(connection, session_id), part))
    return any(says(decode(*row), wanted) for row in rows)
