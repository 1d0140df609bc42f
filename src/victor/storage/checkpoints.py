"""Checkpoints in an SQLite file: each content is kept once, compressed, under its sha256."""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.errors import CheckpointError
from victor.protocols import ABSENT, Checkpoint, FileState, folder_state
from victor.storage.database import Database, acquire, release
from victor.storage.retention import let_go

if TYPE_CHECKING:
    import sqlite3

_PUT = """INSERT INTO checkpoints
    (id, session, turn_id, time, after, skipped, undone, restores)
    VALUES (?, ?, ?, ?, '{}', ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    session = excluded.session, turn_id = excluded.turn_id, time = excluded.time,
    skipped = excluded.skipped, undone = excluded.undone, restores = excluded.restores
    RETURNING number"""

_OF_SESSION = """SELECT number, id, session, turn_id, time, skipped, undone, restores
    FROM checkpoints WHERE session = ? ORDER BY number"""
_OF_ID = """SELECT number, id, session, turn_id, time, skipped, undone, restores
    FROM checkpoints WHERE id = ?"""
_OLDEST = """SELECT number, id, session, turn_id, time, skipped, undone, restores
    FROM checkpoints WHERE EXISTS (SELECT 1 FROM images WHERE checkpoint = number)
    ORDER BY number LIMIT 1"""

_IMAGES = """SELECT path, sha256, mode, link, folder, after, after_mode FROM images
    WHERE checkpoint = ? ORDER BY rowid"""
_PUT_IMAGE = """INSERT INTO images
    (checkpoint, path, sha256, mode, link, folder, after, after_mode)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

_INLINE_BYTES = 64 * 1024
"""Up to here compressing is cheaper than a thread."""

_NOTHING: Mapping[str, bytes] = {}


class SqliteCheckpointStore:
    """Checkpoints in the SQLite file at `path`, opened at first use.

    The file may be the sessions' own; apart it is easier to do without. `patience` is how many
    seconds to wait for other processes that write to it.
    """

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        self._path = path.expanduser().absolute()
        self._patience = patience
        self._shared: Database | None = None

    async def put(self, checkpoint: Checkpoint, contents: Mapping[str, bytes] = _NOTHING) -> None:
        """Keep a checkpoint, replacing the one of the same id; it is on the disk when this returns.

        Raises `CheckpointError`.
        """
        blobs = await compressed(contents)
        row = (
            checkpoint.id,
            checkpoint.session_id,
            checkpoint.turn_id,
            checkpoint.time,
            json.dumps(checkpoint.skipped),
            checkpoint.undone,
            json.dumps(checkpoint.restores),
        )
        images = [_image_row(path, checkpoint) for path in checkpoint.before]

        def work(connection: sqlite3.Connection) -> None:
            (number,) = connection.execute(_PUT, row).fetchone()
            connection.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", blobs.items())
            shas = _contents_of(connection, number)
            connection.execute("DELETE FROM images WHERE checkpoint = ?", (number,))
            connection.executemany(_PUT_IMAGE, ((number, *image) for image in images))
            _drop_unused(connection, shas)

        await self._database().write(work, CheckpointError)

    async def get(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint. Raises `CheckpointError` if there is none."""

        def work(connection: sqlite3.Connection) -> Checkpoint:
            row = connection.execute(_OF_ID, (checkpoint_id,)).fetchone()
            if row is None:
                raise CheckpointError(f"There is no checkpoint {checkpoint_id!r}.")
            return _checkpoint(connection, row)

        return await self._database().read(work, CheckpointError)

    async def content(self, sha256: str) -> bytes:
        """Return a content that some checkpoint has, proven by its sha256.

        Raises `CheckpointError`.
        """

        def work(connection: sqlite3.Connection) -> bytes | None:
            query = "SELECT data FROM blobs WHERE sha256 = ?"
            row = connection.execute(query, (sha256,)).fetchone()
            return row[0] if row else None

        data = await self._database().read(work, CheckpointError)
        return await uncompressed(sha256, data)

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first. Raises `CheckpointError`."""

        def work(connection: sqlite3.Connection) -> tuple[Checkpoint, ...]:
            rows = connection.execute(_OF_SESSION, (session_id,)).fetchall()
            return tuple(_checkpoint(connection, row) for row in rows)

        return await self._database().read(work, CheckpointError)

    async def mark(self, *, undone: tuple[str, ...] = (), standing: tuple[str, ...] = ()) -> None:
        """Note of checkpoints that they were taken back or stand again, in one transaction.

        Raises `CheckpointError`.
        """
        rows = [(True, name) for name in undone] + [(False, name) for name in standing]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("UPDATE checkpoints SET undone = ? WHERE id = ?", rows)

        await self._database().write(work, CheckpointError)

    async def delete(self, session_id: str) -> None:
        """Forget the session's checkpoints, and contents that no other has.

        Raises `CheckpointError`.
        """

        def work(connection: sqlite3.Connection) -> None:
            for row in connection.execute(_OF_SESSION, (session_id,)).fetchall():
                _drop_images(connection, row[0])
            connection.execute("DELETE FROM checkpoints WHERE session = ?", (session_id,))

        await self._database().write(work, CheckpointError)

    async def prune(self, *, before: float, most_bytes: int) -> int:
        """Let go of the contents of old checkpoints, until the used part of the file is small
        enough; those with none left count. Raises `CheckpointError`.
        """

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute(_OLDEST).fetchone()
            if row is None or (row[4] >= before and _used_bytes(connection) <= most_bytes):
                return False
            emptied = let_go(_checkpoint(connection, row))
            _drop_images(connection, row[0])
            connection.execute(
                "UPDATE checkpoints SET skipped = ? WHERE number = ?",
                (json.dumps(emptied.skipped), row[0]),
            )
            return True

        count = 0
        # One at a time, so that nobody else who writes has to wait for long.
        while await self._database().write(work, CheckpointError):
            count += 1
        return count

    async def aclose(self) -> None:
        """Close the file if no other store uses it. A later call opens it again."""
        database, self._shared = self._shared, None
        if database is not None:
            await release(database)

    def _database(self) -> Database:
        # A forked child has the parent's object, but not its thread.
        if self._shared is None or self._shared.pid != os.getpid():
            self._shared = acquire(self._path, patience=self._patience)
        return self._shared


async def compressed(contents: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the contents compressed, as checkpoint stores keep them."""

    def work() -> Mapping[str, bytes]:
        return {sha256: zlib.compress(content, 1) for sha256, content in contents.items()}

    if sum(map(len, contents.values())) <= _INLINE_BYTES:
        return work()
    return await asyncio.to_thread(work)


