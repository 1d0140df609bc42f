"""What may be sent to a model, and what becomes of what may not."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from victor.messages import (
    Image,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from victor.pairing import INTERRUPTED, LEFT_OUT, interrupted, problems, repair


def call(call_id: str, name: str = "read") -> ToolCall:
    return ToolCall(call_id, name, {})


def result(call_id: str, content: str = "ok") -> ToolResult:
    return ToolResult(call_id, content)


VALID = (
    user("a"),
    assistant("looking", call("1"), call("2")),
    tool_results(result("1"), result("2")),
    assistant("b"),
    user("c"),
    user("again"),
    assistant("d"),
)


def refusals(messages: tuple[Message, ...]) -> list[str]:
    """What the two vendors refuse, written from their documentation and not from the code."""
    found = [text for message in messages for text in unfit_parts(message)]
    if messages and messages[0].role is not Role.USER:
        found.append("starts with another role")
    before = (None, *messages)
    after = (*messages[1:], None)
    for last, message, following in zip(before, messages, after, strict=False):
        if message.role is Role.ASSISTANT and message.tool_calls:
            found += unanswered(message, following)
        if last is not None and last.role is message.role is Role.ASSISTANT:
            found.append("assistant twice")
        if message.role is Role.TOOL and not (last is not None and last.tool_calls):
            found.append("orphaned")
    used = [c.id for message in messages for c in message.tool_calls]
    if len(used) != len(set(used)) or "" in used:
        found.append("ids")
    return found


FITTING = {
    Role.USER: {Text, Image},
    Role.ASSISTANT: {Text, Thinking, ToolCall},
    Role.TOOL: {ToolResult},
}


def unfit_parts(message: Message) -> list[str]:
    if not message.parts:
        return ["empty"]
    found = ["part"] if {type(part) for part in message.parts} - FITTING[message.role] else []
    if any(isinstance(part, Text) and not part.text.strip() for part in message.parts):
        found.append("blank")
    if isinstance(message.parts[-1], Thinking):
        found.append("ends with reasoning")
    return found


def unanswered(message: Message, following: Message | None) -> list[str]:
    if following is None or following.role is not Role.TOOL:
        return ["unanswered"]
    answered = [r.call_id for r in following.tool_results]
    return [] if answered == [c.id for c in message.tool_calls] else ["wrongly answered"]


def test_a_valid_history_comes_back_as_the_same_object() -> None:
    repaired, repairs = repair(VALID)
    assert repaired is VALID
    assert repairs == ()


def test_an_empty_history_is_valid() -> None:
    assert repair(()) == ((), ())


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    repaired, repairs = repair(
        (user("a"), assistant("", call("1"), call("2")), tool_results(result("2")))
    )
    assert repaired[2].tool_results == (interrupted(call("1")), result("2"))
    assert repaired[2].tool_results[0].content == INTERRUPTED
    assert repaired[2].tool_results[0].is_error
    assert repairs == ("message 2: tool call 'read' (1) had no result; one added",)


def test_the_last_messages_of_a_conversation_keep_all_but_the_orphans() -> None:
    repaired, repairs = repair(VALID[2:])
    assert repaired == (user(LEFT_OUT), *VALID[3:])
    assert len(repairs) == 3


def test_a_cut_in_the_middle_of_long_tool_work_keeps_the_work() -> None:
    work = (assistant("", call("1")), tool_results(result("1")), assistant("done"))
    assert repair(work)[0] == (user(LEFT_OUT), *work)


def test_results_in_several_messages_are_joined_and_sorted() -> None:
    history = (
        user("a"),
        assistant("", call("1"), call("2")),
        tool_results(result("2")),
        tool_results(result("1")),
    )
    repaired, repairs = repair(history)
    assert repaired[2:] == (tool_results(result("1"), result("2")),)
    assert any("joined" in text for text in repairs)


def test_results_out_of_order_are_sorted_and_it_is_said() -> None:
    history = (
        user("a"),
        assistant("", call("1"), call("2")),
        tool_results(result("2"), result("1")),
    )
    repaired, repairs = repair(history)
    assert repaired[2] == tool_results(result("1"), result("2"))
    assert repairs == ("message 2: results were not in the order of their calls; sorted",)


def test_a_user_message_between_a_call_and_its_result_comes_after_both() -> None:
    history = (
        user("a"),
        assistant("", call("1")),
        user("wait"),
        tool_results(result("1")),
        assistant("b"),
    )
    repaired, repairs = repair(history)
    assert repaired == (history[0], history[1], history[3], history[2], history[4])
    assert repairs == ("message 4: results did not follow their calls at once; moved",)


def test_a_second_result_of_one_call_is_dropped() -> None:
    history = (user("a"), assistant("", call("1")), tool_results(result("1"), result("1", "other")))
    repaired, repairs = repair(history)
    assert repaired[2] == tool_results(result("1"))
    assert repairs == ("message 2: a result (1) answers no call; dropped",)


def test_ids_used_twice_are_told_apart_with_their_results() -> None:
    step = (assistant("", call("x")), tool_results(result("x")))
    repaired, repairs = repair((user("a"), *step, *step))
    assert repaired[:3] == (user("a"), *step)
    fresh = repaired[3].tool_calls[0].id
    assert fresh != "x"
    assert repaired[4].tool_results[0].call_id == fresh
    assert len(repairs) == 1


def test_a_call_without_an_id_gets_one() -> None:
    repaired, _ = repair((user("a"), assistant("", call("")), tool_results(result(""))))
    assert repaired[1].tool_calls[0].id == repaired[2].tool_results[0].call_id != ""


def test_two_assistant_messages_become_one() -> None:
    repaired, repairs = repair((user("a"), assistant("b"), assistant("c", call("1"))))
    assert repaired[1] == Message(Role.ASSISTANT, (Text("b"), Text("c"), call("1")))
    assert any("joined" in text for text in repairs)


def test_blank_text_and_what_it_leaves_empty_is_dropped() -> None:
    history = (
        user("a"),
        assistant(" \n", call("1")),
        tool_results(result("1")),
        user("  "),
        assistant("b"),
    )
    repaired, repairs = repair(history)
    assert repaired == (
        user("a"),
        assistant("", call("1")),
        tool_results(result("1")),
        assistant("b"),
    )
    assert len(repairs) == 3


def test_reasoning_that_nothing_follows_is_dropped() -> None:
    cut = Message(Role.ASSISTANT, (Text("b"), Thinking("hm")))
    only = Message(Role.ASSISTANT, (Thinking("hm"),))
    assert repair((user("a"), cut))[0] == (user("a"), assistant("b"))
    assert repair((user("a"), only))[0] == (user("a"),)


def test_parts_in_a_message_of_another_role_are_dropped_but_not_their_neighbours() -> None:
    odd = Message(Role.USER, (Text("a"), call("9")))
    repaired, repairs = repair((odd, user("b"), tool_results(result("9"))))
    assert repaired == (user("a"), user("b"))
    assert repairs[0] == "message 1: ToolCall has no place in a user message; dropped"


def test_a_history_of_orphans_comes_back_empty() -> None:
    repaired, repairs = repair((tool_results(result("1")),))
    assert repaired == ()
    assert repairs


ids = st.sampled_from(["", "1", "2", "3", "1-2"])
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, st.sampled_from(["", " ", "word", "more"])),
    st.builds(Thinking, st.just("hm")),
    st.builds(Image, st.just(b"x"), st.just("image/png")),
    st.builds(call, ids),
    st.builds(result, ids, st.sampled_from(["one", "two"])),
)
messages = st.builds(Message, st.sampled_from(Role), st.lists(parts, max_size=3).map(tuple))
histories = st.lists(messages, max_size=8).map(tuple)


@given(histories)
def test_whatever_is_repaired_is_accepted_and_needs_no_second_repair(
    history: tuple[Message, ...],
) -> None:
    repaired, _ = repair(history)
    assert refusals(repaired) == []
    assert repair(repaired) == (repaired, ())


@given(histories)
def test_a_problem_is_reported_exactly_where_a_vendor_would_refuse(
    history: tuple[Message, ...],
) -> None:
    assert bool(problems(history)) == bool(refusals(history))


@settings(max_examples=50)
@given(histories)
def test_no_user_text_and_no_assistant_text_is_lost(history: tuple[Message, ...]) -> None:
    def words(of: tuple[Message, ...], role: Role) -> list[str]:
        return [
            p.text
            for m in of
            if m.role is role
            for p in m.parts
            if isinstance(p, Text) and p.text.strip()
        ]

    repaired, _ = repair(history)
    assert words(repaired, Role.ASSISTANT) == words(history, Role.ASSISTANT)
    assert [w for w in words(repaired, Role.USER) if w != LEFT_OUT] == words(history, Role.USER)
