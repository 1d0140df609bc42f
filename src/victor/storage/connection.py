"""Opening an SQLite file, durable and with its writers kept apart, unless it is damaged."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from victor.storage.schema import behind, migrate
from victor.storage.wal_check import damage
from victor.storage.writer_lock import WriterLock

if TYPE_CHECKING:
    import sqlite3


def lock_file(path: Path) -> Path:
    """Return the file whose lock keeps the writers of a database apart."""
    return path.with_name(f"{path.name}.locks") / "writer"


def repair_mark(path: Path) -> Path:
    """Return the file that stands beside a database while it is being repaired."""
    return path.with_name(f"{path.name}.repairing")


def unsafe(path: Path) -> str:
    """Return why the database must not be opened: SQLite would lose some of it without a word.

    Empty where it may be.
    """
    if repair_mark(path).exists():
        return "its repair was broken off"
    return damage(path)


def connect(path: Path, patience: float, lock: WriterLock) -> sqlite3.Connection:
    """Return a connection to the database, which is made or brought up to this version.

    Raises `SessionError` for a file that is not this Victor's, and what SQLite raises.
    """
    import sqlite3

    connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
    try:
        _use_wal(connection, patience)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # The log is moved by who holds the lock, and what is deleted is overwritten.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA secure_delete = ON")
        if behind(connection, path):
            with lock.held():
                migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def move_log(connection: sqlite3.Connection, patience: float) -> None:
    """Move what the log holds into the file, and empty it unless somebody is reading.

    To be called by who holds the writer's lock.
    """
    import sqlite3

    # What was committed is as safe in the log: nobody waits for readers here.
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")


def _use_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Switch the file to a write-ahead log, unless it has one.

    The switch does not wait for other processes by itself. Where it is refused, as on network
    disks, the rollback journal stays: slower, as durable.
    """
    import sqlite3

    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
