"""A damaged database of sessions: set aside, never deleted, and a new one of what is whole."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from victor.errors import SessionError
from victor.protocols import Record, SessionInfo
from victor.storage.codec import KINDS, decode
from victor.storage.connection import lock_file, repair_mark
from victor.storage.database import is_open
from victor.storage.holds import held_elsewhere
from victor.storage.location import private_file
from victor.storage.raw_pages import Value, rows
from victor.storage.session_rows import crc32
from victor.storage.sqlite import SqliteSessionStore
from victor.storage.wal_check import damage, shm_of, wal_of
from victor.storage.writer_lock import WriterLock

_PATIENCE = 2.0
_SHARED_BYTES = (510, 0x40000002)
"""How many bytes SQLite locks, and where they begin."""
_COLUMNS = {
    "id": 1,
    "title": 2,
    "workspace": 3,
    "provider": 4,
    "model": 5,
    "created": 6,
    "updated": 7,
    "parent": 14,
    "parent_turn": 15,
}
"""Which columns of `sessions` say what cannot be counted anew, from 0. Tags stand elsewhere."""
_RECORDS_COLUMN = 17
"""Which column of `sessions` counts its records, from 0."""


@dataclass(frozen=True, slots=True)
class SalvagedSession:
    """What is left of one session."""

    info: SessionInfo
    kept: int
    """How many of its records are whole."""
    lost: int
    """How many are known to be missing; what is missing at the end may not be known."""


@dataclass(frozen=True, slots=True)
class SalvageReport:
    """What was kept of a damaged database."""

    damaged: Path
    """Where it is now, as it was."""
    sessions: tuple[SalvagedSession, ...] = ()
    log: str = ""
    """What was wrong with its log: the last records may be gone, of any session; else empty."""


@dataclass(slots=True)
class _Found:
    """What the pages tell of one session."""

    row: tuple[Any, ...] = ()
    records: dict[Any, tuple[Any, ...]] = field(default_factory=dict)
    """Kind, turn, time and body, by position."""


async def salvage(path: Path) -> SalvageReport:
    """Set the database aside and put into a new one what can be read; only whole records are kept.

    Broken off, it is gone on with by the next call. Raises `SessionError` where the database is in
    use, or there is no room for the new one; then what was there is still there.
    """
    with _alone(path):
        damaged = _set_aside(path)
        log = damage(damaged)
        found = await asyncio.to_thread(_read, damaged)
        fresh = path.with_name(f"{path.name}.salvaged")
        _remove(fresh)
        store = SqliteSessionStore(fresh)
        try:
            await store.list(limit=1)
            sessions = tuple([await _add(store, one) for one in _sessions(found)])
        finally:
            await store.aclose()
        fresh.replace(path)
        _remove_locks(fresh)
        repair_mark(path).unlink()
    return SalvageReport(damaged, sessions, log)


def set_aside(path: Path) -> Path:
    """Set a database aside that nothing is salvaged of; a new one is made at its next use.

    Returns where it is now. Raises `SessionError` where it is in use.
    """
    with _alone(path):
        damaged = _set_aside(path)
        repair_mark(path).unlink()
    return damaged


def _set_aside(path: Path) -> Path:
    """Move the database with its log to another name, which is returned. Raises `SessionError`.

    Its mark stays; while it stands there, nobody begins a new database in its place.
    """
    mark = repair_mark(path)
    try:
        if not mark.exists():
            private_file(mark)
            mark.write_text(time.strftime(f"%Y%m%d-%H%M%S-{os.getpid()}"))
        damaged = path.with_name(f"{path.name}.damaged-{mark.read_text()}")
        for source, target in (
            (wal_of(path), wal_of(damaged)),
            (shm_of(path), shm_of(damaged)),
            (path, damaged),
        ):
            if source.exists() and not target.exists():
                source.rename(target)
    except OSError as error:
        raise SessionError(f"{path} cannot be set aside: {error.strerror}.", hint=_ROOM) from error
    return damaged


def _alone(path: Path) -> ExitStack:
    """Return a context in which no other Victor uses the database. Raises `SessionError`."""
    stack = ExitStack()
    lock = WriterLock(lock_file(path), _PATIENCE)
    stack.callback(lock.close)
    try:
        stack.enter_context(lock.held())
    except TimeoutError as error:
        stack.close()
        raise SessionError(f"{path} is in use by another process.", hint=_CLOSE) from error
    except OSError as error:
        stack.close()
        raise SessionError(f"{path} cannot be repaired: {error.strerror}.", hint=_ROOM) from error
    owner = held_elsewhere(path)
    if owner or is_open(path) or _is_connected(path):
        stack.close()
        who = f"process {owner}" if owner else "a process that has it open"
        raise SessionError(f"{path} is in use by {who}.", hint=_CLOSE)
    return stack


def _is_connected(path: Path) -> bool:
    """Return whether another process has a connection: it would go on in the file that is moved.

    In a write-ahead log's database each connection holds these bytes of the file for reading.
    """
    import fcntl

    try:
        with path.open("rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, *_SHARED_BYTES)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


_LOST = "records were lost here"
_ROOM = "Make its folder writable, and see that its disk has room."
_CLOSE = "Close every other Victor, then try again."


def _remove(path: Path) -> None:
    for file in (path, wal_of(path), shm_of(path)):
        file.unlink(missing_ok=True)


def _remove_locks(path: Path) -> None:
    folder = lock_file(path).parent
    lock_file(path).unlink(missing_ok=True)
    if folder.is_dir():
        folder.rmdir()


def _read(path: Path) -> dict[Any, _Found]:
    """Return what the pages tell, by the sessions' numbers."""
    found: dict[Any, _Found] = {}
    if not path.exists():
        return found
    for number, row in rows(path):
        if _is_session(row):
            found.setdefault(number, _Found()).row = row
        elif _is_record(row):
            _, session, position, kind, turn_id, moment, body, _ = row
            records = found.setdefault(session, _Found()).records
            records[position] = (kind, turn_id, moment, body)
    return found


