"""The named places at which a process is killed, and the doubles that carry them.

Nothing of this is in the product: the doubles stand at its ports, and between it and `sqlite3`.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

from victor.events import ReplyDelta, TextDelta, ToolCallDelta
from victor.messages import Request
from victor.protocols import Checkpoint, IProvider, ModelInfo, Record
from victor.storage.checkpoints import SqliteCheckpointStore
from victor.storage.sqlite import SqliteSessionStore

IN_A_TURN = (
    "model: in the middle of a text",
    "model: in the middle of a tool call",
    "user: before its commit",
    "user: after its commit",
    "intents: before their commit",
    "intents: after their commit",
    "effect: before it",
    "effect: done, and no result yet",
    "result: before its commit",
    "result: after its commit",
    "ended: before its commit",
    "ended: after its commit",
    "compacted: before its commit",
    "compacted: after its commit",
    "transaction: written, not committed",
    "transaction: committed, not told",
    "checkpoint: before it is kept",
    "checkpoint: kept",
    "checkpoint: before the outcome is noted",
)
AT_THE_END = ("shutdown: before the file is closed", "shutdown: the file is closed")
IN_A_MIGRATION = ("migration: halfway", "migration: committed")
IN_A_RESUME = ("resume: the record is read", "resume: a call has run again, and no result yet")

PLACES = (*IN_A_TURN, *AT_THE_END, *IN_A_MIGRATION, *IN_A_RESUME)


class Death:
    """Kills this process when `place` is reached for the `count`th time; "" is never reached."""

    def __init__(self, place: str, count: int) -> None:
        self._place = place
        self._left = count

    def at(self, place: str) -> None:
        """Say that a place is reached."""
        if place != self._place:
            return
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingProvider:
    """A provider whose process may be killed while it answers."""

    name = "scripted"

    def __init__(self, provider: IProvider, death: Death) -> None:
        self._provider = provider
        self._death = death

    async def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        """Stream what the other one does."""
        async for delta in self._provider.stream(request):
            yield delta
            match delta:
                case TextDelta():
                    self._death.at("model: in the middle of a text")
                case ToolCallDelta():
                    self._death.at("model: in the middle of a tool call")

    def model_info(self, model: str) -> ModelInfo:
        """Return what the other one knows."""
        return self._provider.model_info(model)

    async def aclose(self) -> None:
        """Close the other one."""
        await self._provider.aclose()


class DyingSessionStore(SqliteSessionStore):
    """Sessions in SQLite, of a process that may be killed around each commit."""

    death: Death

    async def append(self, session_id: str, record: Record) -> None:
        """Append it, if it comes to that."""
        name = "intents" if record.intents else record.kind
        self.death.at(f"{name}: before {'their' if record.intents else 'its'} commit")
        await super().append(session_id, record)
        self.death.at(f"{name}: after {'their' if record.intents else 'its'} commit")

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Load all of it."""
        records = await super().load(session_id)
        self.death.at("resume: the record is read")
        return records


class DyingCheckpointStore(SqliteCheckpointStore):
    """Checkpoints in SQLite, of a process that may be killed around each."""

    death: Death
    kept = ""
    """The id of the checkpoint that was put last: the second time, its outcome is noted."""

    async def put(self, checkpoint: Checkpoint, *contents: Any) -> None:
        """Keep it, if it comes to that."""
        if checkpoint.id == self.kept:
            self.death.at("checkpoint: before the outcome is noted")
        else:
            self.death.at("checkpoint: before it is kept")
        await super().put(checkpoint, *contents)
        self.kept = checkpoint.id
        self.death.at("checkpoint: kept")


def die_in_sqlite(death: Death) -> None:
    """Let each connection that is opened from now on be of a process that may be killed."""

    class Connection(sqlite3.Connection):
        migrating = False

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql.startswith("PRAGMA user_version ="):
                death.at("migration: halfway")
                self.migrating = True
            if sql == "COMMIT" and not self.migrating:
                death.at("transaction: written, not committed")
            cursor = super().execute(sql, *parameters)
            if sql == "COMMIT":
                death.at(
                    "migration: committed" if self.migrating else "transaction: committed, not told"
                )
                self.migrating = False
            return cursor

        def close(self) -> None:
            death.at("shutdown: before the file is closed")
            super().close()
            death.at("shutdown: the file is closed")

    connect = sqlite3.connect

    def opened(*arguments: Any, **options: Any) -> Any:
        return connect(*arguments, **{**options, "factory": Connection})

    sqlite3.connect = opened  # type: ignore[assignment]  # a double for this process alone
