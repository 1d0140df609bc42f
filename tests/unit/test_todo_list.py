from __future__ import annotations

from victor.messages import Message, ToolCall, ToolResult, assistant, tool_results, user
from victor.pairing import problems
from victor.steps import Kind, blocks, essential
from victor.todo_list import is_note, reattached

ASKED, NOW = user("Build it."), user("And now?")


def written(call_id: str, *items: tuple[str, str], failed: bool = False) -> tuple[Message, Message]:
    listed = [{"text": text, "status": status} for text, status in items]
    asked = assistant("", ToolCall(call_id, "todo", {"items": listed}))
    return asked, tool_results(ToolResult(call_id, "The plan has items.", is_error=failed))


FIRST = written("t1", ("read it", "in_progress"), ("write it", "pending"))
SECOND = written("t2", ("read it", "done"), ("write   it", "in_progress"), ("try it", "pending"))
STEP = (assistant("", ToolCall("r1", "read", {})), tool_results(ToolResult("r1", "text")))


def test_what_is_open_is_told_behind_the_last_step_where_its_call_is_gone() -> None:
    told = reattached((ASKED, *STEP), (ASKED, *FIRST, *SECOND, *STEP))

    assert told[:3] == (ASKED, *STEP)
    assert is_note(told[3])
    assert told[3].text == (
        "(Victor: your todo list as it stands, 1 of 3 items done; these are open)\n"
        "[>] write it\n[ ] try it"
    )
    assert problems(told) == ()


def test_the_question_at_hand_stays_the_last_word() -> None:
    told = reattached((ASKED, *STEP, NOW), (ASKED, *FIRST, *STEP, NOW))

    assert is_note(told[3])
    assert told[4] is NOW


def test_where_its_call_is_there_nothing_is_added() -> None:
    after = (ASKED, *SECOND)

    assert reattached(after, (ASKED, *FIRST, *SECOND)) is after


def test_an_older_call_that_stayed_does_not_hide_the_newer_list() -> None:
    once = reattached((ASKED, *FIRST, *STEP), (ASKED, *FIRST, *SECOND, *STEP))
    again = reattached((*once[:3], NOW), (*once, NOW))

    assert [one.text for one in again if is_note(one)] == [once[-1].text]


def test_a_list_that_is_done_is_told_no_more() -> None:
    done = written("t3", ("read it", "done"))
    once = reattached((ASKED,), (ASKED, *SECOND))

    assert any(map(is_note, once))
    assert reattached((ASKED, *STEP), (ASKED, *done, *STEP)) == (ASKED, *STEP)
    assert reattached(once, (*once, *done)) == (ASKED,)


def test_without_a_list_nothing_happens() -> None:
    after = (ASKED, *STEP)

    assert reattached(after, after) is after
    assert reattached((), ()) == ()


def test_a_call_that_failed_or_is_of_another_shape_wrote_no_list() -> None:
    refused = written("t4", ("other", "pending"), failed=True)
    foreign = (
        assistant("", ToolCall("t5", "todo", {"items": ["a", {"text": 1}, {"status": "odd"}]})),
        tool_results(ToolResult("t5", "ok")),
    )
    theirs = (
        assistant("", ToolCall("t6", "todo", {"text": "buy milk"})),
        tool_results(ToolResult("t6", "ok")),
    )

    (_, note) = sorted(reattached((ASKED,), (ASKED, *FIRST, *refused)), key=is_note)
    assert "[>] read it" in note.text
    assert reattached((ASKED,), (ASKED, *foreign)) == (ASKED,)
    assert reattached((ASKED,), (ASKED, *theirs)) == (ASKED,)


def test_a_long_list_is_bounded() -> None:
    items = [(f"{number} {'very long ' * 50}", "pending") for number in range(50)]

    note = next(filter(is_note, reattached((ASKED,), (ASKED, *written("t", *items)))))

    assert len(note.text) < 4_200
    assert note.text.splitlines()[-1] == "and 31 more"


def test_behind_such_a_note_the_last_step_is_still_the_last() -> None:
    told = reattached((ASKED, *STEP), (ASKED, *SECOND, *STEP))
    parts = blocks(told, lambda message: 1)

    assert [parts[index].kind for index in sorted(essential(parts))] == [Kind.USER, Kind.STEP]
