"""The index of a search: SQLite's FTS5, of parts of three characters, brought up to date lazily.

It says which records may hold all the terms; whether one does is read in the record itself. So a
search finds the same with and without it, and recording costs nothing. An SQLite that lacks FTS5 or
its trigrams (before 3.34) looks through every record instead.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from victor.errors import SessionError
from victor.storage.codec import decode
from victor.storage.matching import words_of

if TYPE_CHECKING:
    import sqlite3

BATCH = 1_000
"""Records that are indexed in one transaction, so that other writers need not wait for long."""

_LENGTH = 3
_MOST_PARTS = 60

_CREATE = """CREATE VIRTUAL TABLE IF NOT EXISTS search
    USING fts5(text, content='', detail=none, tokenize='trigram case_sensitive 1')"""

_MISSING = """SELECT r.number, r.session, r.position, r.kind, r.turn_id, r.time, r.body
    FROM sessions AS s JOIN records AS r ON r.session = s.number AND r.position >= s.indexed
    ORDER BY r.session, r.position LIMIT ?"""

_INDEXED = """SELECT number, kind, turn_id, time, body FROM records
    WHERE session = :session AND position < (SELECT indexed FROM sessions WHERE number = :session)
    AND kind IN ('user', 'reply')"""


def is_possible(connection: sqlite3.Connection) -> bool:
    """Return whether this SQLite can have the index."""
    import sqlite3

    try:
        connection.execute(_CREATE.replace("search", "temp.search_trial", 1))
        connection.execute("DROP TABLE temp.search_trial")
    except sqlite3.OperationalError:
        return False
    return True


def catch_up(connection: sqlite3.Connection) -> bool:
    """Index the next records that are not; return whether there may be more of them."""
    connection.execute(_CREATE)
    rows = connection.execute(_MISSING, (BATCH,)).fetchall()
    reached: dict[int, int] = {}
    for number, session, position, *record in rows:
        reached[session] = position + 1
        if text := _text(*record):
            connection.execute("INSERT INTO search (rowid, text) VALUES (?, ?)", (number, text))
    connection.executemany(
        "UPDATE sessions SET indexed = ? WHERE number = ?",
        [(position, session) for session, position in reached.items()],
    )
    return len(rows) == BATCH


def forget(connection: sqlite3.Connection, session: int) -> None:
    """Take a session's records out of the index, before they are deleted."""
    import sqlite3

    rows = connection.execute(_INDEXED, {"session": session}).fetchall()
    gone = [("delete", number, text) for number, *record in rows if (text := _text(*record))]
    # Where this SQLite cannot read it, it keeps triples of letters: no text, and no wrong match.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.executemany("INSERT INTO search (search, rowid, text) VALUES (?, ?, ?)", gone)


def query(wanted: tuple[str, ...]) -> str:
    """Return the terms as FTS5 asks for them; empty where all are too short for the index."""
    parts = {
        _encodable(term[start : start + _LENGTH]): None
        for term in wanted
        for start in range(len(term) - _LENGTH + 1)
    }
    few = tuple(parts)[:_MOST_PARTS]
    return " AND ".join('"' + part.replace('"', '""') + '"' for part in few)


def _text(kind: str, turn_id: str, time: float, body: str) -> str:
    """Return what is searched, as it is compared; nothing of a record that cannot be read."""
    if kind not in {"user", "reply"}:
        return ""
    try:
        words = words_of(decode(kind, turn_id, time, body))
    except SessionError:
        return ""
    return _encodable(words.lower())


def _encodable(text: str) -> str:
    """Return the text without lone surrogates, which SQLite refuses, and NUL, where it stops."""
    return text.encode(errors="replace").decode().replace("\0", "\1")
