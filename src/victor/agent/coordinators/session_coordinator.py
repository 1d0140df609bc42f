"""The durable record of a conversation: written as it happens, and read again to go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from victor.errors import SessionNotFound
from victor.messages import Message, ToolCall, ToolResult, tool_results
from victor.pairing import interrupted, repair
from victor.protocols import ISessionStore, Record, SessionInfo, SessionMatch

_TITLE_LENGTH = 60


class SessionCoordinator:
    """Records sessions in `store`. Nothing is acknowledged that the store has not committed."""

    def __init__(self, store: ISessionStore) -> None:
        self._store = store
        self._begun: dict[str, SessionInfo] = {}
        """Sessions that are started and have no record yet: they leave nothing behind."""

    async def start(self, info: SessionInfo) -> None:
        """Open the session for writing; it is created with its first record.

        Raises `SessionError`, also where another store or process has it open.
        """
        await self._store.open(info.id)
        try:
            await self._store.info(info.id)
        except SessionNotFound:
            self._begun[info.id] = info

    async def open(self, session_id: str) -> None:
        """Hold the session for writing, so that what is loaded next stays the whole of it.

        Raises `SessionError` where another store or process has it open.
        """
        await self._store.open(session_id)

    async def record(self, session_id: str, record: Record) -> None:
        """Commit one entry. Raises `SessionError`, then nothing was recorded."""
        if session_id in self._begun:
            await self._create(self._begun[session_id], record)
        await self._store.append(session_id, record)

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return what was committed, oldest first. Raises `SessionError`."""
        return await self._store.load(session_id)

    def messages(self, records: tuple[Record, ...]) -> tuple[Message, ...]:
        """Return the conversation that the model is to see; it may be sent as it is."""
        return self.restore(records)[0]

    def restore(self, records: tuple[Record, ...]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
        """Return the conversation that the model is to see, and what had to be mended in it.

        A call that was begun and has no result gets one that says so.
        """
        rebuilding = _Rebuilding(records)
        for record in records:
            rebuilding.add(record)
        rebuilding.close_step()
        messages, repairs = repair(tuple(rebuilding.messages))
        return messages, (*rebuilding.notes, *repairs)

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""
        begun = self._begun.get(session_id)
        return begun if begun is not None else await self._store.info(session_id)

    async def list(self, workspace: str | None = None, limit: int = 50) -> tuple[SessionInfo, ...]:
        """Return recorded sessions, the last used first; of one workspace only, if named."""
        return await self._store.list(workspace, limit)

    async def latest(self, workspace: str | None = None) -> str:
        """Return the id of the session used last. Raises `SessionNotFound` where there is none."""
        found = await self._store.list(workspace, 1)
        if not found:
            where = f"None was recorded in {workspace}." if workspace else "None was recorded yet."
            raise SessionNotFound("last", hint=where)
        return found[0].id

    async def search(
        self, text: str, workspace: str | None = None, limit: int = 50
    ) -> tuple[SessionMatch, ...]:
        """Return the sessions in whose title or in one of whose messages each word stands."""
        return await self._store.search(text, workspace, limit)

    async def rename(self, session_id: str, title: str) -> None:
        """Give the session another title. Raises `SessionNotFound`."""
        title = _title(title)
        begun = self._begun.get(session_id)
        if begun is not None:
            self._begun[session_id] = replace(begun, title=title)
            return
        await self._store.rename(session_id, title)

    async def delete(self, session_id: str) -> None:
        """Forget the session. Raises `SessionNotFound`."""
        if self._begun.pop(session_id, None) is None:
            await self._store.delete(session_id)

    async def close(self) -> None:
        """Release the record; what is started and has no record is forgotten."""
        self._begun.clear()
        await self._store.aclose()

    async def _create(self, info: SessionInfo, record: Record) -> None:
        if not info.title and record.message is not None:
            info = replace(info, title=_title(record.message.text))
        await self._store.create(info)
        self._begun.pop(info.id, None)


@dataclass(slots=True)
class _Rebuilding:
    """A walk through the records: the messages so far, and the step that is not closed yet."""

    records: tuple[Record, ...]
    messages: list[Message] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    open_turn: str = ""
    open_calls: tuple[ToolCall, ...] = ()
    results: dict[tuple[str, str], deque[ToolResult]] = field(default_factory=dict)
    """What calls gave, by turn and call; a result may have come after its turn was cancelled."""

    def __post_init__(self) -> None:
        for record in self.records:
            if record.kind == "result" and record.result is not None:
                key = (record.turn_id, record.result.call_id)
                self.results.setdefault(key, deque()).append(record.result)

    def add(self, record: Record) -> None:
        match record.kind:
            case "user" | "reply" if record.message is not None:
                self.close_step()
                self.messages.append(record.message)
                self._open_step(record.turn_id, record.calls or record.message.tool_calls)
            case "compacted":
                self.close_step()
                self.messages = list(record.context)
                if self.messages:
                    self._open_step(record.turn_id, self.messages[-1].tool_calls)
            case "cancelled" | "failed" | "ended":
                self.close_step()

    def close_step(self) -> None:
        """Answer the calls of the step, if it had some, in one message."""
        if self.open_calls:
            self.messages.append(tool_results(*self._answers(self.open_calls)))
        self.open_calls = ()

    def _open_step(self, turn_id: str, calls: tuple[ToolCall, ...]) -> None:
        self.open_turn, self.open_calls = turn_id, calls

    def _answers(self, calls: tuple[ToolCall, ...]) -> Iterable[ToolResult]:
        for call in calls:
            given = self.results.get((self.open_turn, call.id))
            if given:
                yield given.popleft()
                continue
            self.notes.append(f"tool call {call.name!r} ({call.id}) was interrupted; it is said so")
            yield interrupted(call)


def _title(text: str) -> str:
    """Return the first words of `text`, on one line."""
    line = " ".join(text.split())
    if len(line) <= _TITLE_LENGTH:
        return line
    cut = line[: _TITLE_LENGTH - 1]
    return f"{cut.rsplit(' ', 1)[0]}…"
