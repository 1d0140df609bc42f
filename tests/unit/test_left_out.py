from __future__ import annotations

from pathlib import Path

from victor import steps
from victor.left_out import Transcript, pointed, taken_out, transcript
from victor.messages import Message, Role, Text, ToolCall, ToolResult, assistant, tool_results, user
from victor.pairing import LEFT_OUT
from victor.protocols.context import KeptText

PLACE = "/data/outputs/s/left-out.md"
KEPT = KeptText(Path(PLACE), 101)
NOTHING = Transcript("", {})
READ = ToolCall("1", "read", {"path": "a.py"})
STEP = (assistant("I look.", READ), tool_results(ToolResult("1", "x = 1\n" * 500)))


def test_what_is_gone_or_another_by_now_was_taken_out_and_notes_were_before() -> None:
    asked, note = user("Why?"), steps.LEFT_OUT
    shorter = tool_results(ToolResult("1", "[left out]"))

    gone = taken_out((user("old"), note, asked, *STEP), (asked, STEP[0], shorter))

    assert gone == (user("old"), STEP[1])
    assert taken_out((asked,), (asked,)) == ()


def test_a_transcript_names_each_call_and_has_every_word() -> None:
    text = transcript((user("Why?"), *STEP)).text

    assert "## user\n\nWhy?" in text
    assert "## assistant\n\nI look." in text
    assert "## result of read(path='a.py')\n\nx = 1" in text
    assert text.count("x = 1") == 500
    assert (
        "## result of a tool\n\nalone" in transcript((tool_results(ToolResult("9", "alone")),)).text
    )


def test_the_place_is_told_once_with_the_note_that_is_there() -> None:
    for note in (steps.LEFT_OUT, user(f"{steps.SUMMARY}\nall well"), user(LEFT_OUT)):
        after = (user("first"), note, user("now"))

        told = pointed(after, after, KEPT, NOTHING)

        assert told[0] is after[0]
        assert told[1].text.startswith(note.text)
        assert PLACE in told[1].text
        assert pointed(told, told, KEPT, NOTHING) == told


def test_without_a_note_the_place_is_told_behind_a_shortened_result() -> None:
    before = (user("Why?"), *STEP)
    after = (*before[:2], tool_results(ToolResult("1", "[left out]"), ToolResult("2", "b")))

    told = pointed(after, before, KEPT, NOTHING)

    first, second = told[2].tool_results
    assert first.content.startswith("[left out]\n(")
    assert PLACE in first.content
    assert second.content == "b"


def test_without_a_note_and_a_shortened_result_a_note_in_front_tells_the_place() -> None:
    told = pointed(STEP, (user("Why?"), *STEP), KEPT, NOTHING)

    assert told[0].text.startswith(steps.LEFT_OUT.text)
    assert PLACE in told[0].text
    assert told[1:] == STEP


def test_a_shortened_result_names_the_lines_that_have_it_whole() -> None:
    before = (user("Why?"), *STEP)
    result = before[2].tool_results[0]
    after = (*before[:2], tool_results(steps.elided(result, READ)))
    kept = transcript(taken_out(before, after))

    (shorter,) = pointed(after, before, KEPT, kept)[2].tool_results

    first, last = kept.lines["1"]
    assert f"lines {100 + first}-{100 + last} of left-out.md have the whole" in shorter.content
    assert steps.LOOK_AGAIN not in shorter.content
    whole = "\n".join(kept.text.splitlines()[first - 1 : last])
    assert whole == result.content


def test_the_lines_of_what_the_user_said_are_named() -> None:
    before = (user("Never on a Friday."), *STEP, user("Nor\nin May."), user("Go."))
    kept = transcript(before[:-1])

    told = pointed((steps.LEFT_OUT, before[-1]), before, KEPT, kept)

    (first, _), (second, last) = kept.said
    assert kept.text.splitlines()[first - 1] == "Never on a Friday."
    assert kept.text.splitlines()[second - 1 : last] == ["Nor", "in May."]
    assert f"in the lines {100 + first}-{100 + first}, {100 + second}-{100 + last}." in told[0].text


def test_what_is_kept_can_be_shown_by_lines() -> None:
    row = '{"id": 1, "name": "a name"}, ' * 400
    odd = "\0a\x1bb\ud800"
    kept = transcript((*STEP[:1], tool_results(ToolResult("1", row), ToolResult("2", odd))))

    assert max(map(len, kept.text.splitlines())) <= 1_800
    assert row.strip() in kept.text.replace("\n", "")
    assert "\0" not in kept.text
    assert "\u2400a\u241bb?" in kept.text
    assert "x" * 1_800 in transcript((user("x" * 4_000),)).text


def test_a_user_s_own_message_is_no_note() -> None:
    quoted = Message(Role.USER, (Text("What does (Victor: mean?"),))

    assert taken_out((quoted,), ()) == (quoted,)
