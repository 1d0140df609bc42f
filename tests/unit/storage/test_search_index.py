"""The search index: what it holds, and that a search needs it for speed alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from victor.errors import SessionError
from victor.messages import assistant, user
from victor.protocols import Record, SessionInfo
from victor.storage import search_index
from victor.storage.matching import excerpt, has, terms
from victor.storage.memory import MemorySessionStore
from victor.storage.sqlite import SqliteSessionStore

pytestmark = pytest.mark.anyio

TEXT = st.text(alphabet="aAbBßẞİi \"%_'\0é😀", max_size=12)


def info(session_id: str) -> SessionInfo:
    return SessionInfo(session_id, "", "/work", "acme", "m", created=1.0, updated=1.0)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=st.lists(TEXT, min_size=1, max_size=5), wanted=TEXT)
async def test_a_search_with_the_index_finds_what_one_without_it_finds(
    tmp_path: Path, said: list[str], wanted: str
) -> None:
    memory = MemorySessionStore()
    store = SqliteSessionStore(tmp_path / "s.db")
    ids = [f"s{number}" for number in range(len(said))]
    try:
        for each in (memory, store):
            for name, text in zip(ids, said, strict=True):
                await each.create(info(name))
                await each.append(name, Record("user", "t", user(text)))
        expected = await memory.search(wanted)
        found = await store.search(wanted)
        assert {match.info.id: match.excerpt for match in found} == {
            match.info.id: match.excerpt for match in expected
        }
        for name in ids:
            await store.delete(name)
    finally:
        await store.aclose()


async def test_without_fts5_every_record_is_read_and_the_same_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "_CREATE", "CREATE VIRTUAL TABLE search USING no_such(text)")
    store = SqliteSessionStore(tmp_path / "s.db")
    await store.create(info("s1"))
    await store.append("s1", Record("user", "t", user("a needle")))
    (match,) = await store.search("needle")
    assert match.excerpt == "a needle"
    await store.delete("s1")
    assert await store.search("needle") == ()
    await store.aclose()


async def test_a_file_that_cannot_be_written_is_searched_without_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteSessionStore(tmp_path / "s.db")
    await store.create(info("s1"))
    await store.append("s1", Record("user", "t", user("a needle")))

    def full(_: sqlite3.Connection) -> bool:
        raise SessionError("the disk is full")

    monkeypatch.setattr(search_index, "catch_up", full)
    assert [match.excerpt for match in await store.search("needle")] == ["a needle"]
    await store.aclose()


async def test_many_records_are_indexed_in_several_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "BATCH", 3)
    store = SqliteSessionStore(tmp_path / "s.db")
    for name in ("a", "b"):
        records = tuple(Record("reply", "t", assistant(f"word{number}")) for number in range(5))
        await store.add(info(name), records)
    assert len(await store.search("word4")) == 2
    with sqlite3.connect(tmp_path / "s.db") as connection:
        assert connection.execute("SELECT indexed FROM sessions").fetchall() == [(5,), (5,)]
    connection.close()
    await store.aclose()


async def test_no_byte_of_a_deleted_session_is_left_in_the_files(tmp_path: Path) -> None:
    store = SqliteSessionStore(tmp_path / "s.db")
    secret = "the plan of the vault"
    for name, text in (("s1", secret * 50), ("s2", "other words")):
        await store.create(info(name))
        await store.append(name, Record("user", "t", user(text)))
    assert len(await store.search("vault")) == 1
    await store.delete("s1")
    held = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"other words" in held
    assert secret.encode() not in held
    await store.aclose()


async def test_a_database_of_the_first_schema_gets_its_totals_and_is_searched(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    store = SqliteSessionStore(path)
    figures = {"cost_usd": 0.5, "seconds": 2.0, "model_calls": 1}
    unpriced = {"cost_usd": None, "seconds": 1.0, "model_calls": 1}
    records = (
        Record("user", "t1", user("a needle")),
        Record("ended", "t1", data=figures),
        Record("failed", "t2", data=unpriced),
    )
    await store.add(info("s1"), records)
    await store.aclose()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER records_are_counted")
        added = ("cost_usd", "unpriced_turns", "seconds", "parent", "parent_turn", "indexed")
        for column in (*added, "records"):
            connection.execute(f"ALTER TABLE sessions DROP COLUMN {column}")
        for table, column in (
            ("checkpoints", "restores"),
            ("images", "folder"),
            ("images", "after"),
            ("images", "after_mode"),
        ):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("DROP TABLE tags")
        connection.execute("INSERT INTO records VALUES (9, 1, 3, 'ended', 't3', 1.0, 'no json', 0)")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    store = SqliteSessionStore(path)
    listed = await store.info("s1")
    assert (listed.cost_usd, listed.unpriced_turns, listed.seconds) == (0.5, 1, 3.0)
    assert (listed.tags, listed.parent) == ((), "")
    assert len(await store.search("needle")) == 1
    await store.aclose()


def test_terms_are_words_and_what_stands_in_quotes() -> None:
    assert terms('Fix "The Parser" fix now"') == ("fix", "the parser", "now")
    assert terms(' "" " "') == ()
    assert has("They FIX the parser now", terms('"the parser" fix'))


def test_a_query_is_made_of_the_parts_that_the_index_has() -> None:
    assert search_index.query(('a"b',)) == '"a""b"'
    assert search_index.query(("ab", "c")) == ""
    assert search_index.query(("abcd", "a\0b")) == '"abc" AND "bcd" AND "a\1b"'
    assert search_index.query(("x" * 100 + "abc" * 100,)).count("AND") == 5
    assert search_index.query(("".join(map(chr, range(300, 400))),)).count("AND") == 59


def test_an_excerpt_begins_with_a_whole_word_where_there_is_one() -> None:
    assert excerpt("short", ("short",)) == "short"
    assert excerpt(f"{'x' * 60}needle", ("needle",)) == f"…{'x' * 30}needle"
    assert excerpt(f"{'word ' * 20}needle", ("needle",)).startswith("…word word")