def _is_session(row: tuple[Value, ...]) -> bool:
    return (
        len(row) >= 11
        and row[0] is None
        and all(isinstance(value, str) for value in row[1:6])
        and all(isinstance(value, int | float) for value in row[6:11])
    )


def _is_record(row: tuple[Value, ...]) -> bool:
    if len(row) != 8 or not isinstance(row[1], int) or not isinstance(row[2], int):
        return False
    kind, turn_id, moment, body, check = row[3:]
    if not (isinstance(kind, str) and isinstance(turn_id, str) and isinstance(body, str)):
        return False
    if kind not in KINDS or not isinstance(moment, int | float):
        return False
    return check == crc32(kind, turn_id, body)


def _sessions(found: dict[Any, _Found]) -> Iterator[tuple[SessionInfo, tuple[Record, ...], int]]:
    """Yield each session that was found, its records, and how many of them are missing."""
    for number in sorted(found):
        one = found[number]
        records, lost = _with_gaps_told(one)
        if not records and not one.row:
            continue
        yield _info(number, one, records), records, lost


def _with_gaps_told(found: _Found) -> tuple[tuple[Record, ...], int]:
    """Return the records in order, with a note wherever some are missing, and how many are."""
    counted = found.row[_RECORDS_COLUMN] if len(found.row) > _RECORDS_COLUMN else 0
    there = sorted(found.records)
    end = max(counted if isinstance(counted, int) else 0, there[-1] + 1 if there else 0)
    records: list[Record] = []
    lost = 0
    for missing, run in groupby(range(end), lambda position: position not in found.records):
        positions = tuple(run)
        if missing:
            lost += len(positions)
            records.append(_note(len(positions), records))
        else:
            records += [decode(*found.records[position]) for position in positions]
    return tuple(records), lost


def _note(count: int, before: list[Record]) -> Record:
    error = f"{count} {_LOST} when the file of sessions was damaged."
    last = before[-1] if before else Record("failed", "")
    return Record("failed", last.turn_id, data={"error": error}, time=last.time)


def _info(number: int, found: _Found, records: tuple[Record, ...]) -> SessionInfo:
    if found.row:
        named = {name: found.row[at] for name, at in _COLUMNS.items() if at < len(found.row)}
        return SessionInfo(**named)
    turn_id = next((record.turn_id for record in records if record.turn_id), "")
    session_id = turn_id.rpartition("-")[0] or f"salvaged-{number}"
    times = [record.time for record in records]
    return SessionInfo(session_id, "(salvaged)", "", "", "", min(times), max(times))


async def _add(
    store: SqliteSessionStore, one: tuple[SessionInfo, tuple[Record, ...], int]
) -> SalvagedSession:
    info, records, lost = one
    try:
        await store.add(info, records)
    except SessionError:
        # Two rows may claim one id where one of them is damaged.
        info = replace(info, id=f"{info.id}-salvaged-{os.urandom(3).hex()}")
        await store.add(info, records)
    kept = sum(_LOST not in record.data.get("error", "") for record in records)
    return SalvagedSession(info, kept, lost)
