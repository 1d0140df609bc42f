"""Sessions as rows: the statements of the SQLite store, and values from and to its columns."""

from __future__ import annotations

import json
from dataclasses import astuple, fields
from time import time
from typing import TYPE_CHECKING, Any, TypeAlias
from zlib import crc32 as checksum

from victor.errors import SessionNotFound
from victor.protocols import Record, SessionInfo
from victor.storage.codec import decode, encode
from victor.storage.matching import has, words_of

if TYPE_CHECKING:
    import sqlite3

CREATE = """INSERT INTO sessions (id, title, workspace, provider, model, created, updated,
    turns, input_tokens, output_tokens, cost_usd, unpriced_turns, seconds, parent, parent_turn)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"""

_SELECT = """SELECT id, title, workspace, provider, model, created, updated,
    turns, input_tokens, output_tokens, cost_usd, unpriced_turns, seconds,
    (SELECT json_group_array(tag) FROM
        (SELECT tag FROM tags WHERE session = sessions.number ORDER BY tag)),
    parent, parent_turn, number FROM sessions"""

_WHICH = """(:workspace IS NULL OR workspace = :workspace)
    AND (:tag IS NULL OR number IN (SELECT session FROM tags WHERE tag = :tag))
    ORDER BY updated DESC, number DESC LIMIT :limit"""

INFO = f"{_SELECT} WHERE id = ?"
"""A session's columns, as `info_of` takes them."""

LIST = f"{_SELECT} WHERE {_WHICH}"
"""The same, of every session that is asked for."""

APPEND = """INSERT INTO records (session, position, kind, turn_id, time, body, crc32)
    SELECT :session, coalesce(max(position) + 1, 0), :kind, :turn_id, :time, :body, :crc32
    FROM records WHERE session = :session"""

COUNT = """UPDATE sessions SET updated = ?, turns = turns + ?,
    input_tokens = input_tokens + ?, output_tokens = output_tokens + ?, cost_usd = cost_usd + ?,
    unpriced_turns = unpriced_turns + ?, seconds = seconds + ? WHERE number = ?"""

ADD = """INSERT INTO records (session, position, kind, turn_id, time, body, crc32)
    VALUES (:session, :position, :kind, :turn_id, :time, :body, :crc32)"""

FIND = "SELECT id FROM sessions WHERE substr(id, 1, :length) = :beginning ORDER BY id LIMIT :limit"

LOAD = """SELECT position, crc32, kind, turn_id, time, body, sessions.records FROM sessions
    LEFT JOIN records ON session = sessions.number WHERE sessions.number = ? ORDER BY position"""
"""A session's records and how many there are; one row of NULL where there is none."""

SAID = """SELECT number, session FROM records WHERE kind IN ('user', 'reply')
    ORDER BY session, position DESC"""

MAY_SAY = """SELECT number, session FROM records WHERE kind IN ('user', 'reply')
    AND number IN (SELECT rowid FROM search WHERE search MATCH ?)
    ORDER BY session, position DESC"""

RECORD = "SELECT kind, turn_id, time, body FROM records WHERE number = ?"

_TAGS = [field.name for field in fields(SessionInfo)].index("tags")
"""Where the tags stand, among the fields and in a row."""

Row: TypeAlias = tuple[int, int, str, str, float, str, int]


def crc32(kind: str, turn_id: str, body: str) -> int:
    """Return the checksum that is kept with a record."""
    return checksum(f"{kind}\0{turn_id}\0{body}".encode(errors="surrogatepass"))


def first_broken(found: list[Row]) -> int | None:
    """Return the position of the first record that is not there as it was written, if one is."""
    there = [row for row in found if row[0] is not None]
    for expected, (position, check, kind, turn_id, _, body, _) in enumerate(there):
        if position != expected or check != crc32(kind, turn_id, body):
            return expected
    counted = found[0][-1] if found else 0
    return None if counted == len(there) else len(there)


def find(connection: sqlite3.Connection, session_id: str) -> int:
    """Return the row of a session. Raises `SessionNotFound`."""
    row = connection.execute("SELECT number FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        raise SessionNotFound(session_id)
    number: int = row[0]
    return number


def entry(record: Record) -> dict[str, Any]:
    """Return the row of a record, without its session and position."""
    body = encode(record)
    return {
        "kind": record.kind,
        "turn_id": record.turn_id,
        "time": record.time or time(),
        "body": body,
        "crc32": crc32(record.kind, record.turn_id, body),
    }


def row_of(info: SessionInfo) -> tuple[Any, ...]:
    """Return the values for `CREATE`."""
    values = astuple(info)
    return (*values[:_TAGS], *values[_TAGS + 1 :])


def info_of(row: tuple[Any, ...]) -> SessionInfo:
    """Return what a row of `INFO` or `LIST` says."""
    values = list(row[:-1])
    values[_TAGS] = tuple(json.loads(row[_TAGS]))
    return SessionInfo(*values)


def put_tags(connection: sqlite3.Connection, session_id: str, tags: tuple[str, ...]) -> int:
    """Put these tags on a session, and no others, and return its row."""
    number = find(connection, session_id)
    connection.execute("DELETE FROM tags WHERE session = ?", (number,))
    connection.executemany("INSERT INTO tags VALUES (?, ?)", {(number, tag) for tag in tags})
    return number


def said(
    connection: sqlite3.Connection, wanted: tuple[str, ...], asked: str, among: frozenset[int]
) -> dict[int, Record]:
    """Return, by session, the newest record that has the terms."""
    found: dict[int, Record] = {}
    candidates = connection.execute(MAY_SAY, (asked,)) if asked else connection.execute(SAID)
    for number, session in candidates:
        if session in found or session not in among:
            continue
        record = decode(*connection.execute(RECORD, (number,)).fetchone())
        if has(words_of(record), wanted):
            found[session] = record
    return found
