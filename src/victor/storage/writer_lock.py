"""One writer at a time, among all processes that use a database: a lock file beside it.

SQLite has a lock of its own for that. This one also covers what SQLite does beside it, moving the
write-ahead log into the file: up to version 3.51.2 a transaction that is committed during that may
be lost, or damage the file (https://www.sqlite.org/wal.html#walresetbug). Who holds this lock is
alone with both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from victor.storage.location import FILE_MODE, private_folder

_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.01


class WriterLock:
    """The lock of one database; `patience` is how many seconds to wait for it.

    The system drops it when its process ends, however it ends.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._descriptor: int | None = None
        self._depth = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; who has it already goes on. Raises `TimeoutError`, or `OSError`."""
        if not self._depth:
            self._take()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._give_back()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take(self) -> None:
        import fcntl

        if self._descriptor is None:
            private_folder(self._path.parent)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        until = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError("the database is locked") from None
            except OSError:
                # Some network disks know no such locks; SQLite's own must do there.
                return
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _give_back(self) -> None:
        import fcntl

        if self._descriptor is not None:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
