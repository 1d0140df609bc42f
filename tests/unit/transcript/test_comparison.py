"""Two sessions side by side."""

from __future__ import annotations

from dataclasses import replace

from victor.cli.diff_command import _folded, _row
from victor.messages import ToolCall, ToolResult, assistant, user
from victor.protocols import Record
from victor.transcript.comparison import compared

CALL = ToolCall("c", "read", {"path": "a.txt"})


def session(*answers: str, call: ToolCall = CALL) -> tuple[Record, ...]:
    records: list[Record] = []
    for number, answer in enumerate(answers, start=1):
        turn = f"s-{number}"
        records += [
            Record("user", turn, user(f"question {number}")),
            Record("reply", turn, assistant("", call), calls=(call,)),
            Record("result", turn, result=ToolResult("c", "text", is_error=number > 1)),
            Record("reply", turn, assistant(answer)),
            Record("ended", turn, data={"model": "m", "seconds": 2.0}),
        ]
    return tuple(records)


def test_turns_are_the_same_by_what_was_said_and_done() -> None:
    pairs = compared(session("a", "b\nc"), session("a", "d", "e"))
    assert [(pair.turn, pair.same) for pair in pairs] == [(1, True), (2, False), (3, False)]
    first, second = pairs[1].first, pairs[1].second
    assert first is not None
    assert second is not None
    assert first.asked == second.asked == "question 2"
    assert first.lines == ("* read a.txt (failed)", "b", "c")
    assert second.lines == ("* read a.txt (failed)", "d")
    assert first.took == "m · 2.0 s"
    assert pairs[2].first is None
    assert compared((), ()) == ()


def test_another_call_or_end_makes_another_turn() -> None:
    other = replace(CALL, arguments={"path": "b.txt"})
    assert not compared(session("a"), session("a", call=other))[0].same
    (pair,) = compared(session("a"), session("a")[:-1])
    assert not pair.same
    assert pair.second is not None
    assert pair.second.lines[-1] == "(The record breaks off here.)"


def test_both_sides_are_folded_to_their_width() -> None:
    lines = list(_row(["one two three four", ""], ["x" * 25], 10))
    assert lines == [
        "one two    │ " + "x" * 10,
        "three four │ " + "x" * 10,
        "           │ " + "x" * 5,
    ]
    assert list(_row(["日本語日本語"], ["b"], 8)) == ["日本語日 │ b", "本語     │"]
    assert _folded("    indented", 20) == ["    indented"]
    assert _folded("", 5) == [""]
