"""What is wrong with a database, found by reading all of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from victor.errors import SessionError
from victor.storage.connection import unsafe
from victor.storage.schema import VERSION
from victor.storage.session_rows import crc32

if TYPE_CHECKING:
    import sqlite3

FIXED_SINCE = (3, 51, 3)
_BACKPORTS: dict[tuple[int, ...], int] = {(3, 44): 6, (3, 50): 7}
"""Versions of SQLite before that one which have the repair as well, from this patch on."""

_MOST = 3
"""How many problems are worth telling."""

_NO_DAMAGE = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_IOERR_SHM",
    "SQLITE_IOERR_WRITE",
    "SQLITE_IOERR_LOCK",
)
"""What SQLite says of a disk that is full or may only be read, and of others who use the file."""

_RECORDS = """SELECT sessions.id, sessions.records, position, crc32, kind, turn_id, body
    FROM sessions LEFT JOIN records ON session = sessions.number
    ORDER BY sessions.number, position"""


def problems(path: Path) -> tuple[str, ...]:
    """Return what is wrong with the database, the first few only; nothing where all is well.

    A newer version's, or no database of Victor's, is told as well. It is opened as by any use.
    Raises `SessionError` where it cannot be opened for a reason that is no damage.
    """
    import sqlite3

    if wrong := unsafe(path):
        return (wrong,)
    try:
        address = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            # What is in the log stays there: who moves it must hold the writer's lock.
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            return tuple(_found(connection))[:_MOST]
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith(_NO_DAMAGE):
            raise SessionError(
                f"{path} cannot be looked through: {error}.",
                hint="Make the file and its folder writable, and see that its disk has room.",
            ) from error
        return (str(error),)


def version(path: Path) -> int:
    """Return the version of the database's schema. Raises what SQLite raises."""
    import sqlite3

    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return found


def has_reset_race(version: tuple[int, ...]) -> bool:
    """Return whether a SQLite of this version may lose a commit while a log is being moved.

    See https://www.sqlite.org/wal.html#walresetbug.
    """
    patch = _BACKPORTS.get(version[:2])
    return version < FIXED_SINCE and (patch is None or version[2] < patch)


def _found(connection: sqlite3.Connection) -> Iterator[str]:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        yield f"it is of a newer version of Victor (schema {version}, this one knows {VERSION})"
        return
    for (answer,) in connection.execute(f"PRAGMA integrity_check({_MOST})"):
        if answer != "ok":
            yield answer.replace("\n", " ")
    for table, *_ in connection.execute("PRAGMA foreign_key_check"):
        yield f"a row of {table} belongs to nothing"
    if version == VERSION:
        yield from _broken_sessions(connection)


def _broken_sessions(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the sessions that lack a record, or have one that is not as it was written."""
    expected: dict[str, int] = {}
    counts: dict[str, int] = {}
    told: set[str] = set()
    for session_id, counted, position, check, kind, turn_id, body in connection.execute(_RECORDS):
        counts[session_id] = counted
        if position is None:
            continue
        wanted = expected.get(session_id, 0)
        expected[session_id] = wanted + 1
        if session_id not in told and (position != wanted or check != crc32(kind, turn_id, body)):
            told.add(session_id)
            yield f"record {wanted + 1} of session {session_id!r} is damaged or gone"
    for session_id, counted in counts.items():
        there = expected.get(session_id, 0)
        if session_id not in told and counted != there:
            yield f"session {session_id!r} has {there} of its {counted} records"
