"""The ports to restorable points: what is at a path, where it is kept, and how it is put back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

_ABSENT = "absent"
_FOLDER = "folder"
_LINK = "link:"


@dataclass(frozen=True, slots=True)
class FileState:
    """What is at a path: nothing, a folder, a symbolic link, or a file with this very content."""

    content: str
    """`absent`, `folder`, `link:` with the link's target as written, or the sha256 of a file."""
    mode: int = 0
    """Permission bits of a file or folder."""

    @classmethod
    def link_to(cls, target: str) -> FileState:
        """Return the state of a symbolic link."""
        return cls(f"{_LINK}{target}")

    @property
    def is_absent(self) -> bool:
        """Whether nothing is there."""
        return self.content == _ABSENT

    @property
    def is_folder(self) -> bool:
        """Whether a folder is there."""
        return self.content == _FOLDER

    @property
    def link(self) -> str:
        """The target of a symbolic link; empty where there is none."""
        return self.content.removeprefix(_LINK) if self.content.startswith(_LINK) else ""

    @property
    def sha256(self) -> str:
        """The sha256 of a file's content; empty where there is no file."""
        return "" if self.is_absent or self.is_folder or self.link else self.content


ABSENT = FileState(_ABSENT)
"""Nothing is there."""


def folder_state(mode: int) -> FileState:
    """Return the state of a folder."""
    return FileState(_FOLDER, mode)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A restorable point: what was at some paths before a call of the agent, or before a restore.

    The contents stand in the store, under their sha256.
    """

    id: str
    session_id: str
    turn_id: str
    before: Mapping[str, FileState]
    """By absolute path."""
    time: float
    """Seconds since the epoch."""
    after: Mapping[str, FileState] = field(default_factory=dict)
    """What was left at the same paths. What is another by now was changed by somebody else, and is
    not restored. A path that is missing here was not come to, or is not known of."""
    skipped: tuple[str, ...] = ()
    """What could not be kept, with the reason."""
    undone: bool = False
    """Whether it was taken back; a further undo or redo goes past it."""
    restores: tuple[str, ...] = ()
    """Set where this is a restore: the checkpoints that it took back."""

    @property
    def changed(self) -> bool:
        """Whether something is another than before, or may be."""
        return any(self.after.get(path) != state for path, state in self.before.items())


@dataclass(frozen=True, slots=True)
class Kept:
    """What was found at some paths, and the contents to keep of it."""

    states: Mapping[str, FileState]
    contents: Mapping[str, bytes]
    """By sha256; one for each file among the states."""
    skipped: tuple[str, ...] = ()
    """What cannot be kept, with the reason."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a restore makes of a path."""

    path: str
    now: FileState
    then: FileState


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a workspace while it was watched."""

    before: Kept
    """What was at the paths that are another now."""
    after: Mapping[str, FileState]


ReadContent: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Returns the content with this sha256. Raises `CheckpointError`."""


@runtime_checkable
class ICheckpointStore(Protocol):
    """Keeps checkpoints and their contents. Every method raises `CheckpointError`."""

    async def put(self, checkpoint: Checkpoint, contents: Mapping[str, bytes] = ...) -> None:
        """Keep a checkpoint, replacing the one of the same id, and contents by their sha256.

        Contents that are kept already need not be given.
        """
        ...

    async def get(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint."""
        ...

    async def content(self, sha256: str) -> bytes:
        """Return a content that some checkpoint has."""
        ...

    async def list(self, session_id: str) -> tuple[Checkpoint, ...]:
        """Return the session's checkpoints, oldest first."""
        ...

    async def mark(self, *, undone: tuple[str, ...] = ..., standing: tuple[str, ...] = ...) -> None:
        """Note of checkpoints, by id, that they were taken back or stand again; all or none."""
        ...

    async def delete(self, session_id: str) -> None:
        """Forget the session's checkpoints, and contents that no other has."""
        ...

    async def prune(self, *, before: float, most_bytes: int) -> int:
        """Let go of the contents of old checkpoints, and return how many checkpoints had some.

        Those from before that moment go, then the oldest, until `most_bytes` hold the rest. They
        stay listed: with nothing to restore, and the reason among what was skipped.
        """
        ...

    async def aclose(self) -> None:
        """Release the store. Safe to call twice."""
        ...


@runtime_checkable
class IFileImages(Protocol):
    """Reads and writes files for checkpoints. Every method raises `CheckpointError`."""

    async def read(self, paths: tuple[Path, ...]) -> Kept:
        """Return what is at `paths`, to be kept, and at the folders above that are missing.

        A symbolic link is kept as such, and with it the file that it leads to.
        """
        ...

    async def states(self, paths: tuple[str, ...]) -> Mapping[str, FileState]:
        """Return what is at each path now; those where it cannot be told are left out."""
        ...

    async def restore(self, changes: tuple[Change, ...], content: ReadContent) -> tuple[str, ...]:
        """Make the changes and return the paths that were left as they are.

        A path that is not in its state `now` at that moment is left, and so is a folder that is
        to go and is not empty.
        """
        ...

    async def diff(self, changes: tuple[Change, ...], content: ReadContent) -> str:
        """Return what the changes would make of the files, as a unified diff."""
        ...


@runtime_checkable
class IWorkspaceWatch(Protocol):
    """Tells what a command changed in the workspace. Every method raises `CheckpointError`."""

    async def begin(self, name: str) -> tuple[str, ...]:
        """Keep the workspace as it is, and return what of it is not covered, with the reason."""
        ...

    async def end(self, name: str) -> Changed:
        """Return what has changed since `begin` of this name."""
        ...

    async def aclose(self) -> None:
        """Release what is held. Safe to call twice."""
        ...
