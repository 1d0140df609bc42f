"""One SQLite file: its connection, and the one thread of this process that uses it.

Work is queued and done in order. What `write` returns has been committed, and synced to the disk;
a caller that stops waiting changes nothing: its work is committed as a whole, or not at all.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from victor.errors import VictorError
from victor.storage.connection import connect, lock_file, move_log, unsafe
from victor.storage.location import private_file
from victor.storage.wal_check import wal_of
from victor.storage.writer_lock import WriterLock

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

Work: TypeAlias = "Callable[[sqlite3.Connection], T]"
"""Done in the database's thread. Work that writes may be done again after a rollback."""

_EXIT_SECONDS = 10.0

REPAIR = "`victor doctor --repair` keeps what can be read, and the damaged file beside it."
_LOG_BYTES = 2_000_000
"""How large the write-ahead log may grow before it is moved into the file."""

_WRITABLE = "Make the file and its folder writable, or set VICTOR_HOME to another."
_BUSY = "Another process is writing to it for long: end that process, then try again."
_FULL = "Free some space on that disk, then try again."
_REMEDIES: dict[str, str] = {
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_FULL": _FULL,
    "SQLITE_READONLY": _WRITABLE,
    "SQLITE_CANTOPEN": _WRITABLE,
    "SQLITE_CORRUPT": REPAIR,
    "SQLITE_NOTADB": REPAIR,
    "SQLITE_IOERR": "Free some space on that disk, or check that it can be read and written.",
}
_REMEDIES_BY_ERRNO: dict[int | None, str] = {
    errno.EROFS: _WRITABLE,
    errno.EACCES: _WRITABLE,
    errno.EPERM: _WRITABLE,
    errno.ENOSPC: _FULL,
}
_WAITED = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})
_UNUSABLE = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR", "SQLITE_CANTOPEN"})
"""After these the connection is opened anew."""


_NO_FILE: Any = None


@dataclass(slots=True)
class _Outcome:
    """What came of work. As a context it takes any error: the thread must outlive each one."""

    value: Any = None
    error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self.error = error
        return True


class _Use(Enum):
    """What work needs of the file."""

    NOTHING = auto()
    READ = auto()
    WRITE = auto()


@dataclass(frozen=True, slots=True)
class _Job:
    """Work that somebody waits for."""

    work: Work[Any]
    use: _Use
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def settle(self, outcome: _Outcome) -> None:
        """Hand the outcome to who waits, in their loop."""
        # The loop may be closed by now; then nobody waits.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: _Outcome) -> None:
        if self.future.done():
            return
        if outcome.error is None:
            self.future.set_result(outcome.value)
        else:
            self.future.set_exception(outcome.error)


