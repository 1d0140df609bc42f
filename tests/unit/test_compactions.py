"""What a compaction did, in words, and the conversation without it."""

from __future__ import annotations

from victor import steps
from victor.compactions import UNDONE, before_last, difference, lost
from victor.messages import Message, ToolCall, ToolResult, assistant, tool_results, user
from victor.pairing import LEFT_OUT
from victor.protocols import Record

SAID = user("Do it.")
ASKED = assistant("", ToolCall("c1", "read", {}))
GIVEN = tool_results(ToolResult("c1", "much text"))
SHORT = tool_results(ToolResult("c1", "[left out]"))
DONE = assistant("Done.")


def test_what_went_and_what_came_is_counted() -> None:
    summary = user(f"{steps.SUMMARY}\nall of it")
    assert difference((SAID, ASKED, GIVEN, DONE), (summary, DONE)) == (
        "1 message of the user left out",
        "1 message of the assistant left out",
        "1 tool result left out",
        "1 summary written",
    )
    assert difference((SAID, ASKED, GIVEN), (SAID, ASKED, SHORT)) == ("1 tool result shortened",)
    assert difference((SAID, DONE), (SAID, DONE)) == ()


def test_notes_are_no_words_of_the_user() -> None:
    assert difference((steps.LEFT_OUT, SAID, DONE), (SAID, DONE)) == ()


def test_what_stands_for_the_beginning_of_a_repaired_history_is_no_word_of_the_user() -> None:
    stands_for_more = user(LEFT_OUT)
    assert difference([stands_for_more, user("Hello")], []) == ("1 message of the user left out",)
    assert [one.text for one, _ in lost([stands_for_more, user("Hello")], [])] == ["Hello"]


def test_what_was_lost_is_told_one_by_one() -> None:
    other = assistant("", ToolCall("c2", "read", {}))
    gone = tool_results(ToolResult("c2", "more text"))

    assert lost((SAID, SAID, ASKED, GIVEN, DONE), (SAID, ASKED, SHORT, DONE)) == (
        (SAID, False),
        (GIVEN, True),
    )
    assert lost((steps.LEFT_OUT, other, gone), ()) == ((other, False), (gone, False))
    assert lost((SAID,), (user("Do it."),)) == ()


def record(kind: str, message: Message | None = None, **more: object) -> Record:
    return Record(kind, "t", message=message, **more)  # type: ignore[arg-type]  # of the caller's


def test_a_compaction_is_taken_back_with_what_came_after_it_kept() -> None:
    records = (
        record("user", SAID),
        record("reply", DONE),
        record("compacted", context=(DONE,)),
        record("user", user("And now?")),
    )
    assert before_last(records) == (SAID, DONE, user("And now?"))


def test_taking_back_twice_takes_back_the_one_before() -> None:
    records = (
        record("user", SAID),
        record("reply", DONE),
        record("compacted", context=(SAID,)),
        record("compacted", context=(DONE,)),
    )
    once = before_last(records)
    assert once == (SAID,)
    undone = record("compacted", context=once, data={UNDONE: True})
    assert before_last((*records, undone)) == (SAID, DONE)


def test_without_a_compaction_there_is_nothing_to_take_back() -> None:
    assert before_last((record("user", SAID),)) is None