async def uncompressed(sha256: str, data: bytes | None) -> bytes:
    """Return the content again. Raises `CheckpointError` where it is not the one."""
    if data is None:
        raise CheckpointError(f"The content {sha256[:12]} of a file was not kept.")
    content = await asyncio.to_thread(_proven, sha256, data)
    if content is None:
        raise CheckpointError(f"The content {sha256[:12]} of a file is damaged where it is kept.")
    return content


def _proven(sha256: str, data: bytes) -> bytes | None:
    from hashlib import sha256 as digest

    try:
        content = zlib.decompress(data)
    except zlib.error:
        return None
    return content if digest(content).hexdigest() == sha256 else None


def _image_row(path: str, checkpoint: Checkpoint) -> tuple[Any, ...]:
    state, after = checkpoint.before[path], checkpoint.after.get(path)
    return (
        os.fsencode(path),
        state.sha256 or None,
        state.mode,
        os.fsencode(state.link),
        state.is_folder,
        None if after is None else os.fsencode(after.content),
        None if after is None else after.mode,
    )


def _checkpoint(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Checkpoint:
    number, checkpoint_id, session_id, turn_id, time, skipped, undone, restores = row
    before: dict[str, FileState] = {}
    after: dict[str, FileState] = {}
    for path, sha256, mode, link, folder, left, left_mode in connection.execute(_IMAGES, (number,)):
        name = os.fsdecode(path)
        before[name] = _state(sha256, mode, os.fsdecode(link), folder=folder)
        if left is not None:
            after[name] = FileState(os.fsdecode(left), left_mode)
    return Checkpoint(
        checkpoint_id,
        session_id,
        turn_id,
        before,
        time,
        after,
        tuple(json.loads(skipped)),
        bool(undone),
        tuple(json.loads(restores)),
    )


def _state(sha256: str | None, mode: int, link: str, *, folder: int) -> FileState:
    if sha256 is not None:
        return FileState(sha256, mode)
    if folder:
        return folder_state(mode)
    return FileState.link_to(link) if link else ABSENT


def _contents_of(connection: sqlite3.Connection, number: int) -> list[tuple[str]]:
    query = "SELECT DISTINCT sha256 FROM images WHERE checkpoint = ? AND sha256 IS NOT NULL"
    return connection.execute(query, (number,)).fetchall()


def _drop_images(connection: sqlite3.Connection, number: int) -> None:
    shas = _contents_of(connection, number)
    connection.execute("DELETE FROM images WHERE checkpoint = ?", (number,))
    _drop_unused(connection, shas)


def _drop_unused(connection: sqlite3.Connection, shas: Iterable[tuple[str]]) -> None:
    connection.executemany(
        "DELETE FROM blobs WHERE sha256 = ?"
        " AND NOT EXISTS (SELECT 1 FROM images WHERE images.sha256 = blobs.sha256)",
        shas,
    )


def _used_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of the file without the pages that are free again."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    used: int = (pages - free) * size
    return used