class Database:
    """The use of one file by this process. Get it by `acquire`, give it back by `release`."""

    def __init__(self, path: Path, *, patience: float) -> None:
        self.path = path
        self.pid = os.getpid()
        self.users = 0
        self._patience = patience
        self._lock = WriterLock(lock_file(path), patience)
        self._move_at = _LOG_BYTES
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._farewell: _Job | None = None
        self._thread = threading.Thread(target=self._serve, name=f"victor-{path.name}", daemon=True)

    async def read(self, work: Work[T], error: type[VictorError]) -> T:
        """Return what `work` returns. Raises `error`, naming the file and the remedy."""
        return await self._submit(work, error, _Use.READ)

    async def write(self, work: Work[T], error: type[VictorError]) -> T:
        """Return what `work` returns, once it is committed; raises `error` if it is not."""
        return await self._submit(work, error, _Use.WRITE)

    async def empty_log(self, error: type[VictorError]) -> None:
        """Move what the log holds into the file, so that nothing deleted is left in either."""
        await self._submit(lambda _: self._move_log(), error, _Use.READ)

    async def call(self, work: Callable[[], T], error: type[VictorError]) -> T:
        """Return what `work` returns; it is done in turn, and does not open the file."""
        return await self._submit(lambda _: work(), error, _Use.NOTHING)

    async def _submit(self, work: Work[T], error: type[VictorError], use: _Use) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Job(work, use, loop, future))
        try:
            return await future
        except _Failed as failed:
            raise error(failed.message, hint=failed.hint) from failed.__cause__
        except VictorError as raised:
            # Opening the file raises the sessions' error, whoever opens it.
            if isinstance(raised, error):
                raise
            raise error(str(raised.args[0]), hint=raised.hint) from raised

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, wait_seconds: float) -> None:
        """Finish what is queued and close the file, waiting that long at most."""
        self._queue.put(None)
        self._thread.join(wait_seconds)

    def forget_lock(self) -> None:
        """Close this process' handle of the lock file, which it has from its parent."""
        self._lock.close()

    async def aclose(self) -> None:
        """Finish what is queued and close the file."""
        loop = asyncio.get_running_loop()
        self._farewell = _Job(_nothing, _Use.NOTHING, loop, loop.create_future())
        self._queue.put(None)
        await self._farewell.future

    def _serve(self) -> None:
        waiting: deque[_Job | None] = deque()
        while True:
            waiting.append(self._queue.get())
            # Only this thread takes from the queue, so what is counted is there.
            waiting.extend(self._queue.get() for _ in range(self._queue.qsize()))
            while waiting:
                job = waiting.popleft()
                if job is None:
                    self._end()
                    return
                batch = [job]
                while (
                    job.use is _Use.WRITE
                    and waiting
                    and (following := waiting[0]) is not None
                    and following.use is _Use.WRITE
                ):
                    batch.append(following)
                    waiting.popleft()
                self._commit(batch)

    def _end(self) -> None:
        self._close()
        if self._farewell is not None:
            self._farewell.settle(_Outcome())

    def _commit(self, batch: list[_Job]) -> None:
        """Do the writes in one transaction, or each in its own where one of them fails."""
        if len(batch) > 1:
            with _Outcome() as outcome:
                outcome.value = self._attempt(lambda connection: _transact(connection, batch))
            if outcome.error is None:
                for job, value in zip(batch, outcome.value, strict=True):
                    job.settle(_Outcome(value))
                return
            if isinstance(outcome.error, _Failed) and outcome.error.waited:
                for job in batch:
                    job.settle(outcome)
                return
        for job in batch:
            with _Outcome() as outcome:
                outcome.value = self._done(job)
            job.settle(outcome)

    def _done(self, job: _Job) -> object:
        if job.use is _Use.WRITE:
            return self._attempt(lambda connection: _transact(connection, [job]))[0]
        return self._attempt(job.work, job.use)

    def _attempt(self, work: Work[T], use: _Use = _Use.WRITE) -> T:
        """Do `work`. Raises `_Failed` for what SQLite says, and leaves no transaction open."""
        import sqlite3

        try:
            if use is _Use.NOTHING:
                return work(_NO_FILE)
            connection = self._open()
            if use is _Use.READ:
                return work(connection)
            with self._lock.held():
                done = work(connection)
                self._move_large_log()
            return done
        except TimeoutError as error:
            raise _Failed(f"{self.path}: {error}.", _BUSY, waited=True) from error
        except (sqlite3.Error, OSError, UnicodeError, OverflowError) as error:
            name = getattr(error, "sqlite_errorname", "")
            code = next((known for known in _REMEDIES if name.startswith(known)), "")
            if code in _UNUSABLE:
                self._close()
            number = getattr(error, "errno", None)
            remedy = _REMEDIES.get(code) or _REMEDIES_BY_ERRNO.get(number, "")
            # Without the name of the lock beside the file, which says nothing to people.
            told = getattr(error, "strerror", None) or error
            raise _Failed(f"{self.path}: {told}.", remedy, waited=code in _WAITED) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            private_file(self.path)
            if wrong := unsafe(self.path):
                raise _Failed(f"{self.path}: {wrong}.", REPAIR, waited=False)
            self._connection = connect(self.path, self._patience, self._lock)
        return self._connection

    def _move_large_log(self) -> None:
        """Move the log into the file where it has grown large.

        SQLite would do so by itself, but not alone: see `WriterLock`.
        """
        try:
            size = wal_of(self.path).stat().st_size
        except OSError:
            return
        if size < self._move_at:
            self._move_at = _LOG_BYTES
        else:
            self._move_log()
            # A reader that is still at an old state keeps the log from being emptied: then later.
            self._move_at = size + _LOG_BYTES

    def _move_log(self) -> None:
        with self._lock.held():
            move_log(self._open(), self._patience)

    def _close(self) -> None:
        import sqlite3

        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        self._lock.close()


class _Failed(Exception):
    """SQLite refused; the message names the file and the reason."""

    def __init__(self, message: str, hint: str, *, waited: bool) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.waited = waited
        """Whether it took all the patience there is: then others are not made to wait again."""


def _transact(connection: sqlite3.Connection, jobs: list[_Job]) -> list[Any]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [job.work(connection) for job in jobs]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


_databases: dict[Path, Database] = {}
_lock = threading.Lock()


def acquire(path: Path, *, patience: float) -> Database:
    """Return the one `Database` of the file, to be given back by `release`.

    `patience` is how many seconds to wait for other processes; the first user's holds.
    """
    path = path.expanduser().absolute()
    with _lock:
        database = _databases.get(path)
        if database is None:
            database = _databases[path] = Database(path, patience=patience)
            database.start()
        database.users += 1
        return database


def is_open(path: Path) -> bool:
    """Return whether this process uses the file."""
    return path.expanduser().absolute() in _databases


async def release(database: Database) -> None:
    """Give it back; the last to do so closes the file."""
    with _lock:
        database.users -= 1
        if database.users or _databases.get(database.path) is not database:
            return
        del _databases[database.path]
    await database.aclose()


def _nothing(_: sqlite3.Connection) -> None:
    pass


def _close_all() -> None:
    for database in tuple(_databases.values()):
        database.stop(_EXIT_SECONDS)


def _forget_all() -> None:
    """Start afresh in a forked child, which has no thread and must not use the connection."""
    global _lock  # noqa: PLW0603 - the parent's lock may be held by a thread that is not here
    _lock = threading.Lock()
    for database in _databases.values():
        # Else the child would keep the lock of a parent that dies while it writes.
        database.forget_lock()
    _databases.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
