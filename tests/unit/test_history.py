"""A record as turns, and cut at one of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from victor.history import as_it_ended, last_number, restored, taken_back, turns, until
from victor.messages import Message, Role, Text, ToolCall, ToolResult, assistant, user
from victor.pairing import problems
from victor.protocols import Record

CALL = ToolCall("c", "read", {})


def asked(turn: str, text: str = "words") -> Record:
    return Record("user", turn, user(text))


def replied(turn: str, *calls: ToolCall) -> Record:
    return Record("reply", turn, assistant("yes", *calls), calls=calls)


def gave(turn: str, call: ToolCall = CALL) -> Record:
    return Record("result", turn, result=ToolResult(call.id, "ok"))


RECORDS = (
    Record("tool", "s-1", result=ToolResult("w", "before any turn")),
    asked("s-2", "first"),
    replied("s-2", CALL),
    Record("cancelled", "s-2"),
    asked("s-3", "second"),
    gave("s-2"),
    Record("user", "s-3", user("not the form that was asked for")),
    replied("s-3"),
    Record("tool", "s-4", result=ToolResult("w", "between")),
    Record("ended", "s-3", data={"model": "m"}),
    asked("s-5", "third"),
)


def test_a_turn_is_what_was_recorded_under_its_id_wherever_it_stands() -> None:
    first, second, third = turns(RECORDS)
    assert [record.kind for record in first.records] == ["user", "reply", "cancelled", "result"]
    assert [record.kind for record in second.records] == ["user", "user", "reply", "tool", "ended"]
    assert (first.number, first.id, first.words) == (1, "s-2", "first")
    assert first.results == (ToolResult("c", "ok"),)
    assert first.replies == (assistant("yes", CALL),)
    assert first.end is not None
    assert first.end.kind == "cancelled"
    assert (third.end, third.replies, third.results) == (None, (), ())


def test_the_words_of_a_turn_are_those_of_the_user_alone() -> None:
    told = Message(Role.USER, (Text("mine"), Text("\n\nMode: plan")))
    (turn,) = turns((Record("user", "t-1", told),))
    assert turn.words == "mine"
    assert turn.asked == told
    (turn,) = turns((Record("user", "t-1", Message(Role.USER, ())),))
    assert turn.words == ""


def test_a_cut_keeps_whole_turns_and_what_came_before_them() -> None:
    assert until(RECORDS, 0) == RECORDS[:1]
    assert until(RECORDS, 1) == (*RECORDS[:4], RECORDS[5])
    assert until(RECORDS, 2) == RECORDS[:10]
    assert until(RECORDS, 3) == RECORDS


def test_the_next_number_is_above_every_one_that_was_used() -> None:
    assert last_number(RECORDS) == 5
    assert last_number(()) == 0
    assert last_number((asked("no number"), asked("a-b-12"), asked("x-²"))) == 12


@st.composite
def histories(draw: st.DrawFn) -> tuple[Record, ...]:
    """Records as a crash at any place, in any turn, may leave them."""
    records: list[Record] = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        turn = [asked(f"s-{number}")]
        for step in range(draw(st.integers(0, 2))):
            calls = tuple(ToolCall(f"{step}.{i}", "t", {}) for i in range(draw(st.integers(1, 3))))
            turn.append(replied(f"s-{number}", *calls))
            turn += [gave(f"s-{number}", call) for call in draw(st.permutations(calls))]
        turn += [replied(f"s-{number}"), Record("ended", f"s-{number}")]
        kept = draw(st.integers(1, len(turn)))
        records += turn[:kept]
        if draw(st.booleans()):
            context = (user("summary"), assistant("so far"))
            records.append(Record("compacted", f"s-{number}", context=context))
    return tuple(records)


@given(histories(), st.integers(0, 4))
def test_a_record_that_is_cut_at_any_turn_gives_a_valid_history(
    records: tuple[Record, ...], last: int
) -> None:
    had = turns(records)
    kept = until(records, last)
    assert turns(kept) == had[:last]
    messages, _ = restored(kept)
    assert problems(messages) == ()


def test_a_turn_that_was_taken_back_is_known_and_can_be_gone_back_to() -> None:
    first = (asked("s-1"), replied("s-1"), Record("ended", "s-1"))
    second = (asked("s-2"), replied("s-2"), Record("ended", "s-2"))
    back = Record("rewound", "", data={"to": "s-2"})
    third = (asked("s-3"), replied("s-3"))
    records = (*first, *second, back, *third)
    assert taken_back(records) == {"s-2"}
    assert taken_back(first) == frozenset()
    assert as_it_ended(records, 2) == (*first, *second)
    assert len(restored(as_it_ended(records, 2))[0]) == 4
    assert as_it_ended(records, 3) == records
    assert len(restored(as_it_ended(records, 3))[0]) == 4
