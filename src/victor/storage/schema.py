"""The tables, and how a database of an earlier version is brought up to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from victor.errors import SessionError
from victor.storage.location import private_file

if TYPE_CHECKING:
    import sqlite3

APPLICATION_ID = 0x56494354
"""`VICT`: marks the file as Victor's own."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # AUTOINCREMENT: a number that a deleted session had must never mean another one.
        """CREATE TABLE sessions (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            workspace TEXT NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            created REAL NOT NULL,
            updated REAL NOT NULL,
            turns INTEGER NOT NULL DEFAULT 0,
            input_tokens INTEGER NOT NULL DEFAULT 0,
            output_tokens INTEGER NOT NULL DEFAULT 0
        )""",
        # `position` counts a session's records from 0: a gap, or a wrong `crc32` of kind, turn and
        # body, shows damage that SQLite itself does not see.
        """CREATE TABLE records (
            number INTEGER PRIMARY KEY,
            session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            kind TEXT NOT NULL,
            turn_id TEXT NOT NULL,
            time REAL NOT NULL,
            body TEXT NOT NULL,
            crc32 INTEGER NOT NULL
        )""",
        "CREATE UNIQUE INDEX records_in_order ON records (session, position)",
        """CREATE TABLE blobs (
            sha256 TEXT PRIMARY KEY,
            data BLOB NOT NULL
        )""",
        """CREATE TABLE checkpoints (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            session TEXT NOT NULL,
            turn_id TEXT NOT NULL,
            time REAL NOT NULL,
            after TEXT NOT NULL,
            skipped TEXT NOT NULL,
            undone INTEGER NOT NULL
        )""",
        "CREATE INDEX checkpoints_of_session ON checkpoints (session)",
        """CREATE TABLE images (
            checkpoint INTEGER NOT NULL REFERENCES checkpoints (number) ON DELETE CASCADE,
            path BLOB NOT NULL,
            sha256 TEXT REFERENCES blobs (sha256),
            mode INTEGER NOT NULL,
            link BLOB NOT NULL
        )""",
        "CREATE INDEX images_of_checkpoint ON images (checkpoint)",
        "CREATE INDEX images_of_blob ON images (sha256)",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN cost_usd REAL NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN unpriced_turns INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN seconds REAL NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN parent TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE sessions ADD COLUMN parent_turn INTEGER NOT NULL DEFAULT 0",
        # How many of its records the search index has; the next search adds the others.
        "ALTER TABLE sessions ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE tags (
            session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
            tag TEXT NOT NULL,
            PRIMARY KEY (session, tag)
        ) WITHOUT ROWID""",
        "CREATE INDEX sessions_by_tag ON tags (tag)",
        """UPDATE sessions SET (cost_usd, unpriced_turns, seconds) = (
            SELECT coalesce(sum(json_extract(body, '$.data.cost_usd')), 0),
                coalesce(sum(json_extract(body, '$.data.cost_usd') IS NULL
                    AND coalesce(json_extract(body, '$.data.model_calls'), 0) > 0), 0),
                coalesce(sum(json_extract(body, '$.data.seconds')), 0)
            FROM records WHERE records.session = sessions.number
                AND kind IN ('ended', 'failed', 'cancelled') AND json_valid(body)
        )""",
    ),
    (
        "ALTER TABLE checkpoints ADD COLUMN restores TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE images ADD COLUMN folder INTEGER NOT NULL DEFAULT 0",
        # What was left there: NULL where that is not known.
        "ALTER TABLE images ADD COLUMN after BLOB",
        "ALTER TABLE images ADD COLUMN after_mode INTEGER",
        # Permissions were not noted before; those that were kept with a file are the best guess.
        """UPDATE images SET (after, after_mode) = (
            SELECT CAST(value AS BLOB), iif(value GLOB 'link:*' OR value = 'absent', 0, mode)
            FROM checkpoints, json_each(iif(json_valid(checkpoints.after), checkpoints.after, '{}'))
            WHERE checkpoints.number = images.checkpoint
                AND json_each.key = CAST(images.path AS TEXT)
        )""",
    ),
    (
        # How many records there are: a history that lost its end is told from a whole one.
        "ALTER TABLE sessions ADD COLUMN records INTEGER NOT NULL DEFAULT 0",
        """UPDATE sessions SET records =
            (SELECT count(*) FROM records WHERE records.session = sessions.number)""",
        """CREATE TRIGGER records_are_counted AFTER INSERT ON records BEGIN
            UPDATE sessions SET records = records + 1 WHERE number = new.session;
        END""",
    ),
)
"""What each version adds to the one before; `user_version` counts those that were applied."""

VERSION = len(MIGRATIONS)


def behind(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the database is of an earlier version. Raises as `migrate` does."""
    return _version(connection, path) < VERSION


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database up to `VERSION`, in one transaction, keeping a copy of it as it was.

    Raises `SessionError` where the file is not Victor's, or a newer Victor's.
    """
    version = _version(connection, path)
    if version == VERSION:
        # Another process did it while this one waited for its turn.
        return
    if version:
        _keep_copy(connection, backup_of(path, version))
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[_version(connection, path) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def backup_of(path: Path, version: int) -> Path:
    """Return where a copy of the database is kept as that version had left it."""
    return path.with_name(f"{path.name}.before-version-{version + 1}")


def _keep_copy(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy the database; a copy has its name only once it is whole."""
    import sqlite3
    from contextlib import closing

    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    private_file(part)
    with closing(sqlite3.connect(part)) as target:
        connection.backup(target)
    part.replace(copy)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and (owner or version or tables):
        raise SessionError(
            f"{path} is not a database of Victor's.",
            hint="Set VICTOR_HOME to another folder, or move the file away.",
        )
    if version > VERSION:
        raise SessionError(
            f"{path} was written by a newer version of Victor"
            f" (schema {version}, this one knows {VERSION}).",
            hint="Update Victor, or set VICTOR_HOME to another folder.",
        )
    return version
