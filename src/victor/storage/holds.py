"""Which sessions this store holds for writing, kept by locks of the operating system.

The system drops a lock when its process ends, however it ends, so a hold is never stale.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from victor.errors import SessionError
from victor.storage.location import FILE_MODE, private_folder


class Holds:
    """The holds of one store. Two stores exclude each other, in one process too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, tuple[int, Path]] = {}

    def take(self, session_id: str) -> None:
        """Hold the session, unless it is held already. Raises `SessionError` if another has it."""
        from hashlib import sha256

        if session_id in self._held:
            return
        private_folder(self._folder)
        # Ids may come from outside and are no file names.
        name = sha256(session_id.encode(errors="surrogatepass")).hexdigest()[:32]
        path = self._folder / f"{name}.lock"
        while (descriptor := self._locked(path, session_id)) is None:
            pass
        self._held[session_id] = (descriptor, path)
        # Who holds it is only told to people; the lock holds on a full disk as well.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())

    def drop(self, session_id: str) -> None:
        """Give the session up; one that is not held is no error."""
        held = self._held.pop(session_id, None)
        if held is None:
            return
        descriptor, path = held
        path.unlink(missing_ok=True)
        os.close(descriptor)

    def drop_all(self) -> None:
        """Give up every session."""
        for session_id in tuple(self._held):
            self.drop(session_id)

    def _locked(self, path: Path, session_id: str) -> int | None:
        """Return the locked file; None where it was unlinked on the way, to be tried again."""
        import fcntl

        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode("ascii", "replace")
            os.close(descriptor)
            raise SessionError(
                f"The session {session_id!r} is open for writing elsewhere (process {owner}).",
                hint="Close it there, or start another session.",
            ) from None
        os.close(descriptor)
        return None


def held_elsewhere(database: Path) -> str:
    """Return the process that holds a session of the database for writing; empty if none does."""
    for path in _locks(database):
        if owner := _owner(path):
            return owner
    return ""


def stale_locks(database: Path) -> tuple[Path, ...]:
    """Return the lock files that no process holds any more. They keep nobody out."""
    return tuple(path for path in _locks(database) if not _owner(path))


def drop_stale(database: Path) -> int:
    """Remove the lock files that no process holds, and return how many they were."""
    stale = stale_locks(database)
    for path in stale:
        # Who takes one meanwhile finds that it is gone, and tries again.
        path.unlink(missing_ok=True)
    return len(stale)


def _locks(database: Path) -> tuple[Path, ...]:
    return tuple(sorted(database.with_name(f"{database.name}.locks").glob("*.lock")))


def _owner(path: Path) -> str:
    """Return the process that holds the lock; empty where none does."""
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 20).decode("ascii", "replace") or "unknown"
    finally:
        os.close(descriptor)
    return ""
