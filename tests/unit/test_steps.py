from __future__ import annotations

import pytest

from victor import steps, tokens
from victor.errors import CompactionError
from victor.messages import Message, ToolCall, ToolResult, assistant, tool_results, user
from victor.pairing import LEFT_OUT, problems

COUNT = tokens.of_message


def step(name: str, output: str = "fine") -> tuple[Message, Message]:
    return assistant("", ToolCall(name, "run", {"command": name})), tool_results(
        ToolResult(name, output)
    )


def size(messages: tuple[Message, ...]) -> int:
    return sum(map(COUNT, messages))


def test_a_call_and_its_results_are_one_block() -> None:
    messages = (user("go"), *step("a"), assistant("done"))

    parts = steps.blocks(messages, COUNT)

    assert [part.kind for part in parts] == [steps.Kind.USER, steps.Kind.STEP, steps.Kind.STEP]
    assert parts[1].messages == messages[1:3]
    assert sum(part.tokens for part in parts) == size(messages)


def test_notes_are_not_taken_for_the_user_s_words() -> None:
    messages = (steps.LEFT_OUT, user(LEFT_OUT), user(f"{steps.SUMMARY}\nall well"), user("hello"))

    kinds = [part.kind for part in steps.blocks(messages, COUNT)]

    assert kinds == [steps.Kind.NOTE, steps.Kind.NOTE, steps.Kind.SUMMARY, steps.Kind.USER]


def test_the_newest_user_message_and_the_last_step_are_essential() -> None:
    messages = (user("one"), *step("a"), user("two"), *step("b"), *step("c"))

    parts = steps.blocks(messages, COUNT)

    assert [parts[index].messages for index in sorted(steps.essential(parts))] == [
        (user("two"),),
        step("c"),
    ]


def test_a_long_first_message_is_pinned_only_up_to_its_bound() -> None:
    parts = steps.blocks((user("word " * 3_000), assistant("ok"), user("now")), COUNT)

    assert 0 not in steps.pinned(parts, 4_000)
    assert 0 in steps.pinned(parts, 50_000)


def test_two_answers_never_meet_where_a_question_between_them_is_left_out() -> None:
    messages = (
        user("a"),
        assistant("one"),
        user("b"),
        assistant("two"),
        user("c"),
        assistant("three"),
    )
    parts = steps.blocks(messages, COUNT)

    left = steps.joined(parts, {0, 1, 3, 5})

    assert problems(left) == ()
    assert left == (
        user("a"),
        assistant("one"),
        steps.LEFT_OUT,
        assistant("two"),
        steps.GAP,
        assistant("three"),
    )


def test_a_gap_at_the_end_is_told_too() -> None:
    parts = steps.blocks((user("a"), assistant("one")), COUNT)

    assert steps.joined(parts, {0}) == (user("a"), steps.LEFT_OUT)


def test_what_fits_is_neither_truncated_nor_squeezed() -> None:
    messages = (user("a"), assistant("one"))

    assert steps.truncated(messages, 1_000, COUNT) is messages
    assert steps.squeezed(messages, 1_000, COUNT) is messages


def test_squeezing_shortens_results_before_it_drops_anything() -> None:
    messages = (user("a"), *step("x", "output " * 5_000), *step("y"))

    left = steps.squeezed(messages, 5_000, COUNT)

    assert len(left) == len(messages)
    [cut] = left[2].tool_results
    assert "characters left out to save space" in cut.content
    assert cut.content.startswith("output ")
    assert cut.content.endswith("output ")
    assert size(left) <= 5_000


def test_squeezing_drops_old_messages_when_results_are_not_enough() -> None:
    messages = (user("first " * 500), *step("x"), user("now"), *step("y"))

    left = steps.squeezed(messages, 200, COUNT)

    assert left == (steps.LEFT_OUT, *messages[1:])


def test_what_cannot_be_squeezed_is_refused_with_figures() -> None:
    with pytest.raises(CompactionError, match=r"about [\d,]+ tokens.*room for 100"):
        steps.squeezed((user("word " * 900),), 100, COUNT)


def test_an_elided_result_of_an_unknown_call_still_says_what_it_was() -> None:
    result = ToolResult("x", "output " * 500, is_error=True)

    line = steps.elided(result, None)

    assert line.is_error
    assert line.call_id == "x"
    assert line.content.startswith("[Result: 3,500 characters left out")
    assert "\n" not in line.content


def test_long_arguments_are_not_repeated_in_the_line() -> None:
    call = ToolCall("x", "write", {"path": "a.py", "content": "text " * 500})

    line = steps.elided(ToolResult("x", "output " * 500), call)

    assert "path='a.py'" in line.content
    assert len(line.content) < 400
