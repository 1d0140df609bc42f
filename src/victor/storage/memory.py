"""Sessions that are kept in memory: for `ephemeral` ones and for tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import time

from victor.errors import SessionError, SessionNotFound
from victor.protocols import Record, SessionInfo, SessionMatch
from victor.storage.matching import has, matched, terms, words_of
from victor.storage.totals import LAST, Figures, totals


@dataclass(slots=True)
class _Session:
    begun: SessionInfo
    """As it was begun, or named since."""
    updated: float
    entries: list[tuple[float, Record]] = field(default_factory=list)
    counted: int = 0
    """How many of the entries are in the totals of `begun`; the rest when somebody asks."""
    used: int = 0
    """Counts uses, as a clock is too coarse to order them."""

    @property
    def info(self) -> SessionInfo:
        """The session as listed."""
        begun = self.begun
        figures = Figures(*(getattr(begun, name) for name in Figures._fields))
        figures = figures.plus(totals(record for _, record in self.entries[self.counted :]))
        self.begun = replace(begun, updated=self.updated, **figures._asdict())
        self.counted = len(self.entries)
        return self.begun


class MemorySessionStore:
    """Sessions in memory. A session is held by nobody else, as nobody else can see it."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._uses = 0

    async def create(self, info: SessionInfo) -> None:
        """Begin a session; one that exists stays as it is."""
        if info.id in self._sessions:
            return
        info = replace(info, tags=tuple(sorted(set(info.tags))))
        session = self._sessions[info.id] = _Session(info, info.updated)
        self._use(session)

    async def add(self, info: SessionInfo, records: tuple[Record, ...]) -> None:
        """Begin a session that has these entries already. Raises `SessionError` if it exists."""
        if info.id in self._sessions:
            raise SessionError(f"The session {info.id!r} is recorded already.")
        await self.create(replace(info, **Figures()._asdict()))
        entries = self._sessions[info.id].entries
        entries.extend((record.time or time(), record) for record in records)

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
            self._use(session)
            session.updated = now

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return all entries, oldest first. Raises `SessionNotFound`."""
        entries = self._session(session_id).entries
        return tuple(replace(record, time=time) for time, record in entries)

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""
        return self._session(session_id).info

    async def find(self, beginning: str, limit: int = 10) -> tuple[str, ...]:
        """Return the ids that begin so, sorted."""
        return tuple(sorted(name for name in self._sessions if name.startswith(beginning)))[:limit]

    async def list(
        self, workspace: str | None = None, limit: int = 50, tag: str | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return sessions, the last used first; of one workspace or with one tag, if named."""
        infos = (session.info for session in self._by_use(workspace))
        return tuple(info for info in infos if tag is None or tag in info.tags)[:limit]

    async def search(
        self, text: str, workspace: str | None = None, limit: int = 50
    ) -> tuple[SessionMatch, ...]:
        """Return the sessions in which every word of `text` stands, the last used first."""
        wanted = terms(text)
        found = []
        for session in self._by_use(workspace) if wanted else ():
            newest = (record for _, record in reversed(session.entries))
            said = next((record for record in newest if has(words_of(record), wanted)), None)
            if said is not None or has(session.begun.title, wanted):
                found.append(matched(session.info, said, wanted))
        return tuple(found[:limit])

    async def rename(self, session_id: str, title: str) -> None:
        """Give the session another title. Raises `SessionNotFound`."""
        session = self._session(session_id)
        session.begun = replace(session.begun, title=title)

    async def set_tags(self, session_id: str, tags: tuple[str, ...]) -> None:
        """Put these tags on the session, and no others. Raises `SessionNotFound`."""
        session = self._session(session_id)
        session.begun = replace(session.begun, tags=tuple(sorted(set(tags))))

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
            if workspace is None or session.begun.workspace == workspace
        )
        return tuple(sorted(sessions, key=_last_use, reverse=True))

    def _use(self, session: _Session) -> None:
        self._uses += 1
        session.used = self._uses


def _last_use(session: _Session) -> tuple[float, int]:
    return session.updated, session.used
