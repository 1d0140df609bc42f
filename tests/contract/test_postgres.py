"""What only a server can do to a store: hold for others, vanish, come back, keep people out."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.contract.conftest import Server

from victor.agent.orchestrator import AgentOrchestrator
from victor.cli.findings import Finding, State
from victor.cli.store_findings import store_findings
from victor.config.settings import Settings
from victor.errors import CheckpointError, ConfigError, SessionError
from victor.messages import user
from victor.protocols import Record, SessionInfo
from victor.storage.chosen import checkpoint_store, server, session_store
from victor.storage.postgres import PostgresAddress
from victor.storage.postgres_checkpoints import PostgresCheckpointStore
from victor.storage.postgres_sessions import PostgresSessionStore
from victor.storage.session_rows import entry
from victor.testing import ScriptedProvider

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

INFO = SessionInfo("s1", "First words", "/work", "acme", "m-1", created=10.0, updated=10.0)


@pytest.fixture
async def stores(postgres: Server) -> AsyncIterator[Iterator[PostgresSessionStore]]:
    """Stores on the same tables."""
    schema = postgres.schema()
    made: list[PostgresSessionStore] = []

    def make() -> Iterator[PostgresSessionStore]:
        while True:
            made.append(PostgresSessionStore(postgres.address, schema=schema))
            yield made[-1]

    yield make()
    for store in made:
        await store.aclose()


def said(turn: str) -> Record:
    return Record("user", turn, user(turn))


async def test_a_session_is_held_by_one_store_until_that_is_closed(
    stores: Iterator[PostgresSessionStore],
) -> None:
    first, second = next(stores), next(stores)
    await first.create(INFO)
    await first.append("s1", said("t1"))
    for refused in (second.open("s1"), second.append("s1", said("t2")), second.delete("s1")):
        with pytest.raises(SessionError, match="open for writing elsewhere"):
            await refused
    assert len(await second.load("s1")) == 1
    await first.aclose()
    await second.append("s1", said("t2"))
    assert [record.turn_id for record in await second.load("s1")] == ["t1", "t2"]


async def test_many_stores_make_the_tables_at_once(stores: Iterator[PostgresSessionStore]) -> None:
    several = [next(stores) for _ in range(6)]
    await asyncio.gather(
        *(store.create(SessionInfo(f"s{n}", *[""] * 4, 1, 1)) for n, store in enumerate(several))
    )
    assert len(await several[0].list()) == 6


async def test_a_server_that_ends_loses_nothing_and_is_used_again(
    stores: Iterator[PostgresSessionStore], postgres: Server
) -> None:
    store = next(stores)
    await store.create(INFO)
    await store.append("s1", said("t1"))
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(SessionError, match=r"PostgreSQL at .*database postgres") as caught:
                await store.append("s1", said("lost"))
            assert "server runs" in caught.value.hint
    finally:
        postgres.start()
    await store.append("s1", said("t2"))
    assert [record.turn_id for record in await store.load("s1")] == ["t1", "t2"]


async def test_who_lost_the_connection_does_not_mix_in_with_another(
    stores: Iterator[PostgresSessionStore],
) -> None:
    first, second = next(stores), next(stores)
    await first.create(INFO)
    await first.append("s1", said("t1"))
    await cut(first)
    with pytest.raises(SessionError):
        await first.append("s1", said("lost"))
    await second.append("s1", said("theirs"))
    with pytest.raises(SessionError, match="open for writing elsewhere"):
        await first.append("s1", said("mine"))
    await second.aclose()
    with pytest.raises(SessionError, match="was written to elsewhere"):
        await first.append("s1", said("mine"))
    assert [record.turn_id for record in await second.load("s1")] == ["t1", "theirs"]


async def test_a_record_of_which_nobody_knew_whether_it_was_committed_counts_once(
    stores: Iterator[PostgresSessionStore],
) -> None:
    store = next(stores)
    await store.create(INFO)
    await committed_unknowingly(store, said("t1"))
    await store.append("s1", said("t2"))
    assert [record.turn_id for record in await store.load("s1")] == ["t1", "t2"]


async def test_a_damaged_record_is_told_and_not_left_out(
    stores: Iterator[PostgresSessionStore],
) -> None:
    store = next(stores)
    await store.create(INFO)
    await store.append("s1", said("t1"))

    async def damage(connection: Any) -> None:
        await connection.execute("UPDATE records SET body = replace(body, 't1', 't9')")

    await store._server.run(damage, SessionError)
    with pytest.raises(SessionError, match="record 1 of session 's1' is damaged"):
        await store.load("s1")


async def test_tables_of_a_newer_version_are_refused(
    stores: Iterator[PostgresSessionStore],
) -> None:
    store, later = next(stores), next(stores)
    await store.create(INFO)

    async def age(connection: Any) -> None:
        await connection.execute("INSERT INTO versions VALUES (99)")

    await store._server.run(age, SessionError)
    with pytest.raises(SessionError, match="version 99") as caught:
        await later.list()
    assert caught.value.hint == "Update Victor."
    checkpoints = PostgresCheckpointStore(later._server._address, schema=later._schema)
    with pytest.raises(CheckpointError, match="version 99"):
        await checkpoints.list("s1")
    await checkpoints.aclose()


async def test_an_unfit_id_is_an_error_and_not_the_end_of_the_store(
    stores: Iterator[PostgresSessionStore],
) -> None:
    store = next(stores)
    for name in ("\ud800", "a\x00b"):
        with pytest.raises(SessionError, match="PostgreSQL at"):
            await store.create(SessionInfo(name, *[""] * 4, 1, 1))
    await store.create(INFO)


async def test_a_password_is_shown_nowhere(postgres: Server) -> None:
    secret = "".join(("hun", "ter2"))
    with pytest.raises(ConfigError, match="holds a password") as caught:
        PostgresAddress(f"postgresql://me:{secret}@nowhere/db")
    assert secret not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        PostgresAddress(f"postgresql://me:{secret}@nowhere/db?what=ever")
    assert secret not in "".join(traceback.format_exception(caught.value))
    address = PostgresAddress("postgresql://me@127.0.0.1:1/db", secret)
    assert secret not in repr(address)
    store = PostgresSessionStore(address)
    with pytest.raises(SessionError, match="database db") as refused:
        await store.list()
    assert secret not in "".join(traceback.format_exception(refused.value))
    with pytest.raises(SessionError, match="database db"):
        await address.ping()


async def test_the_settings_choose_the_server_and_a_conversation_goes_on_there(
    postgres: Server, home_of_its_own: Any, tmp_path: Any
) -> None:
    settings = Settings(session_store=postgres.url, session_store_password="unused")
    config = settings.model_dump()
    assert isinstance(session_store(config), PostgresSessionStore)
    assert isinstance(checkpoint_store(config), PostgresCheckpointStore)
    assert "version" in await server(config).ping()
    first = AgentOrchestrator(settings, ScriptedProvider("Hi."), "m", workspace=tmp_path)
    async with first:
        await first.chat("Hello")
    second = AgentOrchestrator(settings, ScriptedProvider("Yes."), "m", workspace=tmp_path)
    async with second:
        messages = await second.resume("last")
        assert [message.text for message in messages] == ["Hello", "Hi."]
    assert not list(home_of_its_own.glob("sessions.db*"))


def test_the_doctor_says_whether_the_server_lets_in(postgres: Server) -> None:
    def told(url: str) -> Finding:
        found = store_findings({"session_store": url})
        return next(finding for finding in found if finding.name == "session store")

    assert told(postgres.url).state is State.OK
    broken = told("postgresql://me@127.0.0.1:1/db")
    assert (broken.state, "database db" in broken.detail) == (State.BROKEN, True)
    assert "server runs" in broken.remedy


async def cut(store: PostgresSessionStore) -> None:
    """End the store's connection from the server's side."""
    other = await store._server._address.connect()
    pid = store._server._connection.info.backend_pid
    await other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    await other.close()


async def committed_unknowingly(store: PostgresSessionStore, record: Record) -> None:
    """Commit a record, and let the store not hear of it before the connection is lost."""
    position = store._held["s1"].position
    await store.append("s1", record)
    held = store._held["s1"]
    held.position, held.in_doubt = position, entry((await store.load("s1"))[-1])["crc32"]
    await cut(store)
    with pytest.raises(SessionError):
        await store.list()
