"""The stores that the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.protocols import ICheckpointStore, ISessionStore
from victor.storage.location import checkpoints_database, sessions_database

if TYPE_CHECKING:
    from victor.storage.postgres import PostgresAddress


def session_store(config: Mapping[str, Any]) -> ISessionStore:
    """Return the store of sessions: in memory, a file, or PostgreSQL. Raises `ConfigError`."""
    if config.get("ephemeral", False):
        from victor.storage.memory import MemorySessionStore

        return MemorySessionStore()
    if is_postgres(named := config.get("session_store")):
        from victor.storage.postgres_sessions import PostgresSessionStore

        return PostgresSessionStore(server(config))
    from victor.storage.sqlite import SqliteSessionStore

    return SqliteSessionStore(Path(named).expanduser() if named else sessions_database())


def checkpoint_store(config: Mapping[str, Any]) -> ICheckpointStore:
    """Return the store of checkpoints, which stands with the sessions where that is a server.

    Raises `ConfigError`.
    """
    if config.get("ephemeral", False):
        from victor.storage.memory_checkpoints import MemoryCheckpointStore

        return MemoryCheckpointStore()
    if is_postgres(config.get("session_store")):
        from victor.storage.postgres_checkpoints import PostgresCheckpointStore

        return PostgresCheckpointStore(server(config))
    from victor.storage.checkpoints import SqliteCheckpointStore

    return SqliteCheckpointStore(checkpoints_database())


def is_postgres(place: str | None) -> bool:
    """Return whether the place of a store is a PostgreSQL server's address."""
    return place is not None and place.startswith(("postgresql://", "postgres://"))


def server(config: Mapping[str, Any]) -> PostgresAddress:
    """Return the server that the settings name. Raises `ConfigError`."""
    from victor.storage.postgres import PostgresAddress

    password = config.get("session_store_password")
    reveal = getattr(password, "get_secret_value", None)
    return PostgresAddress(config["session_store"], str(reveal() if reveal else password or ""))
