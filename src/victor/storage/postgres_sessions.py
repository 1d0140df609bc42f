"""Sessions in PostgreSQL: append-only, committed before anything is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from victor.errors import SessionError, SessionNotFound
from victor.protocols import Record, SessionInfo, SessionMatch
from victor.storage.codec import decode
from victor.storage.matching import has, matched, terms, words_of
from victor.storage.postgres import SCHEMA, PostgresAddress, PostgresConnection
from victor.storage.session_rows import crc32, entry
from victor.storage.totals import LAST, Figures, figures, totals

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_FIELDS = tuple(field.name for field in fields(SessionInfo))
_NAMES = ", ".join(_FIELDS)
_CREATE = f"""INSERT INTO sessions ({_NAMES}) VALUES ({", ".join(f"%({n})s" for n in _FIELDS)})
    ON CONFLICT (id) DO NOTHING RETURNING number"""  # noqa: S608 - names of columns
_LIST = f"""SELECT {_NAMES}, number FROM sessions
    WHERE (%(workspace)s::text IS NULL OR workspace = %(workspace)s)
    AND (%(tag)s::text IS NULL OR %(tag)s = ANY (tags))
    ORDER BY updated DESC, number DESC LIMIT %(limit)s"""  # noqa: S608 - names of columns
_INFO = f"SELECT {_NAMES} FROM sessions WHERE id = %s"  # noqa: S608 - names of columns
_COUNTED = ", ".join(f"{name} = {name} + %({name})s" for name in Figures._fields)
_COUNT = f"UPDATE sessions SET updated = %(time)s, {_COUNTED} WHERE number = %(session)s"  # noqa: S608  # names of columns
_APPEND = """INSERT INTO records (session, position, kind, turn_id, time, body, crc32)
    VALUES (%(session)s, %(position)s, %(kind)s, %(turn_id)s, %(time)s, %(body)s, %(crc32)s)"""
_LAST = """SELECT position, crc32 FROM records WHERE session = %s
    ORDER BY position DESC LIMIT 1"""
_LOAD = """SELECT position, crc32, kind, turn_id, time, body FROM records
    WHERE session = %s ORDER BY position"""
_SAID = """SELECT session, kind, turn_id, time, body FROM records
    WHERE session = ANY (%s) AND kind IN ('user', 'reply') AND body ILIKE ALL (%s)
    ORDER BY session, position DESC"""
_FIND = """SELECT id FROM sessions WHERE starts_with(id, %s) ORDER BY id COLLATE "C" LIMIT %s"""


@dataclass(slots=True)
class _Held:
    """A session that this store holds for writing."""

    epoch: int
    """The connection that the server keeps the lock for."""
    number: int = 0
    """Its row; 0 where it has none yet."""
    position: int = 0
    """That the next record gets."""
    in_doubt: int | None = None
    """The checksum of a record of which nobody knows whether it was committed."""


class PostgresSessionStore:
    """Sessions in the tables of `schema`, made at first use.

    A session is held by an advisory lock, which ends with the connection. Where that was lost, the
    session is taken again only if nobody else has written to it meanwhile.
    """

    def __init__(self, address: PostgresAddress, *, schema: str = SCHEMA) -> None:
        self._server = PostgresConnection(address, schema=schema)
        self._schema = schema
        self._held: dict[str, _Held] = {}

    async def create(self, info: SessionInfo) -> None:
        """Begin a session; one that exists stays as it is. Raises `SessionError`."""

        async def work(connection: AsyncConnection[Any]) -> None:
            held = await self._hold(connection, info.id)
            cursor = await connection.execute(_CREATE, _row(info))
            if (row := await cursor.fetchone()) is not None:
                held.number, held.position = row[0], 0

        await self._server.run(work, SessionError)

    async def add(self, info: SessionInfo, records: tuple[Record, ...]) -> None:
        """Begin a session that has these entries already. Raises `SessionError` if it exists."""
        counted = replace(info, **totals(records)._asdict())
        entries = [entry(record) for record in records]

        async def work(connection: AsyncConnection[Any]) -> None:
            cursor = await connection.execute(_CREATE, _row(counted))
            row = await cursor.fetchone()
            if row is None:
                raise SessionError(
                    f"{self._server.where}: the session {info.id!r} is recorded already."
                )
            for position, values in enumerate(entries):
                await connection.execute(
                    _APPEND, {**values, "session": row[0], "position": position}
                )

        await self._server.run(work, SessionError)

    async def open(self, session_id: str) -> None:
        """Hold the session, recorded or not. Raises `SessionError` while another store does."""

        async def work(connection: AsyncConnection[Any]) -> None:
            await self._hold(connection, session_id)

        await self._server.run(work, SessionError)

    async def append(self, session_id: str, record: Record) -> None:
        """Add one entry; the server has committed it when this returns.

        Raises `SessionNotFound`, and `SessionError` if it was not recorded, or nobody knows.
        """
        row = entry(record)

        async def work(connection: AsyncConnection[Any]) -> _Held:
            held = await self._hold(connection, session_id)
            if not held.number:
                raise SessionNotFound(session_id)
            held.in_doubt = row["crc32"]
            values = {**row, "session": held.number, "position": held.position}
            await connection.execute(_APPEND, values)
            if record.kind == "user" or record.kind in LAST:
                await connection.execute(_COUNT, {**values, **figures(record)._asdict()})
            return held

        def committed(held: _Held) -> None:
            held.position += 1
            held.in_doubt = None

        await self._server.run(work, SessionError, committed=committed)

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return all entries, oldest first.

        Raises `SessionNotFound`, and `SessionError` where an entry is not as it was written.
        """

        async def work(connection: AsyncConnection[Any]) -> list[Any]:
            number = await _number(connection, session_id)
            return await (await connection.execute(_LOAD, (number,))).fetchall()

        rows = await self._server.run(work, SessionError)
        records = []
        for expected, (position, check, kind, turn_id, time, body) in enumerate(rows):
            if position != expected or check != crc32(kind, turn_id, body):
                raise SessionError(
                    f"{self._server.where}: record {expected + 1} of session {session_id!r} is"
                    " damaged or gone.",
                    hint="Restore the database from a backup, or start another session.",
                )
            records.append(decode(kind, turn_id, time, body))
        return tuple(records)

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""

        async def work(connection: AsyncConnection[Any]) -> SessionInfo:
            row = await (await connection.execute(_INFO, (session_id,))).fetchone()
            if row is None:
                raise SessionNotFound(session_id)
            return _info(row)

        return await self._server.run(work, SessionError)

    async def find(self, beginning: str, limit: int = 10) -> tuple[str, ...]:
        """Return the ids that begin so, sorted."""

        async def work(connection: AsyncConnection[Any]) -> tuple[str, ...]:
            cursor = await connection.execute(_FIND, (beginning, limit))
            return tuple(row[0] for row in await cursor.fetchall())

        return await self._server.run(work, SessionError)

    async def list(
        self, workspace: str | None = None, limit: int = 50, tag: str | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return sessions, the last used first; of one workspace or with one tag, if named."""
        listed = await self._listed(workspace, limit, tag)
        return tuple(listed.values())

    async def search(
        self, text: str, workspace: str | None = None, limit: int = 50
    ) -> tuple[SessionMatch, ...]:
        """Return the sessions in which every word of `text` stands, the last used first."""
        wanted = terms(text)
        if not wanted:
            return ()
        listed = await self._listed(workspace, None, None)
        # What the server can compare spares the reading of most records; the rest is looked at.
        likely = [f"%{term}%" for term in wanted if term.isascii() and term.isalnum()]

        async def work(connection: AsyncConnection[Any]) -> dict[int, Record]:
            found: dict[int, Record] = {}
            async with connection.cursor(name="said") as cursor:
                await cursor.execute(_SAID, (list(listed), likely or ["%"]))
                async for session, *columns in cursor:
                    if session in found:
                        continue
                    record = decode(*columns)
                    if has(words_of(record), wanted):
                        found[session] = record
            return found

        said = await self._server.run(work, SessionError)
        found = (
            matched(info, said.get(number), wanted)
            for number, info in listed.items()
            if number in said or has(info.title, wanted)
        )
        return tuple(islice(found, limit))

    async def rename(self, session_id: str, title: str) -> None:
        """Give the session another title. Raises `SessionNotFound`."""
        await self._set("UPDATE sessions SET title = %s WHERE id = %s", session_id, title)

    async def set_tags(self, session_id: str, tags: tuple[str, ...]) -> None:
        """Put these tags on the session, and no others. Raises `SessionNotFound`."""
        kept = sorted(set(tags))
        await self._set("UPDATE sessions SET tags = %s WHERE id = %s", session_id, kept)

    async def delete(self, session_id: str) -> None:
        """Forget a session. Raises `SessionNotFound`, and `SessionError` if another holds it."""

        async def work(connection: AsyncConnection[Any]) -> None:
            number = await _number(connection, session_id)
            await self._hold(connection, session_id)
            await connection.execute("DELETE FROM sessions WHERE number = %s", (number,))
            await connection.execute("SELECT pg_advisory_unlock(%s)", (self._key(session_id),))

        await self._server.run(work, SessionError)
        self._held.pop(session_id, None)

    async def aclose(self) -> None:
        """Give up the sessions held, and close the connection. A later call opens it again."""
        await self._server.aclose()
        self._held.clear()

    async def _listed(
        self, workspace: str | None, limit: int | None, tag: str | None
    ) -> dict[int, SessionInfo]:
        asked = {"workspace": workspace, "limit": limit, "tag": tag}

        async def work(connection: AsyncConnection[Any]) -> dict[int, SessionInfo]:
            rows = await (await connection.execute(_LIST, asked)).fetchall()
            return {row[-1]: _info(row[:-1]) for row in rows}

        return await self._server.run(work, SessionError)

    async def _set(self, statement: str, session_id: str, value: object) -> None:
        async def work(connection: AsyncConnection[Any]) -> None:
            if not (await connection.execute(statement, (value, session_id))).rowcount:
                raise SessionNotFound(session_id)

        await self._server.run(work, SessionError)

    async def _hold(self, connection: AsyncConnection[Any], session_id: str) -> _Held:
        """Hold the session, once more where the connection was lost. Raises `SessionError`."""
        known = self._held.get(session_id)
        if known is not None and known.epoch == self._server.epoch and known.in_doubt is None:
            return known
        if known is None or known.epoch != self._server.epoch:
            await self._lock(connection, session_id)
        fresh = _Held(self._server.epoch)
        row = await (
            await connection.execute("SELECT number FROM sessions WHERE id = %s", (session_id,))
        ).fetchone()
        if row is not None:
            last = await (await connection.execute(_LAST, row)).fetchone()
            fresh.number, fresh.position = row[0], last[0] + 1 if last else 0
            if known is not None and known.number and not _goes_on(known, last):
                raise SessionError(
                    f"{self._server.where}: the session {session_id!r} was written to elsewhere"
                    " while the connection was lost.",
                    hint="Resume it to go on from what is there now.",
                )
        self._held[session_id] = fresh
        return fresh

    async def _lock(self, connection: AsyncConnection[Any], session_id: str) -> None:
        query = "SELECT pg_try_advisory_lock(%s)"
        row = await (await connection.execute(query, (self._key(session_id),))).fetchone()
        if row is None or not row[0]:
            raise SessionError(
                f"The session {session_id!r} is open for writing elsewhere, by another user of"
                f" {self._server.where}.",
                hint="Close it there, or start another session.",
            )

    def _key(self, session_id: str) -> int:
        """Return the number that an advisory lock has in place of a name."""
        from hashlib import sha256

        name = f"{self._schema}\0{session_id}".encode(errors="surrogatepass")
        return int.from_bytes(sha256(name).digest()[:8], "big", signed=True)


def _goes_on(known: _Held, last: tuple[int, int] | None) -> bool:
    """Return whether what is there is what this store wrote, the record in doubt or not."""
    position, check = last if last is not None else (-1, None)
    if position + 1 == known.position:
        return True
    return position == known.position and check == known.in_doubt


async def _number(connection: AsyncConnection[Any], session_id: str) -> int:
    query = "SELECT number FROM sessions WHERE id = %s"
    row = await (await connection.execute(query, (session_id,))).fetchone()
    if row is None:
        raise SessionNotFound(session_id)
    number: int = row[0]
    return number


def _row(info: SessionInfo) -> dict[str, Any]:
    values = {name: getattr(info, name) for name in _FIELDS}
    return {**values, "tags": sorted(set(info.tags))}


def _info(row: tuple[Any, ...]) -> SessionInfo:
    values = dict(zip(_FIELDS, row, strict=True))
    return SessionInfo(**{**values, "tags": tuple(values["tags"])})
