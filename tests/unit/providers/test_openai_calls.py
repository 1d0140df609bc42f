from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from victor.providers.openai_calls import CallFragments


def fragment(
    index: int | None = None,
    call_id: str | None = None,
    name: str | None = None,
    arguments: Any = None,
) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "function": function}


def assembled(*fragments: dict[str, Any], taken: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return (id, name, arguments) of each call, as a reader of the deltas puts them together."""
    calls: dict[int, list[str]] = {}
    reader = CallFragments(frozenset(taken))
    for piece in fragments:
        for delta in reader.add(piece):
            call = calls.setdefault(delta.index, ["", "", ""])
            call[0] = call[0] or delta.id
            call[1] = call[1] or delta.name
            call[2] += delta.arguments
    assert sorted(calls) == list(range(len(calls)))
    assert len(reader) == len(calls)
    return [tuple(calls[number]) for number in sorted(calls)]


def test_fragments_join_by_index() -> None:
    calls = assembled(
        fragment(0, "a", "read", ""),
        fragment(1, "b", "list", ""),
        fragment(0, arguments='{"x'),
        fragment(1, arguments="{}"),
        fragment(0, arguments='":1}'),
    )
    assert calls == [("a", "read", '{"x":1}'), ("b", "list", "{}")]


def test_calls_that_share_an_index_are_told_apart_by_id() -> None:
    calls = assembled(fragment(0, "a", "read", "{}"), fragment(0, "b", "list", "{}"))
    assert [call[:2] for call in calls] == [("a", "read"), ("b", "list")]


def test_calls_that_share_an_id_are_told_apart_by_index_and_get_ids_of_their_own() -> None:
    calls = assembled(fragment(0, "a", "read", "{}"), fragment(1, "a", "list", "{}"))
    assert calls == [("a", "read", "{}"), ("a_2", "list", "{}")]


def test_whole_calls_without_id_and_index_are_told_apart_by_being_whole() -> None:
    calls = assembled(fragment(name="read", arguments="{}"), fragment(name="list", arguments="{}"))
    assert [call[1:] for call in calls] == [("read", "{}"), ("list", "{}")]
    assert len({call[0] for call in calls}) == 2
    assert all(call[0] for call in calls)


def test_an_empty_id_is_as_good_as_none() -> None:
    calls = assembled(fragment(0, "", "read", "{"), fragment(0, "", "", "}"))
    assert calls == [("call_1", "read", "{}")]


def test_a_name_that_comes_again_with_each_fragment_starts_no_new_call() -> None:
    calls = assembled(fragment(0, "a", "read", '{"x'), fragment(0, "a", "read", '":1}'))
    assert calls == [("a", "read", '{"x":1}')]


def test_fragments_without_index_belong_to_the_last_call() -> None:
    calls = assembled(
        fragment(call_id="a", name="read"),
        fragment(arguments="{}"),
        fragment(call_id="b", name="list"),
        fragment(arguments="{}"),
    )
    assert calls == [("a", "read", "{}"), ("b", "list", "{}")]


def test_an_id_that_comes_late_is_no_new_call() -> None:
    calls = assembled(fragment(0, None, "read", ""), fragment(0, "a", None, "{}"))
    assert [call[1:] for call in calls] == [("read", "{}")]


def test_ids_of_earlier_replies_are_not_given_again() -> None:
    calls = assembled(fragment(0, "call_0", "read", "{}"), taken=("call_0", "call_0_2"))
    assert calls == [("call_0_3", "read", "{}")]


def test_arguments_that_come_as_an_object_become_text() -> None:
    assert assembled(fragment(0, "a", "read", {"x": 1})) == [("a", "read", '{"x": 1}')]


def test_a_fragment_without_a_function_still_begins_a_call() -> None:
    calls = assembled({"index": 0, "id": "a"}, fragment(0, None, None, "{}"))
    assert calls == [("a", "", "{}")]


@settings(max_examples=30)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=6), max_size=3),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_calls_survive_any_cutting_and_interleaving(
    arguments: list[dict[str, Any]], data: st.DataObject
) -> None:
    texts = [json.dumps(value) for value in arguments]
    waiting: list[list[dict[str, Any]]] = []
    for index, text in enumerate(texts):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        first = fragment(index, f"id{index}", f"tool{index}", "")
        waiting.append([first, *(fragment(index, arguments=piece) for piece in pieces)])
    order: list[dict[str, Any]] = [pieces.pop(0) for pieces in waiting]
    while any(waiting):
        order.append(data.draw(st.sampled_from([pieces for pieces in waiting if pieces])).pop(0))
    expected = [(f"id{n}", f"tool{n}", text) for n, text in enumerate(texts)]
    assert assembled(*order) == expected
