"""Stores that keep nothing beyond the process: for `ephemeral` sessions and for tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import time

from victor.errors import CheckpointError, SessionNotFound
from victor.protocols import Checkpoint, Record, SessionInfo
from victor.storage.totals import LAST, figures, says


@dataclass(slots=True)
class _Session:
    info: SessionInfo
    entries: list[tuple[float, Record]] = field(default_factory=list)
    used: int = 0
    """Counts uses, as a clock is too coarse to order them."""


class MemorySessionStore:
    """Sessions in memory. A session is held by nobody else, as nobody else can see it."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._uses = 0

    async def create(self, info: SessionInfo) -> None:
        """Begin a session; one that exists stays as it is."""
        session = self._sessions.setdefault(info.id, _Session(info))
        self._use(session)

    async def open(self, session_id: str) -> None:
        """Do nothing: there is no other store that could hold it."""

    async def append(self, session_id: str, record: Record) -> None:
        """Add one entry. Raises `SessionNotFound`."""
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionNotFound(session_id)
        now = record.time or time()
        session.entries.append((now, record))
        if record.kind == "user" or record.kind in LAST:
            self._count(session, record, now)

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return all entries, oldest first. Raises `SessionNotFound`."""
        entries = self._session(session_id).entries
        return tuple(replace(record, time=time) for time, record in entries)

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""
        return self._session(session_id).info

    async def list(self, workspace: str | None = None, limit: int = 50) -> tuple[SessionInfo, ...]:
        """Return sessions, the last used first; of one workspace only, if named."""
        return tuple(session.info for session in self._by_use(workspace)[:limit])

    async def search(
        self, text: str, workspace: str | None = None, limit: int = 50
    ) -> tuple[SessionInfo, ...]:
        """Return the sessions in which `text` stands, in any case, the last used first."""
        wanted = text.lower()
        found = (
            session.info
            for session in self._by_use(workspace)
            if wanted in session.info.title.lower()
            or any(says(record, wanted) for _, record in session.entries)
        )
        return tuple(found)[:limit]

    async def rename(self, session_id: str, title: str) -> None:
        """Give the session another title. Raises `SessionNotFound`."""
        session = self._session(session_id)
        session.info = replace(session.info, title=title)

    async def delete(self, session_id: str) -> None:
        """Forget a session. Raises `SessionNotFound`."""
        self._session(session_id)
        del self._sessions[session_id]

    async def aclose(self) -> None:
        """Do nothing: what is in memory stays for as long as the store does."""

    def _session(self, session_id: str) -> _Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionNotFound(session_id)
        return session

    def _by_use(self, workspace: str | None) -> tuple[_Session, ...]:
        sessions = (
            session
            for session in self._sessions.values()
            if workspace is None or session.info.workspace == workspace
        )
        return tuple(sorted(sessions, key=lambda session: session.used, reverse=True))

    def _use(self, session: _Session) -> None:
        self._uses += 1
        session.used = self._uses

    def _count(self, session: _Session, record: Record, now: float) -> None:
        self._use(session)
        turns, sent, received = figures(record)
        info = session.info
        session.info = SessionInfo(
            info.id,
            info.title,
            info.workspace,
            info.provider,
            info.model,
            info.created,
            now,
            info.turns + turns,
            info.input_tokens + sent,
            info.output_tokens + received,
        )


class MemoryCheckpointStore:
    """Checkpoints in memory."""

    def __init__(self) -> None:
        self._checkpoints: dict[str, Checkpoint] = {}

    async def put(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, replacing the one of the same id."""
        self._checkpoints[checkpoint.id] = checkpoint

    async def get(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint. Raises `CheckpointError` if there is none of this id."""
        checkpoint = self._checkpoints.get(checkpoint_id)
        if checkpoint is None:
            raise CheckpointError(f"There is no checkpoint {checkpoint_id!r}.")
        return checkpoint

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first."""
        kept = self._checkpoints.values()
        return tuple(checkpoint for checkpoint in kept if checkpoint.session_id == session_id)

    async def last(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of the last turn that has some not undone, oldest first."""
        kept = [checkpoint for checkpoint in await self.list(session_id) if not checkpoint.undone]
        return tuple(checkpoint for checkpoint in kept if checkpoint.turn_id == kept[-1].turn_id)

    async def delete(self, checkpoint_id: str) -> None:
        """Forget a checkpoint; one that is not there is no error."""
        self._checkpoints.pop(checkpoint_id, None)

    async def aclose(self) -> None:
        """Do nothing: what is in memory stays for as long as the store does."""
