"""What every session store promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

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


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ISessionStore]:
    made = (
        MemorySessionStore() if request.param == "memory" else SqliteSessionStore(tmp_path / "s.db")
    )
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


async def test_figures_that_are_none_count_nothing(store: ISessionStore) -> None:
    await store.create(INFO)
    await store.append("s1", Record("ended", "t1", data={"input_tokens": "many"}))
    assert (await store.info("s1")).input_tokens == 0


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

    async def found(text: str, **where: str) -> list[str]:
        return [info.id for info in await store.search(text, **where)]

    assert await found("WHERE IS") == ["s1"]
    assert await found('"größe\nx') == ["s1"]
    assert await found("first words") == ["s1"]
    assert await found("oTHEr") == ["s2"]
    assert await found("other", workspace="/work") == []
    assert await found("parts") == []
    assert await found("hidden") == []
    assert len(await store.search("r", limit=1)) == 1


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
