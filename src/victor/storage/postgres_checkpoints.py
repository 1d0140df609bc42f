"""Checkpoints in PostgreSQL: each content is kept once, compressed, under its sha256."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from victor.errors import CheckpointError
from victor.protocols import Checkpoint, FileState
from victor.storage.checkpoints import compressed, uncompressed
from victor.storage.postgres import SCHEMA, PostgresAddress, PostgresConnection
from victor.storage.retention import let_go

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_PUT = """INSERT INTO checkpoints (id, session, turn_id, time, skipped, undone, restores)
    VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET
    session = excluded.session, turn_id = excluded.turn_id, time = excluded.time,
    skipped = excluded.skipped, undone = excluded.undone, restores = excluded.restores
    RETURNING number"""
_PUT_IMAGE = """INSERT INTO images
    (checkpoint, position, path, before, mode, sha256, after, after_mode)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_PUT_BLOB = "INSERT INTO blobs VALUES (%s, %s) ON CONFLICT DO NOTHING"
_OF_SESSION = """SELECT number, id, session, turn_id, time, skipped, undone, restores
    FROM checkpoints WHERE session = %s ORDER BY number"""
_OF_ID = """SELECT number, id, session, turn_id, time, skipped, undone, restores
    FROM checkpoints WHERE id = %s"""
_OLDEST = """SELECT number, id, session, turn_id, time, skipped, undone, restores
    FROM checkpoints WHERE EXISTS (SELECT 1 FROM images WHERE checkpoint = number)
    ORDER BY number LIMIT 1"""
_IMAGES = """SELECT checkpoint, path, before, mode, after, after_mode FROM images
    WHERE checkpoint = ANY (%s) ORDER BY checkpoint, position"""
_CONTENTS = "SELECT DISTINCT sha256 FROM images WHERE checkpoint = ANY (%s) AND sha256 IS NOT NULL"
_DROP_UNUSED = """DELETE FROM blobs WHERE sha256 = ANY (%s)
    AND NOT EXISTS (SELECT 1 FROM images WHERE images.sha256 = blobs.sha256)"""
_USED = "SELECT coalesce(sum(octet_length(data)), 0) FROM blobs"

_ONE_WRITER = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' contents', 0))"
"""A content must not go while somebody else begins to use it."""

_NOTHING: Mapping[str, bytes] = {}


