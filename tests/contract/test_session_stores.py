"""What every session store promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from victor.errors import SessionError, SessionNotFound
from victor.messages import (
    Image,
    Message,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    user,
)
from victor.protocols import ISessionStore, Record, SessionInfo
from victor.storage.memory import MemorySessionStore
from victor.storage.postgres_sessions import PostgresSessionStore
from victor.storage.sqlite import SqliteSessionStore

pytestmark = pytest.mark.anyio

INFO = SessionInfo("s1", "First words", "/work", "acme", "m-1", created=10.0, updated=10.0)
CALL = ToolCall("c1", "read", {"path": "é\ud800"})

CONVERSATION = (
    Record("user", "t1", Message(Role.USER, (Text("look"), Image(b"\x00\xff", "image/png")))),
    Record(
        "reply",
        "t1",
        Message(Role.ASSISTANT, (Thinking("hm", "sig", "acme"), Text("yes"), CALL)),
        calls=(CALL,),
        data={"usage": {"input": 3}},
    ),
    Record(
        "result", "t1", result=ToolResult("c1", "no\x00such", is_error=True, full_output="/tmp/x")
    ),
    Record("compacted", "t1", context=(user("short"), assistant("all"))),
    Record("ended", "t1", data={"input_tokens": 30, "output_tokens": 4}),
)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ISessionStore]:
    made: ISessionStore
    match request.param:
        case "memory":
            made = MemorySessionStore()
        case "sqlite":
            made = SqliteSessionStore(tmp_path / "s.db")
        case _:
            server = request.getfixturevalue("postgres")
            made = PostgresSessionStore(server.address, schema=server.schema())
    yield made
    await made.aclose()


def other(session_id: str, **changes: object) -> SessionInfo:
    return replace(INFO, id=session_id, **changes)


async def test_it_fits_the_port(store: ISessionStore) -> None:
    assert isinstance(store, ISessionStore)


async def test_what_was_appended_comes_back_in_order_and_unchanged(store: ISessionStore) -> None:
    await store.create(INFO)
    for record in CONVERSATION:
        await store.append("s1", record)
    loaded = await store.load("s1")
    assert tuple(replace(record, time=0.0) for record in loaded) == CONVERSATION
    assert all(record.time > 0 for record in loaded)


async def test_a_time_that_is_given_is_kept(store: ISessionStore) -> None:
    await store.create(INFO)
    await store.append("s1", Record("user", "t1", user("a"), time=12.5))
    assert (await store.load("s1"))[0].time == 12.5
    assert (await store.info("s1")).updated == 12.5


async def test_totals_add_up_over_turns_and_count_the_tokens_of_failed_ones(
    store: ISessionStore,
) -> None:
    await store.create(INFO)
    figures = {"input_tokens": 10, "output_tokens": 2}
    for kind in ("ended", "failed", "cancelled", "ended"):
        await store.append("s1", Record("user", kind, user("a")))
        await store.append("s1", Record(kind, kind, data=figures))
    info = await store.info("s1")
    assert (info.turns, info.input_tokens, info.output_tokens) == (2, 40, 8)
    assert info.created == 10.0


async def test_creating_again_keeps_what_is_there(store: ISessionStore) -> None:
    await store.create(INFO)
    await store.append("s1", CONVERSATION[0])
    await store.create(other("s1", title="Another"))
    assert (await store.info("s1")).title == "First words"
    assert len(await store.load("s1")) == 1


@pytest.mark.parametrize("name", ["load", "info", "delete"])
async def test_an_unknown_session_is_told_by_name(store: ISessionStore, name: str) -> None:
    with pytest.raises(SessionNotFound, match="'nobody'"):
        await getattr(store, name)("nobody")


async def test_nothing_is_appended_to_an_unknown_session(store: ISessionStore) -> None:
    with pytest.raises(SessionNotFound):
        await store.append("nobody", CONVERSATION[0])
    with pytest.raises(SessionNotFound):
        await store.rename("nobody", "x")


async def test_sessions_are_listed_by_last_use_and_by_workspace(store: ISessionStore) -> None:
    for name, workspace in (("a", "/one"), ("b", "/two"), ("c", "/one")):
        await store.create(other(name, workspace=workspace))
    await store.append("a", Record("user", "t", user("again"), time=99.0))
    assert [info.id for info in await store.list()] == ["a", "c", "b"]
    assert [info.id for info in await store.list("/one")] == ["a", "c"]
    assert [info.id for info in await store.list(limit=1)] == ["a"]
    assert await store.list("/nowhere") == ()


async def test_a_search_finds_what_was_said_and_not_how_it_is_stored(store: ISessionStore) -> None:
    await store.create(INFO)
    await store.append("s1", Record("user", "t1", user('Where is "Größe\nX"?')))
    await store.append("s1", Record("result", "t1", result=ToolResult("c", "hidden")))
    await store.create(other("s2", title="Other", workspace="/two"))

    async def found(text: str, **where: Any) -> list[str]:
        return [match.info.id for match in await store.search(text, **where)]

    assert await found("WHERE IS") == ["s1"]
    assert await found("is where") == ["s1"]
    assert await found('"is where"') == []
    assert await found("größe\nx") == ["s1"]
    assert await found("RÖSS") == []
    assert await found("rÖß x") == ["s1"]
    assert await found("first words") == ["s1"]
    assert await found("oTHEr") == ["s2"]
    assert await found("other", workspace="/work") == []
    assert await found("parts") == []
    assert await found("hidden") == []
    assert await found("where other") == []
    assert await found("  ") == []
    assert await found("r", limit=1) == ["s1"]
    assert await found("\ud800 \x00") == []


async def test_a_search_shows_the_words_around_the_newest_place(store: ISessionStore) -> None:
    await store.create(INFO)
    for turn, text in (
        ("t1", "an old needle"),
        ("t2", f"{'hay ' * 40}a new\nneedle {'hay ' * 40}"),
    ):
        await store.append("s1", Record("user", turn, user(text)))
    await store.append("s1", Record("reply", "t3", assistant("nothing here")))
    (match,) = await store.search("NEEDLE")
    assert match.info.id == "s1"
    assert match.turn_id == "t2"
    assert match.excerpt.startswith("…hay ")
    assert "hay a new needle hay" in match.excerpt
    assert match.excerpt.endswith("…")
    (match,) = await store.search("first words")
    assert (match.turn_id, match.excerpt) == ("", "")


async def test_a_search_sees_what_was_added_since_the_one_before(store: ISessionStore) -> None:
    await store.create(INFO)
    await store.append("s1", Record("user", "t1", user("apples")))
    assert await store.search("pears") == ()
    await store.append("s1", Record("reply", "t1", assistant("and pears")))
    assert [match.info.id for match in await store.search("pears")] == ["s1"]
    await store.delete("s1")
    assert await store.search("apples") == ()
    await store.create(other("s2"))
    await store.append("s2", Record("user", "t1", user("plums")))
    assert await store.search("apples") == ()
    assert [match.info.id for match in await store.search("plums")] == ["s2"]


async def test_ids_are_found_by_how_they_begin(store: ISessionStore) -> None:
    for name in ("ab1", "ab2", "b%", "b_x"):
        await store.create(other(name))
    assert await store.find("ab") == ("ab1", "ab2")
    assert await store.find("ab2") == ("ab2",)
    assert await store.find("b%") == ("b%",)
    assert await store.find("") == ("ab1", "ab2", "b%", "b_x")
    assert await store.find("", limit=1) == ("ab1",)
    assert await store.find("B") == ()


async def test_tags_replace_each_other_and_select(store: ISessionStore) -> None:
    await store.create(other("s1", tags=("new",)))
    await store.create(other("s2"))
    assert (await store.info("s1")).tags == ("new",)
    await store.set_tags("s1", ("z", 'a"b', "z"))
    assert (await store.info("s1")).tags == ('a"b', "z")
    await store.append("s1", CONVERSATION[0])
    assert [info.id for info in await store.list(tag="z")] == ["s1"]
    assert await store.list(tag="new") == ()
    await store.set_tags("s1", ())
    assert (await store.info("s1")).tags == ()
    with pytest.raises(SessionNotFound):
        await store.set_tags("nobody", ("x",))
    await store.create(other("s1", tags=("late",)))
    assert (await store.info("s1")).tags == ()


async def test_a_session_is_added_with_all_its_entries_and_their_totals(
    store: ISessionStore,
) -> None:
    info = other("s1", tags=("kept",), parent="s0", parent_turn=3, turns=77, updated=50.0)
    figures = {"input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5, "seconds": 1.5}
    records = (*CONVERSATION[:3], Record("ended", "t1", data=figures, time=20.0))
    await store.add(info, records)
    assert await store.info("s1") == replace(
        info, turns=1, input_tokens=10, output_tokens=2, cost_usd=0.5, seconds=1.5
    )
    loaded = await store.load("s1")
    assert [record.kind for record in loaded] == ["user", "reply", "result", "ended"]
    assert loaded[3] == records[3]
    await store.append("s1", CONVERSATION[0])
    assert len(await store.load("s1")) == 5


async def test_a_session_that_exists_is_not_added_to(store: ISessionStore) -> None:
    await store.create(INFO)
    with pytest.raises(SessionError, match="recorded already"):
        await store.add(other("s1", title="Mine"), CONVERSATION)
    assert await store.load("s1") == ()
    assert (await store.info("s1")).title == "First words"


async def test_what_a_turn_cost_adds_up_and_what_has_no_price_is_counted(
    store: ISessionStore,
) -> None:
    await store.create(INFO)
    for cost, calls in ((0.25, 1), (None, 2), (0.5, 1), (None, 0)):
        data = {"cost_usd": cost, "model_calls": calls, "seconds": 2.0}
        await store.append("s1", Record("ended", "t", data=data))
    info = await store.info("s1")
    assert (info.cost_usd, info.unpriced_turns, info.seconds) == (0.75, 1, 8.0)


@pytest.mark.parametrize("nonsense", [True, -5, 1e300, float("nan"), 10**30, "many", None])
async def test_a_figure_that_cannot_be_one_counts_nothing(
    store: ISessionStore, nonsense: object
) -> None:
    await store.create(INFO)
    names = ("input_tokens", "output_tokens", "seconds", "cost_usd")
    await store.append("s1", Record("ended", "t1", data=dict.fromkeys(names, nonsense)))
    info = await store.info("s1")
    assert (info.input_tokens, info.output_tokens, info.seconds, info.cost_usd) == (0, 0, 0, 0)


async def test_a_renamed_session_keeps_its_records(store: ISessionStore) -> None:
    await store.create(INFO)
    await store.append("s1", CONVERSATION[0])
    await store.rename("s1", "Better")
    assert (await store.info("s1")).title == "Better"
    assert len(await store.load("s1")) == 1


async def test_a_deleted_session_is_gone_and_its_name_free(store: ISessionStore) -> None:
    await store.create(INFO)
    await store.append("s1", CONVERSATION[0])
    await store.delete("s1")
    with pytest.raises(SessionNotFound):
        await store.append("s1", CONVERSATION[0])
    await store.create(INFO)
    assert await store.load("s1") == ()


async def test_many_appends_at_once_are_all_there_in_their_own_order(store: ISessionStore) -> None:
    for name in ("a", "b", "c"):
        await store.create(other(name))
    await asyncio.gather(
        *(
            store.append(name, Record("user", str(i), user(str(i))))
            for i in range(50)
            for name in "abc"
        )
    )
    for name in "abc":
        assert [record.turn_id for record in await store.load(name)] == [str(i) for i in range(50)]


async def test_one_bad_append_among_many_hurts_only_itself(store: ISessionStore) -> None:
    await store.create(INFO)
    results = await asyncio.gather(
        store.append("s1", CONVERSATION[0]),
        store.append("nobody", CONVERSATION[0]),
        store.append("s1", CONVERSATION[4]),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), SessionNotFound, type(None)]
    assert len(await store.load("s1")) == 2


async def test_a_cancelled_append_breaks_nothing(store: ISessionStore) -> None:
    await store.create(INFO)
    task = asyncio.create_task(store.append("s1", CONVERSATION[0]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.append("s1", CONVERSATION[4])
    kinds = [record.kind for record in await store.load("s1")]
    assert kinds in (["user", "ended"], ["ended"])


async def test_closing_twice_is_no_error(store: ISessionStore) -> None:
    await store.create(INFO)
    await store.aclose()
    await store.aclose()
    assert (await store.info("s1")).id == "s1"


async def test_a_session_is_opened_again_by_the_same_store(store: ISessionStore) -> None:
    await store.open("s1")
    await store.open("s1")
    await store.create(INFO)
    await store.append("s1", CONVERSATION[0])
    assert len(await store.load("s1")) == 1


async def test_odd_ids_are_ids(store: ISessionStore) -> None:
    for name in ("../../etc/passwd", "", "a b/ü", "x" * 500):
        await store.create(other(name))
        await store.append(name, CONVERSATION[0])
        assert (await store.info(name)).id == name


async def test_a_huge_message_is_kept(store: ISessionStore) -> None:
    await store.create(INFO)
    text = "x" * 3_000_000
    await store.append("s1", Record("user", "t1", user(text)))
    message = (await store.load("s1"))[0].message
    assert message is not None
    assert message.text == text


async def test_an_unfit_id_is_an_error_and_not_the_end_of_the_store(tmp_path: Path) -> None:
    store = SqliteSessionStore(tmp_path / "s.db")
    with pytest.raises(SessionError, match="surrogates"):
        await store.create(other("\ud800"))
    await store.create(INFO)
    await store.aclose()


async def test_an_entry_that_cannot_be_kept_keeps_the_whole_session_out(tmp_path: Path) -> None:
    store = SqliteSessionStore(tmp_path / "s.db")
    with pytest.raises(SessionError, match="'nonsense'"):
        await store.add(INFO, (*CONVERSATION, Record("nonsense", "t2")))
    assert await store.list() == ()
    await store.aclose()
