"""A copy of a workspace's files, so that what a command changes can be put back.

It is a cache in a file of its own: each content once, compressed, and for each path what its file
looked like when it was read. It may be deleted at any time while no command runs.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from victor.errors import CheckpointError, SessionError
from victor.storage.location import private_file

if TYPE_CHECKING:
    import sqlite3

Look: TypeAlias = tuple[int, int, int, int, int]
"""Mode, size, mtime, ctime (both in nanoseconds) and inode: who changes a file, changes these."""

Known: TypeAlias = tuple[Look, str]
"""What a file looked like, and the sha256 of what it held."""

VERSION = 1
UNUSED_SECONDS = 24 * 3600.0
"""How long a content stays that no file has any more: a command may still need it."""

_TABLES = """
CREATE TABLE IF NOT EXISTS contents (
    sha256 BLOB PRIMARY KEY,
    used REAL NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY,
    mode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime INTEGER NOT NULL,
    ctime INTEGER NOT NULL,
    inode TEXT NOT NULL,
    sha256 BLOB NOT NULL
) WITHOUT ROWID;
"""


class Shadow:
    """The copy in the SQLite file at `path`, opened at first use. One thread at a time uses it.

    Without a path it is a nameless file that is gone when it is closed.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def known(self) -> dict[str, Known]:
        """Return what is known of each file. Raises `CheckpointError`."""
        query = "SELECT path, mode, size, mtime, ctime, inode, sha256 FROM files"
        with self._using() as connection:
            return {
                os.fsdecode(path): ((mode, size, mtime, ctime, int(inode)), sha256.hex())
                for path, mode, size, mtime, ctime, inode, sha256 in connection.execute(query)
            }

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Keep contents by their sha256. Raises `CheckpointError`."""
        now = time.time()
        rows = [
            (bytes.fromhex(sha256), now, zlib.compress(content, 1))
            for sha256, content in contents.items()
        ]
        with self._using() as connection, connection:
            connection.executemany(
                "INSERT INTO contents VALUES (?, ?, ?)"
                " ON CONFLICT (sha256) DO UPDATE SET used = excluded.used",
                rows,
            )

    def note(self, files: Mapping[str, Known], gone: Iterable[str]) -> None:
        """Note what files look like now, and which there are no more. Raises `CheckpointError`."""
        rows = (
            (os.fsencode(path), *look[:4], str(look[4]), bytes.fromhex(sha256))
            for path, (look, sha256) in files.items()
        )
        with self._using() as connection, connection:
            connection.executemany("REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany(
                "DELETE FROM files WHERE path = ?", ((os.fsencode(path),) for path in gone)
            )

    def content(self, sha256: str) -> bytes | None:
        """Return a content; None where it is not there. Raises `CheckpointError`."""
        query = "SELECT data FROM contents WHERE sha256 = ?"
        with self._using() as connection:
            row = connection.execute(query, (bytes.fromhex(sha256),)).fetchone()
            return zlib.decompress(row[0]) if row else None

    def close(self) -> None:
        """Drop contents that no file has any more, and close the file."""
        import sqlite3

        if self._connection is None:
            return
        unused = "sha256 NOT IN (SELECT sha256 FROM files) AND used < ?"
        with contextlib.suppress(sqlite3.Error), self._connection:
            until = time.time() - UNUSED_SECONDS
            self._connection.execute(f"DELETE FROM contents WHERE {unused}", (until,))  # noqa: S608  # own text, no value
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._connection = None

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        try:
            if self._connection is None:
                self._connection = _opened(self.path)
            yield self._connection
        except (sqlite3.Error, zlib.error, OSError) as error:
            self._give_up(broken=type(error) in (sqlite3.DatabaseError, zlib.error))
            raise CheckpointError(
                f"{self.path}: {error}.",
                hint="It is only a copy: delete it, or make room on its disk.",
            ) from error
        except SessionError as error:
            raise CheckpointError(str(error.args[0]), hint=error.hint) from error

    def _give_up(self, *, broken: bool) -> None:
        import sqlite3

        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        if broken and self.path is not None:
            _delete(self.path)


def _opened(path: Path | None) -> sqlite3.Connection:
    """Return a connection to the file, made anew where it is no database any more."""
    import sqlite3

    if path is None:
        return _connected(path)
    private_file(path)
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        # Of its own kind, and not of the others: the file is damaged, and only a copy.
        if type(error) is not sqlite3.DatabaseError:
            raise
        _delete(path)
        private_file(path)
        return _connected(path)


def _delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def _connected(path: Path | None) -> sqlite3.Connection:
    import sqlite3

    # SQLite makes a temporary file of its own, unlinked at once, where the name is empty.
    connection = sqlite3.connect(path or "", timeout=10.0, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # After a power cut a command that ran then cannot be undone; a crash loses nothing.
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            connection.executescript("DROP TABLE IF EXISTS contents; DROP TABLE IF EXISTS files;")
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection
