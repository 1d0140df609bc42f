"""Checkpoints in an SQLite file: each content is kept once, compressed, under its sha256."""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.errors import CheckpointError
from victor.protocols import Checkpoint, FileImage
from victor.storage.database import Database, acquire, release

if TYPE_CHECKING:
    import sqlite3

_PUT = """INSERT INTO checkpoints (id, session, turn_id, time, after, skipped, undone)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    session = excluded.session, turn_id = excluded.turn_id, time = excluded.time,
    after = excluded.after, skipped = excluded.skipped, undone = excluded.undone
    RETURNING number"""

_ROWS = """SELECT number, id, session, turn_id, time, after, skipped, undone
    FROM checkpoints WHERE session = :session ORDER BY number"""

_LAST = """SELECT number, id, session, turn_id, time, after, skipped, undone
    FROM checkpoints WHERE session = :session AND NOT undone AND turn_id =
    (SELECT turn_id FROM checkpoints WHERE session = :session AND NOT undone
     ORDER BY number DESC LIMIT 1)
    ORDER BY number"""

_ROW = """SELECT number, id, session, turn_id, time, after, skipped, undone
    FROM checkpoints WHERE id = ?"""

_IMAGES = """SELECT path, images.sha256, mode, link, data FROM images
    LEFT JOIN blobs ON blobs.sha256 = images.sha256 WHERE checkpoint = ? ORDER BY images.rowid"""

_INLINE_BYTES = 64 * 1024
"""Up to here hashing and compressing is cheaper than a thread."""


class SqliteCheckpointStore:
    """Checkpoints in the SQLite file at `path`, opened at first use.

    The file may be the sessions' own; apart it is easier to do without. `patience` is how many
    seconds to wait for other processes that write to it.
    """

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        self._path = path.expanduser().absolute()
        self._patience = patience
        self._shared: Database | None = None
        self._last: tuple[str, tuple[FileImage, ...]] = ("", ())
        """The images put last: what a step left is noted on the same ones."""

    async def put(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, replacing the one of the same id; it is on the disk when this returns.

        Raises `CheckpointError`.
        """
        images = checkpoint.images
        same = self._last[0] == checkpoint.id and self._last[1] is images
        blobs = {} if same else await _blobs(images)
        row = (
            checkpoint.id,
            checkpoint.session_id,
            checkpoint.turn_id,
            checkpoint.time,
            json.dumps(dict(checkpoint.after)),
            json.dumps(checkpoint.skipped),
            checkpoint.undone,
        )

        def work(connection: sqlite3.Connection) -> None:
            (number,) = connection.execute(_PUT, row).fetchone()
            if not same:
                _replace_images(connection, number, images, blobs)

        await self._database().write(work, CheckpointError)
        self._last = (checkpoint.id, images)

    async def get(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint. Raises `CheckpointError` if there is none, or it is damaged."""

        def work(connection: sqlite3.Connection) -> Checkpoint:
            row = connection.execute(_ROW, (checkpoint_id,)).fetchone()
            if row is None:
                raise CheckpointError(f"There is no checkpoint {checkpoint_id!r}.")
            return _checkpoint(connection, row)

        return await self._database().read(work, CheckpointError)

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first. Raises `CheckpointError`."""
        return await self._selected(_ROWS, session_id)

    async def last(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of the last turn that has some not undone, oldest first.

        Raises `CheckpointError`.
        """
        return await self._selected(_LAST, session_id)

    async def delete(self, checkpoint_id: str) -> None:
        """Forget a checkpoint, and contents that no other has; raises `CheckpointError`."""

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute(_ROW, (checkpoint_id,)).fetchone()
            if row is not None:
                _drop_images(connection, row[0])
                connection.execute("DELETE FROM checkpoints WHERE number = ?", (row[0],))

        await self._database().write(work, CheckpointError)
        self._last = ("", ())

    async def aclose(self) -> None:
        """Close the file if no other store uses it. A later call opens it again."""
        database, self._shared = self._shared, None
        if database is not None:
            await release(database)

    async def _selected(self, query: str, session_id: str) -> tuple[Checkpoint, ...]:
        def work(connection: sqlite3.Connection) -> tuple[Checkpoint, ...]:
            rows = connection.execute(query, {"session": session_id}).fetchall()
            return tuple(_checkpoint(connection, row) for row in rows)

        return await self._database().read(work, CheckpointError)

    def _database(self) -> Database:
        # A forked child has the parent's object, but not its thread.
        if self._shared is None or self._shared.pid != os.getpid():
            self._shared = acquire(self._path, patience=self._patience)
        return self._shared


async def _blobs(images: tuple[FileImage, ...]) -> dict[str, bytes]:
    """Return the compressed contents by sha256."""
    if sum(len(image.content or b"") for image in images) <= _INLINE_BYTES:
        return _compressed(images)
    return await asyncio.to_thread(_compressed, images)


def _compressed(images: tuple[FileImage, ...]) -> dict[str, bytes]:
    contents = [image.content for image in images if image.content is not None]
    return {_sha256(content): zlib.compress(content, 1) for content in contents}


def _sha256(content: bytes) -> str:
    from hashlib import sha256

    return sha256(content).hexdigest()


def _replace_images(
    connection: sqlite3.Connection,
    number: int,
    images: tuple[FileImage, ...],
    blobs: dict[str, bytes],
) -> None:
    _drop_images(connection, number)
    connection.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", blobs.items())
    connection.executemany(
        "INSERT INTO images (checkpoint, path, sha256, mode, link) VALUES (?, ?, ?, ?, ?)",
        (
            (
                number,
                os.fsencode(image.path),
                None if image.content is None else _sha256(image.content),
                image.mode,
                os.fsencode(image.link),
            )
            for image in images
        ),
    )


def _drop_images(connection: sqlite3.Connection, number: int) -> None:
    shas = connection.execute(
        "SELECT DISTINCT sha256 FROM images WHERE checkpoint = ? AND sha256 IS NOT NULL", (number,)
    ).fetchall()
    connection.execute("DELETE FROM images WHERE checkpoint = ?", (number,))
    connection.executemany(
        "DELETE FROM blobs WHERE sha256 = ?"
        " AND NOT EXISTS (SELECT 1 FROM images WHERE images.sha256 = blobs.sha256)",
        shas,
    )


def _checkpoint(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Checkpoint:
    number, checkpoint_id, session_id, turn_id, time, after, skipped, undone = row
    rows = connection.execute(_IMAGES, (number,)).fetchall()
    return Checkpoint(
        checkpoint_id,
        session_id,
        turn_id,
        tuple(_image(checkpoint_id, *columns) for columns in rows),
        time,
        json.loads(after),
        tuple(json.loads(skipped)),
        bool(undone),
    )


def _image(
    checkpoint_id: str, path: bytes, sha256: str | None, mode: int, link: bytes, data: bytes | None
) -> FileImage:
    name = os.fsdecode(path)
    if sha256 is None:
        return FileImage(name, None, mode, os.fsdecode(link))
    try:
        content = zlib.decompress(data or b"")
    except zlib.error:
        content = b""
    if _sha256(content) != sha256:
        raise CheckpointError(f"Checkpoint {checkpoint_id!r} is damaged: {name} is not as it was.")
    return FileImage(name, content, mode)
