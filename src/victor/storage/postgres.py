"""The connection of one store to PostgreSQL.

Work is done in order, each in a transaction of its own: what `run` returns has been committed. A
caller that stops waiting changes nothing: its work is committed as a whole, or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from victor.errors import ConfigError, SessionError, VictorError
from victor.storage.postgres_schema import migrate

if TYPE_CHECKING:
    from psycopg import AsyncConnection

T = TypeVar("T")

Work: TypeAlias = "Callable[[AsyncConnection[Any]], Awaitable[T]]"

SCHEMA = "victor"
"""Where the tables are, unless another is named."""

_SECONDS = 10
_INSTALL = "Install it with: pip install 'victor-ai[postgres]'"
_CHECK = "Check that the server runs and lets you in; nothing is acknowledged that it has not."


class PostgresAddress:
    """Where a server is, and how to get in. Its password is in no text that is made of it."""

    def __init__(self, url: str, password: str = "") -> None:
        """`url` is as libpq takes it; what it leaves out comes from libpq's own environment.

        Raises `ConfigError` where it cannot be read, or where it holds a password: it would be
        shown wherever settings are.
        """
        try:
            from psycopg import ProgrammingError, conninfo
        except ImportError as error:
            raise ConfigError("PostgreSQL needs the package psycopg.", hint=_INSTALL) from error
        try:
            parts = conninfo.conninfo_to_dict(url)
        except ProgrammingError:
            # Its text would hold the address, and with it what must not be shown.
            raise ConfigError(
                "The PostgreSQL address of session_store cannot be read.",
                hint="Write it as postgresql://USER@HOST:PORT/DATABASE.",
            ) from None
        if parts.get("password"):
            raise ConfigError(
                "The PostgreSQL address of session_store holds a password.",
                hint="Take it out, and put it into VICTOR_SESSION_STORE_PASSWORD, PGPASSWORD or"
                " ~/.pgpass.",
            )
        self._parts: dict[str, Any] = {
            **parts,
            "connect_timeout": str(parts.get("connect_timeout", _SECONDS)),
        }
        self._password = password
        self.where = f"PostgreSQL at {parts.get('host', 'this machine')}"
        if parts.get("dbname"):
            self.where += f", database {parts['dbname']}"

    def __repr__(self) -> str:
        return f"PostgresAddress({self.where!r})"

    async def connect(self) -> AsyncConnection[Any]:
        """Return an open connection. Raises `psycopg.Error`."""
        from psycopg import AsyncConnection, conninfo

        secret = {"password": self._password} if self._password else {}
        told = conninfo.make_conninfo(**self._parts, **secret)
        return await AsyncConnection.connect(told, autocommit=True)

    async def ping(self) -> str:
        """Return the server and its version, once it lets in. Raises `SessionError`."""
        from psycopg import Error

        try:
            async with await self.connect() as connection:
                version = connection.info.parameter_status("server_version")
        except (Error, OSError) as failure:
            raise SessionError(f"{self.where}: {_text(failure)}.", hint=_CHECK) from failure
        return f"{self.where}, version {version}"


class PostgresConnection:
    """One connection, opened at first use and again after it was lost."""

    def __init__(self, address: PostgresAddress, *, schema: str = SCHEMA) -> None:
        self._address = address
        self._schema = schema
        self._connection: AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self.epoch = 0
        """Counts connections: what the server keeps for one of them is gone with it."""

    @property
    def where(self) -> str:
        """The server, as people are told of it."""
        return self._address.where

    async def run(
        self,
        work: Work[T],
        error: type[VictorError],
        *,
        committed: Callable[[T], None] | None = None,
    ) -> T:
        """Return what `work` returns, once it is committed; raises `error` if it is not.

        `committed` is told of it first, also where the caller has gone.
        """
        # Waited for behind a shield, so that a cancelled caller leaves no half-used connection.
        task = asyncio.create_task(self._run(work, error, committed))
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Finish what runs and close the connection. A later call opens it again."""
        async with self._lock:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            from psycopg import Error

            # The server notices the end of a connection a little later; others need not wait.
            with contextlib.suppress(Error):
                await connection.execute("SELECT pg_advisory_unlock_all()")
            await connection.close()

    async def _run(
        self, work: Work[T], error: type[VictorError], committed: Callable[[T], None] | None
    ) -> T:
        from psycopg import Error

        async with self._lock:
            try:
                connection = await self._opened()
                async with connection.transaction():
                    done = await work(connection)
                if committed is not None:
                    committed(done)
                return done
            except (Error, OSError, UnicodeError, OverflowError) as failure:
                raise error(f"{self.where}: {_text(failure)}.", hint=_CHECK) from failure
            except VictorError as failure:
                if isinstance(failure, error):
                    raise
                raise error(str(failure.args[0]), hint=failure.hint) from failure

    async def _opened(self) -> AsyncConnection[Any]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        from psycopg import sql

        connection = await self._address.connect()
        try:
            await migrate(connection, self._schema, self.where)
            path = sql.SQL("SET search_path TO {}").format(sql.Identifier(self._schema))
            await connection.execute(path)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        self.epoch += 1
        return connection

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        # Whoever waited may have gone; then nobody looks at the error, and that is no news.
        if not task.cancelled():
            task.exception()


def _text(failure: Exception) -> str:
    """Return what libpq says, on one line; it never says the password."""
    return " ".join(str(failure).split()).rstrip(".") or type(failure).__name__
