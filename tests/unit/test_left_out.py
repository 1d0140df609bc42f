from __future__ import annotations

from victor import steps
from victor.left_out import pointed, taken_out, transcript
from victor.messages import Message, Role, Text, ToolCall, ToolResult, assistant, tool_results, user
from victor.pairing import LEFT_OUT

PLACE = "/data/outputs/s/left-out.md"
READ = ToolCall("1", "read", {"path": "a.py"})
STEP = (assistant("I look.", READ), tool_results(ToolResult("1", "x = 1\n" * 500)))


def test_what_is_gone_or_another_by_now_was_taken_out_and_notes_were_before() -> None:
    asked, note = user("Why?"), steps.LEFT_OUT
    shorter = tool_results(ToolResult("1", "[left out]"))

    gone = taken_out((user("old"), note, asked, *STEP), (asked, STEP[0], shorter))

    assert gone == (user("old"), STEP[1])
    assert taken_out((asked,), (asked,)) == ()


def test_a_transcript_names_each_call_and_has_every_word() -> None:
    text = transcript((user("Why?"), *STEP))

    assert "## user\n\nWhy?" in text
    assert "## assistant\n\nI look." in text
    assert "## result of read(path='a.py')\n\nx = 1" in text
    assert text.count("x = 1") == 500
    assert "## result of a tool\n\nalone" in transcript((tool_results(ToolResult("9", "alone")),))


def test_the_place_is_told_once_with_the_note_that_is_there() -> None:
    for note in (steps.LEFT_OUT, user(f"{steps.SUMMARY}\nall well"), user(LEFT_OUT)):
        after = (user("first"), note, user("now"))

        told = pointed(after, after, PLACE)

        assert told[0] is after[0]
        assert told[1].text.startswith(note.text)
        assert PLACE in told[1].text
        assert pointed(told, after, PLACE) is told


def test_without_a_note_the_place_is_told_behind_a_shortened_result() -> None:
    before = (user("Why?"), *STEP)
    after = (*before[:2], tool_results(ToolResult("1", "[left out]"), ToolResult("2", "b")))

    told = pointed(after, before, PLACE)

    first, second = told[2].tool_results
    assert first.content.startswith("[left out]\n(")
    assert PLACE in first.content
    assert second.content == "b"
    assert pointed(before, before, PLACE) is before


def test_a_user_s_own_message_is_no_note() -> None:
    quoted = Message(Role.USER, (Text("What does (Victor: mean?"),))

    assert taken_out((quoted,), ()) == (quoted,)