class PostgresCheckpointStore:
    """Checkpoints in the tables of `schema`, made at first use."""

    def __init__(self, address: PostgresAddress, *, schema: str = SCHEMA) -> None:
        self._server = PostgresConnection(address, schema=schema)

    async def put(self, checkpoint: Checkpoint, contents: Mapping[str, bytes] = _NOTHING) -> None:
        """Keep a checkpoint, replacing the one of the same id. Raises `CheckpointError`."""
        blobs = await compressed(contents)
        row = (
            checkpoint.id,
            checkpoint.session_id,
            checkpoint.turn_id,
            checkpoint.time,
            json.dumps(checkpoint.skipped),
            checkpoint.undone,
            list(checkpoint.restores),
        )

        async def work(connection: AsyncConnection[Any]) -> None:
            await connection.execute(_ONE_WRITER)
            number = await _value(connection, _PUT, row)
            async with connection.cursor() as cursor:
                await cursor.executemany(_PUT_BLOB, list(blobs.items()))
                shas = await _drop_images(connection, [number])
                await cursor.executemany(
                    _PUT_IMAGE,
                    [
                        (number, position, *_image_row(path, checkpoint))
                        for position, path in enumerate(checkpoint.before)
                    ],
                )
            await connection.execute(_DROP_UNUSED, (shas,))

        await self._server.run(work, CheckpointError)

    async def get(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint. Raises `CheckpointError` if there is none."""

        async def work(connection: AsyncConnection[Any]) -> Checkpoint:
            found = await _checkpoints(connection, _OF_ID, (checkpoint_id,))
            if not found:
                raise CheckpointError(f"There is no checkpoint {checkpoint_id!r}.")
            return found[0]

        return await self._server.run(work, CheckpointError)

    async def content(self, sha256: str) -> bytes:
        """Return a content that some checkpoint has, proven by its sha256.

        Raises `CheckpointError`.
        """

        async def work(connection: AsyncConnection[Any]) -> bytes | None:
            data = await _value(connection, "SELECT data FROM blobs WHERE sha256 = %s", (sha256,))
            return None if data is None else bytes(data)

        return await uncompressed(sha256, await self._server.run(work, CheckpointError))

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first. Raises `CheckpointError`."""

        async def work(connection: AsyncConnection[Any]) -> tuple[Checkpoint, ...]:
            return await _checkpoints(connection, _OF_SESSION, (session_id,))

        return await self._server.run(work, CheckpointError)

    async def mark(self, *, undone: tuple[str, ...] = (), standing: tuple[str, ...] = ()) -> None:
        """Note of checkpoints that they were taken back or stand again, in one transaction.

        Raises `CheckpointError`.
        """

        async def work(connection: AsyncConnection[Any]) -> None:
            for value, names in ((True, undone), (False, standing)):
                query = "UPDATE checkpoints SET undone = %s WHERE id = ANY (%s)"
                await connection.execute(query, (value, list(names)))

        await self._server.run(work, CheckpointError)

    async def delete(self, session_id: str) -> None:
        """Forget the session's checkpoints, and contents that no other has.

        Raises `CheckpointError`.
        """

        async def work(connection: AsyncConnection[Any]) -> None:
            await connection.execute(_ONE_WRITER)
            query = "SELECT number FROM checkpoints WHERE session = %s"
            rows = await (await connection.execute(query, (session_id,))).fetchall()
            shas = await _drop_images(connection, [row[0] for row in rows])
            await connection.execute("DELETE FROM checkpoints WHERE session = %s", (session_id,))
            await connection.execute(_DROP_UNUSED, (shas,))

        await self._server.run(work, CheckpointError)

    async def prune(self, *, before: float, most_bytes: int) -> int:
        """Let go of the contents of old checkpoints, until what is left is small enough; those
        with none left count. Raises `CheckpointError`.
        """

        async def work(connection: AsyncConnection[Any]) -> bool:
            await connection.execute(_ONE_WRITER)
            found = await _checkpoints(connection, _OLDEST, ())
            if not found:
                return False
            if found[0].time >= before and await _value(connection, _USED, ()) <= most_bytes:
                return False
            emptied = let_go(found[0])
            query = "UPDATE checkpoints SET skipped = %s WHERE id = %s RETURNING number"
            skipped = json.dumps(emptied.skipped)
            number = await _value(connection, query, (skipped, emptied.id))
            shas = await _drop_images(connection, [number])
            await connection.execute(_DROP_UNUSED, (shas,))
            return True

        count = 0
        while await self._server.run(work, CheckpointError):
            count += 1
        return count

    async def aclose(self) -> None:
        """Close the connection. A later call opens it again."""
        await self._server.aclose()


async def _value(connection: AsyncConnection[Any], query: str, values: tuple[object, ...]) -> Any:
    """Return the first column of the first row; None where there is none."""
    row = await (await connection.execute(query, values)).fetchone()
    return row[0] if row else None


async def _drop_images(connection: AsyncConnection[Any], numbers: list[int]) -> list[str]:
    """Delete what the checkpoints hold, and return the contents that may be unused now."""
    rows = await (await connection.execute(_CONTENTS, (numbers,))).fetchall()
    await connection.execute("DELETE FROM images WHERE checkpoint = ANY (%s)", (numbers,))
    return [row[0] for row in rows]


async def _checkpoints(
    connection: AsyncConnection[Any], query: str, values: tuple[object, ...]
) -> tuple[Checkpoint, ...]:
    rows = await (await connection.execute(query, values)).fetchall()
    before: dict[int, dict[str, FileState]] = {row[0]: {} for row in rows}
    after: dict[int, dict[str, FileState]] = {row[0]: {} for row in rows}
    images = await connection.execute(_IMAGES, (list(before),))
    async for number, path, was, mode, left, left_mode in images:
        name = os.fsdecode(path)
        before[number][name] = FileState(os.fsdecode(was), mode)
        if left is not None:
            after[number][name] = FileState(os.fsdecode(left), left_mode)
    return tuple(
        Checkpoint(
            row[1],
            row[2],
            row[3],
            before[row[0]],
            row[4],
            after[row[0]],
            tuple(json.loads(row[5])),
            row[6],
            tuple(row[7]),
        )
        for row in rows
    )


def _image_row(path: str, checkpoint: Checkpoint) -> tuple[Any, ...]:
    state, after = checkpoint.before[path], checkpoint.after.get(path)
    return (
        os.fsencode(path),
        os.fsencode(state.content),
        state.mode,
        state.sha256 or None,
        None if after is None else os.fsencode(after.content),
        None if after is None else after.mode,
    )
