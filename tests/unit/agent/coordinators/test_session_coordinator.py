"""The record of a conversation, and the conversation again out of the record."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor.agent.coordinators.session_coordinator import SessionCoordinator
from victor.errors import SessionError, SessionNotFound, UnknownNameError
from victor.messages import (
    Message,
    Role,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from victor.pairing import INTERRUPTED, problems
from victor.protocols import Record, SessionInfo
from victor.storage.memory import MemorySessionStore
from victor.storage.sqlite import SqliteSessionStore

pytestmark = pytest.mark.anyio

INFO = SessionInfo("s1", "", "/work", "acme", "m-1", created=1.0, updated=1.0)
READ, EDIT = ToolCall("1", "read", {}), ToolCall("2", "edit", {})


def asked(text: str, turn: str = "t1") -> Record:
    return Record("user", turn, user(text))


def replied(text: str, *calls: ToolCall, turn: str = "t1") -> Record:
    return Record("reply", turn, assistant(text, *calls), calls=calls)


def gave(call: ToolCall, content: str = "ok", turn: str = "t1") -> Record:
    return Record("result", turn, result=ToolResult(call.id, content))


def rebuilt(*records: Record) -> tuple[Message, ...]:
    return SessionCoordinator(MemorySessionStore()).messages(records)


async def test_a_session_without_a_turn_leaves_nothing() -> None:
    session = SessionCoordinator(MemorySessionStore())
    await session.start(INFO)
    assert await session.list() == ()
    assert await session.info("s1") == INFO
    await session.close()
    with pytest.raises(SessionNotFound):
        await session.info("s1")


async def test_the_first_words_become_the_title() -> None:
    session = SessionCoordinator(MemorySessionStore())
    await session.start(INFO)
    await session.record("s1", asked("Please  find\nthe bug " + "in this very long story " * 5))
    await session.record("s1", replied("Found."))
    (listed,) = await session.list()
    assert listed.title == "Please find the bug in this very long story in this very…"
    assert [record.kind for record in await session.load("s1")] == ["user", "reply"]


async def test_what_victor_says_of_the_mode_is_no_part_of_the_title() -> None:
    session = SessionCoordinator(MemorySessionStore())
    await session.start(INFO)
    said = Message(Role.USER, (Text("Hello"), Text("\n\nMode: plan.")))
    await session.record("s1", Record("user", "t1", said))
    assert (await session.info("s1")).title == "Hello"


async def test_a_title_that_is_given_is_kept() -> None:
    session = SessionCoordinator(MemorySessionStore())
    await session.start(INFO)
    await session.rename("s1", "Mine")
    await session.record("s1", asked("hello"))
    assert (await session.info("s1")).title == "Mine"
    await session.rename("s1", "Yours")
    assert (await session.info("s1")).title == "Yours"


async def test_a_session_that_is_resumed_goes_on_under_its_title() -> None:
    store = MemorySessionStore()
    first = SessionCoordinator(store)
    await first.start(INFO)
    await first.record("s1", asked("hello"))
    second = SessionCoordinator(store)
    await second.start(INFO)
    await second.rename("s1", "Renamed")
    await second.record("s1", asked("again", "t2"))
    assert (await second.info("s1")).title == "Renamed"
    assert len(await second.load("s1")) == 2


async def test_the_latest_session_of_a_workspace_is_found() -> None:
    session = SessionCoordinator(MemorySessionStore())
    with pytest.raises(SessionNotFound, match="None was recorded in /work; `victor chat`"):
        await session.latest("/work")
    with pytest.raises(SessionNotFound, match="None was recorded yet"):
        await session.latest()
    await session.start(INFO)
    await session.record("s1", asked("hello"))
    assert await session.latest("/work") == "s1"
    assert [match.info.id for match in await session.search("HELLO")] == ["s1"]


async def test_deleting_forgets_a_begun_and_a_recorded_session() -> None:
    session = SessionCoordinator(MemorySessionStore())
    await session.start(INFO)
    await session.delete("s1")
    with pytest.raises(SessionNotFound):
        await session.record("s1", asked("hello"))
    await session.start(INFO)
    await session.record("s1", asked("hello"))
    await session.delete("s1")
    assert await session.list() == ()


async def test_the_second_to_open_a_session_is_told(tmp_path: Path) -> None:
    first = SessionCoordinator(SqliteSessionStore(tmp_path / "s.db"))
    second = SessionCoordinator(SqliteSessionStore(tmp_path / "s.db"))
    await first.start(INFO)
    with pytest.raises(SessionError, match="open for writing elsewhere"):
        await second.start(INFO)
    await first.close()
    await second.open("s1")
    await second.close()


async def test_a_record_that_the_store_refuses_is_not_acknowledged(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    session = SessionCoordinator(SqliteSessionStore(blocked / "s.db"))
    with pytest.raises(SessionError, match="VICTOR_HOME"):
        await session.start(INFO)
    await session.close()


def test_a_conversation_is_rebuilt_as_it_was() -> None:
    messages = rebuilt(
        asked("a"),
        replied("b", READ, EDIT),
        gave(EDIT, "edited"),
        gave(READ, "text"),
        replied("c"),
        Record("ended", "t1"),
        asked("d", "t2"),
    )
    assert messages == (
        user("a"),
        assistant("b", READ, EDIT),
        tool_results(ToolResult("1", "text"), ToolResult("2", "edited")),
        assistant("c"),
        user("d"),
    )


@pytest.mark.parametrize("kind", ["cancelled", "failed", ""])
def test_a_call_without_a_result_is_said_to_be_interrupted(kind: str) -> None:
    end = (Record(kind, "t1"),) if kind else ()
    messages, repairs = SessionCoordinator(MemorySessionStore()).restore(
        (asked("a"), replied("", READ, EDIT), gave(READ), *end)
    )
    first, second = messages[2].tool_results
    assert first.content == "ok"
    assert (second.call_id, second.content, second.is_error) == ("2", INTERRUPTED, True)
    assert repairs == ("tool call 'edit' (2) was interrupted; it is said so",)


def test_a_result_that_came_after_the_end_of_its_turn_still_counts() -> None:
    messages = rebuilt(asked("a"), replied("", READ), Record("cancelled", "t1"), gave(READ, "late"))
    assert messages[2] == tool_results(ToolResult("1", "late"))


def test_results_of_one_id_in_two_turns_are_not_mixed_up() -> None:
    messages = rebuilt(
        asked("a"),
        replied("", READ),
        gave(READ, "first"),
        replied("b"),
        asked("c", "t2"),
        replied("", READ, turn="t2"),
        gave(READ, "second", "t2"),
        replied("d", turn="t2"),
    )
    assert [m.tool_results[0].content for m in messages if m.tool_results] == ["first", "second"]
    assert problems(messages) == ()


def test_what_was_compacted_replaces_what_came_before() -> None:
    messages = rebuilt(
        asked("a"),
        replied("b"),
        Record("compacted", "t2", context=(user("summary"), assistant("all"))),
        asked("c", "t2"),
    )
    assert messages == (user("summary"), assistant("all"), user("c"))


def test_a_compaction_in_the_middle_of_a_step_still_gets_its_results() -> None:
    messages = rebuilt(
        asked("a"),
        replied("", READ),
        Record("compacted", "t1", context=(user("short"), assistant("", READ))),
        gave(READ),
        Record("compacted", "t1", context=()),
        asked("b", "t2"),
    )
    assert messages == (user("b"),)
    assert (
        problems(
            rebuilt(Record("compacted", "t1", context=(user("s"), assistant("", READ))), gave(READ))
        )
        == ()
    )


def test_what_a_workflow_ran_is_not_part_of_the_conversation() -> None:
    outside = Record("tool", "w1", result=ToolResult("9", "built"))
    assert rebuilt(asked("a"), outside, replied("b")) == (user("a"), assistant("b"))


def test_no_records_are_no_messages() -> None:
    assert rebuilt() == ()


turns = st.sampled_from(["t1", "t2"])
calls = st.sampled_from([READ, EDIT, ToolCall("", "odd", {})])
anything = st.one_of(
    st.builds(asked, st.sampled_from(["a", " ", ""]), turns),
    st.builds(
        lambda text, some, turn: replied(text, *some, turn=turn),
        st.sampled_from(["b", ""]),
        st.lists(calls, max_size=2),
        turns,
    ),
    st.builds(gave, calls, st.just("ok"), turns),
    st.builds(Record, st.sampled_from(["cancelled", "failed", "ended", "tool"]), turns),
    st.builds(
        lambda messages: Record("compacted", "t1", context=messages),
        st.sampled_from([(), (assistant("x", READ),), (tool_results(ToolResult("9", "")),)]),
    ),
)


@given(st.lists(anything, max_size=10))
def test_whatever_was_recorded_is_rebuilt_to_what_may_be_sent(records: list[Record]) -> None:
    assert problems(rebuilt(*records)) == ()


FIGURES = {"input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5, "seconds": 1.0}


async def recorded(session: SessionCoordinator, *records: Record) -> None:
    await session.start(INFO)
    for record in records:
        await session.record("s1", record)


async def three_turns() -> SessionCoordinator:
    session = SessionCoordinator(MemorySessionStore(), clock=lambda: 500.0)
    for number in (1, 2, 3):
        turn = f"s1-{number}"
        ended = Record("ended", turn, data=FIGURES)
        await recorded(session, asked(f"word {number}", turn), replied("yes", turn=turn), ended)
    return session


@pytest.mark.parametrize(("at", "kept"), [(None, 3), (0, 0), (1, 1), (3, 3)])
async def test_a_fork_begins_with_the_turns_that_it_keeps(at: int | None, kept: int) -> None:
    session = await three_turns()
    before = await session.load("s1")
    fork = await session.fork("s1", "f1", at_turn=at, model="m-2")
    assert (fork.id, fork.parent, fork.parent_turn, fork.model) == ("f1", "s1", kept, "m-2")
    assert (fork.title, fork.provider, fork.created) == ("word 1", "acme", 500.0)
    assert fork.turns == kept
    assert (fork.input_tokens, fork.cost_usd, fork.seconds) == (0, 0.0, 0.0)
    messages = session.messages(await session.load("f1"))
    assert messages == session.messages(before)[: 2 * kept]
    assert await session.load("s1") == before


@pytest.mark.parametrize("at", [-1, 4])
async def test_a_fork_at_a_turn_that_there_is_not_is_refused(at: int) -> None:
    session = await three_turns()
    with pytest.raises(SessionError, match="it has 3"):
        await session.fork("s1", "f1", at_turn=at)
    with pytest.raises(SessionNotFound):
        await session.fork("nobody", "f1")


async def test_a_fork_does_not_finish_what_its_parent_is_doing() -> None:
    session = SessionCoordinator(MemorySessionStore())
    await recorded(session, asked("a", "s1-1"), replied("", READ, EDIT, turn="s1-1"))
    await session.fork("s1", "f1")
    records = await session.load("f1")
    assert [record.kind for record in records] == ["user", "reply", "cancelled"]
    messages = session.messages(records)
    assert [result.content for result in messages[2].tool_results] == [INTERRUPTED] * 2
    assert problems(messages) == ()


async def test_an_id_is_known_by_how_it_begins() -> None:
    session = await three_turns()
    await session.fork("s1", "s2")
    assert await session.resolve("s1") == "s1"
    with pytest.raises(SessionError, match="Several sessions begin with 's': s1, s2"):
        await session.resolve("s")
    with pytest.raises(SessionNotFound):
        await session.resolve("x")
    with pytest.raises(SessionNotFound):
        await session.resolve("")
    await session.fork("s1", "s12")
    assert await session.resolve("s1") == "s1"
    assert await session.resolve("s12") == "s12"
    assert await session.resolve("last") == await session.latest()
    begun = SessionCoordinator(MemorySessionStore())
    await begun.start(INFO)
    assert await begun.resolve("s1") == "s1"


async def test_tags_are_put_on_and_taken_off() -> None:
    session = SessionCoordinator(MemorySessionStore())
    await session.start(INFO)
    assert await session.tag("s1", " early ") == ("early",)
    await session.record("s1", asked("hello"))
    assert (await session.info("s1")).tags == ("early",)
    assert await session.tag("s1", "b", "a", remove=("early", "none")) == ("a", "b")
    assert [info.id for info in await session.list(tag="a")] == ["s1"]
    assert await session.list(tag="early") == ()
    with pytest.raises(SessionNotFound):
        await session.tag("nobody", "a")


@pytest.mark.parametrize("tag", ["", "  ", "x" * 41, "a,b", "a\nb", "\u202eb"])
async def test_what_cannot_be_a_tag_is_refused(tag: str) -> None:
    session = await three_turns()
    with pytest.raises(SessionError, match="cannot be a tag"):
        await session.tag("s1", "good", tag)
    assert (await session.info("s1")).tags == ()


async def test_an_export_is_made_of_the_cleaned_session_and_taken_in_again() -> None:
    store = MemorySessionStore()
    given: list[tuple[SessionInfo, tuple[Record, ...]]] = []

    def export(info: SessionInfo, records: tuple[Record, ...]) -> str:
        given.append((info, records))
        return info.id

    session = SessionCoordinator(store, exports={"text": export}, read=lambda _: given[0])
    await recorded(session, asked("hello", "s1-1"), Record("ended", "s1-1", data=FIGURES))
    before = await session.info("s1")
    assert await session.export("s1", "text") == "s1"
    assert await session.export("s1", "text", clean=lambda info, _: (info, ())) == "s1"
    assert given[1][1] == ()
    with pytest.raises(UnknownNameError, match="Known: text"):
        await session.export("s1", "pdf")
    with pytest.raises(SessionError, match="recorded already"):
        await session.add("s1")
    assert (await session.add("s1", as_id="s2", workspace="/here")).workspace == "/here"
    await session.delete("s1")
    assert await session.add("s1") == before
    assert all(record.data["imported"] for record in await session.load("s1"))
    with pytest.raises(SessionError, match="made without"):
        await SessionCoordinator(store).add("s1")


async def test_a_fork_sees_what_its_parent_sees_unless_it_goes_back_to_a_turn() -> None:
    session = await three_turns()
    back = Record("rewound", "", data={"to": "s1-2", "restore": "a checkpoint of the parent's"})
    await session.record("s1", back)
    await session.fork("s1", "all")
    assert len(session.messages(await session.load("all"))) == 2
    assert "restore" not in (await session.load("all"))[-1].data
    await session.fork("s1", "third", at_turn=3)
    assert len(session.messages(await session.load("third"))) == 6
