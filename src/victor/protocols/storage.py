"""The port to where sessions are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from victor.messages import Effect, Message, ToolCall, ToolResult
from victor.values import quick


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A recorded session, as listed."""

    id: str
    title: str
    workspace: str
    provider: str
    model: str
    created: float
    """Seconds since the epoch."""
    updated: float
    """Seconds since the epoch."""
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    """US dollars by list price of all that has a price."""
    unpriced_turns: int = 0
    """Turns of which `cost_usd` lacks something, as a model's price is not known."""
    seconds: float = 0.0
    """How long its turns took together."""
    tags: tuple[str, ...] = ()
    """Words that a person has put on it, sorted."""
    parent: str = ""
    """The session that it was forked from; empty where it began by itself."""
    parent_turn: int = 0
    """The last turn of the parent that it begins with, counted from 1; 0 for none."""


@dataclass(frozen=True, slots=True)
class SessionMatch:
    """A session that a search found."""

    info: SessionInfo
    turn_id: str = ""
    """The turn of the newest message that fits; empty where only the title does."""
    excerpt: str = ""
    """The words around the place, on one line; empty where only the title fits."""


@quick
@dataclass(frozen=True, slots=True)
class Intent:
    """What is committed of a tool call before it runs, so that a crash leaves it known."""

    call_id: str
    arguments_sha256: str
    effect: Effect
    """What running it may do, as its tool declared then."""


@quick
@dataclass(frozen=True, slots=True)
class Record:
    """One committed entry of a session: append-only."""

    kind: str
    """`user`, `reply`, `result`, `tool`, `plan`, `cancelled`, `failed`, `compacted`, `ended` or
    `rewound`.

    `rewound`: something was taken back, or brought back. Its data tells what: `to` the turn that
    the conversation goes back to before, `restore` the checkpoint of its files, `redo` where the
    last one comes back, `files` what the model is told of. `tool` is the result of a call outside
    of the conversation, such as a workflow's. `plan` is the session's plan from then
    on: `text`, and `approved` where the person has handed it over to be built."""
    turn_id: str
    message: Message | None = None
    """The message that a `user` or `reply` entry added."""
    calls: tuple[ToolCall, ...] = ()
    """With `reply`: the calls that are intended, committed before any of them runs."""
    result: ToolResult | None = None
    """With `result`: what a call gave, committed before it is shown as done."""
    context: tuple[Message, ...] = ()
    """With `compacted`: the messages that the model sees from here on."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Figures, such as usage and seconds. `imported` stands with all that came from a file."""
    time: float = 0.0
    """Seconds since the epoch; the store fills it in."""
    intents: tuple[Intent, ...] = ()
    """With `reply`: what is intended by each of the calls."""


@runtime_checkable
class ISessionStore(Protocol):
    """Keeps sessions. `append` returns only when the entry survives a crash of the process.

    Every method raises `SessionError`, naming the store and the remedy.
    """

    async def create(self, info: SessionInfo) -> None:
        """Begin a session."""
        ...

    async def add(self, info: SessionInfo, records: tuple[Record, ...]) -> None:
        """Begin a session that has these entries already: all of them, or nothing.

        Its totals are those of the entries. Raises `SessionError` where it exists.
        """
        ...

    async def open(self, session_id: str) -> None:
        """Hold the session, recorded or not, for writing by this store alone.

        `create` and `append` do so by themselves. Raises `SessionError` while another store, here
        or in another process, holds it. A hold does not outlive its process.
        """
        ...

    async def append(self, session_id: str, record: Record) -> None:
        """Add one entry, durably. Raises `SessionNotFound`."""
        ...

    async def rename(self, session_id: str, title: str) -> None:
        """Give the session another title. Raises `SessionNotFound`."""
        ...

    async def set_tags(self, session_id: str, tags: tuple[str, ...]) -> None:
        """Put these tags on the session, and no others. Raises `SessionNotFound`."""
        ...

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return all entries, oldest first. Raises `SessionNotFound`."""
        ...

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""
        ...

    async def find(self, beginning: str, limit: int = 10) -> tuple[str, ...]:
        """Return the ids that begin so, sorted."""
        ...

    async def list(
        self, workspace: str | None = None, limit: int = 50, tag: str | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return sessions, the last used first; of one workspace or with one tag, if named."""
        ...

    async def search(
        self, text: str, workspace: str | None = None, limit: int = 50
    ) -> tuple[SessionMatch, ...]:
        """Return the sessions in which `text` stands, the last used first.

        Each of its words stands, in any case and also as a part of another, in one message of the
        user or the model, or in the title. Words in double quotes stand together.
        """
        ...

    async def delete(self, session_id: str) -> None:
        """Forget a session. Raises `SessionNotFound`."""
        ...

    async def aclose(self) -> None:
        """Release the store and the sessions it holds. Safe to call twice."""
        ...
