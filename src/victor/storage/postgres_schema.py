"""The tables in PostgreSQL, and how those of an earlier version are brought up to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from victor.errors import SessionError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE sessions (
            number BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            id TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            workspace TEXT NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            updated DOUBLE PRECISION NOT NULL,
            turns BIGINT NOT NULL,
            input_tokens BIGINT NOT NULL,
            output_tokens BIGINT NOT NULL,
            cost_usd DOUBLE PRECISION NOT NULL,
            unpriced_turns BIGINT NOT NULL,
            seconds DOUBLE PRECISION NOT NULL,
            tags TEXT[] NOT NULL,
            parent TEXT NOT NULL,
            parent_turn BIGINT NOT NULL
        )""",
        "CREATE INDEX sessions_by_use ON sessions (updated DESC, number DESC)",
        # The key keeps two writers from mixing: each counts on from what it knows to be there.
        """CREATE TABLE records (
            session BIGINT NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
            position BIGINT NOT NULL,
            kind TEXT NOT NULL,
            turn_id TEXT NOT NULL,
            time DOUBLE PRECISION NOT NULL,
            body TEXT NOT NULL,
            crc32 BIGINT NOT NULL,
            PRIMARY KEY (session, position)
        )""",
        """CREATE TABLE blobs (
            sha256 TEXT PRIMARY KEY,
            data BYTEA NOT NULL
        )""",
        """CREATE TABLE checkpoints (
            number BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            id TEXT NOT NULL UNIQUE,
            session TEXT NOT NULL,
            turn_id TEXT NOT NULL,
            time DOUBLE PRECISION NOT NULL,
            skipped TEXT NOT NULL,
            undone BOOLEAN NOT NULL,
            restores TEXT[] NOT NULL
        )""",
        "CREATE INDEX checkpoints_of_session ON checkpoints (session)",
        # `position` keeps their order; of what was left nothing is known where `after` is NULL.
        """CREATE TABLE images (
            checkpoint BIGINT NOT NULL REFERENCES checkpoints (number) ON DELETE CASCADE,
            position BIGINT NOT NULL,
            path BYTEA NOT NULL,
            before BYTEA NOT NULL,
            mode INTEGER NOT NULL,
            sha256 TEXT REFERENCES blobs (sha256),
            after BYTEA,
            after_mode INTEGER,
            PRIMARY KEY (checkpoint, position)
        )""",
        "CREATE INDEX images_of_blob ON images (sha256)",
    ),
)
"""What each version adds to the one before; the table `versions` counts those that were applied."""

VERSION = len(MIGRATIONS)


async def migrate(connection: AsyncConnection[Any], schema: str, where: str) -> None:
    """Make the schema and bring its tables up to `VERSION`, in one transaction.

    Raises `SessionError` where they are a newer Victor's.
    """
    from psycopg import sql

    name = sql.Identifier(schema)
    async with connection.transaction():
        # One process at a time: `IF NOT EXISTS` alone fails where two come at once.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (schema,))
        await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        await connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(name))
        await connection.execute("CREATE TABLE IF NOT EXISTS versions (version BIGINT NOT NULL)")
        cursor = await connection.execute("SELECT coalesce(max(version), 0) FROM versions")
        row = await cursor.fetchone()
        version = row[0] if row else 0
        if version > VERSION:
            raise SessionError(
                f"{where}: its tables are of version {version}, and this Victor knows {VERSION}.",
                hint="Update Victor.",
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                await connection.execute(sql.SQL(statement))
        if version < VERSION:
            await connection.execute("INSERT INTO versions VALUES (%s)", (VERSION,))
