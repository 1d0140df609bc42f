"""The ports to where sessions and checkpoints are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from victor.messages import Message, ToolCall, ToolResult


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


@dataclass(frozen=True, slots=True)
class Record:
    """One committed entry of a session: append-only."""

    kind: str
    """`user`, `reply`, `result`, `cancelled`, `failed`, `compacted` or `ended`."""
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
    """Figures, such as usage and seconds."""
    time: float = 0.0
    """Seconds since the epoch; the store fills it in."""


@runtime_checkable
class ISessionStore(Protocol):
    """Keeps sessions. `append` returns only when the entry survives a crash of the process.

    Every method raises `SessionError`, naming the store and the remedy.
    """

    async def create(self, info: SessionInfo) -> None:
        """Begin a session."""
        ...

    async def append(self, session_id: str, record: Record) -> None:
        """Add one entry, durably."""
        ...

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return all entries, oldest first. Raises `SessionNotFound`."""
        ...

    async def info(self, session_id: str) -> SessionInfo:
        """Return the session as listed. Raises `SessionNotFound`."""
        ...

    async def list(self, workspace: str | None = None, limit: int = 50) -> tuple[SessionInfo, ...]:
        """Return sessions, the last used first; of one workspace only, if named."""
        ...

    async def delete(self, session_id: str) -> None:
        """Forget a session. Raises `SessionNotFound`."""
        ...

    async def aclose(self) -> None:
        """Release the store. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class FileImage:
    """A file as it was."""

    path: str
    """Absolute."""
    content: bytes | None = field(repr=False)
    """None where there was no file."""
    mode: int = 0o644
    """Permission bits."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A restorable point: the files as they were before a step changed them."""

    id: str
    session_id: str
    turn_id: str
    images: tuple[FileImage, ...]
    time: float
    """Seconds since the epoch."""
    after: Mapping[str, str] = field(default_factory=dict)
    """sha256 by path of what the step left there, `absent` where it left none. A file whose
    content is another by now was changed by somebody else, and is not restored."""
    skipped: tuple[str, ...] = ()
    """Paths that could not be kept, with the reason."""


@runtime_checkable
class ICheckpointStore(Protocol):
    """Keeps checkpoints. Every method raises `CheckpointError`."""

    async def put(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, replacing the one of the same id."""
        ...

    async def get(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint."""
        ...

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first."""
        ...

    async def delete(self, checkpoint_id: str) -> None:
        """Forget a checkpoint; one that is not there is no error."""
        ...

    async def aclose(self) -> None:
        """Release the store. Safe to call twice."""
        ...
