from __future__ import annotations

import itertools
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from victor.providers.small_model_decoding import (
    Answer,
    AnswerReader,
    FencedBlock,
    JsonStringDecoder,
    goes_in_circles,
)

LONE = re.compile("[\ud800-\udfff]")
anything = st.text(st.characters(codec=None) | st.sampled_from('"\\\n\t/🙂\ud83d\ude00é'))


def decoded(inside: str, cuts: list[int]) -> str:
    decoder = JsonStringDecoder()
    places = [0, *sorted({cut % (len(inside) + 1) for cut in cuts}), len(inside)]
    return "".join(decoder.feed(inside[start:end]) for start, end in itertools.pairwise(places))


@example(text="\ud800", ascii_only=False, cuts=[])
@given(anything, st.booleans(), st.lists(st.integers(0, 500)))
def test_a_string_cut_anywhere_comes_out_as_json_would_read_it(
    text: str, ascii_only: bool, cuts: list[int]
) -> None:
    inside = json.dumps(text, ensure_ascii=ascii_only)[1:]

    assert decoded(inside, cuts) == LONE.sub("\ufffd", json.loads('"' + inside))


def test_a_surrogate_pair_split_at_every_place_stays_one_character() -> None:
    inside = r"a\ud83d\ude00b" + '"'

    for cut in range(len(inside)):
        assert decoded(inside, [cut]) == "a😀b"
    assert decoded(inside, list(range(len(inside)))) == "a😀b"


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (r"\ud83dx", "\ufffdx"),
        (r"\ude00x", "\ufffdx"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\ud83d\n", "\ufffd\n"),
        (r"\uzzzz!", "\ufffd!"),
        (r"\u+123\u 1_2", "\ufffd\ufffd"),
        ("\ud83d\ude00 \\\ud800", "\ufffd\ufffd \ufffd"),
        (r"\q", "q"),
    ],
)
def test_what_is_not_quite_json_comes_out_encodable(inside: str, text: str) -> None:
    assert decoded(inside, list(range(20))) == text


def test_nothing_behind_the_closing_quote_is_words() -> None:
    decoder = JsonStringDecoder()

    assert decoder.feed('hi"}} and more') == "hi"
    assert decoder.closed
    assert decoder.feed("still more") == ""


@given(st.text(min_size=1), st.integers(1, 7))
def test_a_replys_words_come_out_before_it_ends(text: str, size: int) -> None:
    raw = json.dumps({"tool": "reply", "arguments": {"message": text}})
    reader = AnswerReader()

    words = [reader.feed(raw[i : i + size]) for i in range(0, len(raw) - 3, size)]

    assert "".join(words) + reader.feed(raw[-3:]) in (text, text + reader.feed(""))
    assert reader.is_reply
    assert reader.spoken == bool(text.strip())


def test_a_call_says_no_words() -> None:
    reader = AnswerReader()

    assert reader.feed('{"tool": "read", "arguments": {"path": "a.py"}}') == ""
    assert not reader.is_reply
    assert not reader.closed
    assert reader.answer() == Answer("read", {"path": "a.py"})


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ('```json\n{"name": "list", "parameters": {}}\n```', Answer("list", {})),
        ("Just words.", Answer("reply", {"message": "Just words."})),
        ('{"arguments": {"message": "hi"}, "tool": "reply"}', Answer("reply", {"message": "hi"})),
        ('{"tool": "reply", "arguments": {"text": "hi"}}', None),
        ('{"tool": "list"', None),
        ('{"tool": 3, "arguments": {}}', None),
        ('{"tool": "list", "arguments": []}', None),
        ("  ", None),
    ],
)
def test_the_answer_is_found_in_what_models_print(raw: str, answer: Answer | None) -> None:
    reader = AnswerReader()
    reader.feed(raw)

    assert reader.answer() == answer


def test_a_text_goes_in_circles_when_it_says_the_same_for_the_third_time() -> None:
    said = "One of these files holds the settings and another one of them the tests of all. "

    assert not goes_in_circles("")
    assert not goes_in_circles(f"First. {said * 2}")
    assert goes_in_circles(f"First. {said * 3}")
    assert not goes_in_circles(f"First. {said * 3}But then it goes on.")
    assert not goes_in_circles("| --- | --- |\n" * 50)


def block_of(text: str, size: int) -> FencedBlock:
    block = FencedBlock()
    for start in range(0, len(text), size):
        block.feed(text[start : start + size])
    block.finish()
    return block


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_the_block_is_taken_out_of_the_words_around_it(size: int) -> None:
    block = block_of(
        "Line 3 is wrong.\n```python\nx = 1\n\n```\nThat is all.\n```\nno\n```\n", size
    )

    assert block.content == "x = 1\n\n"
    assert block.preface == "Line 3 is wrong."
    assert block.closed


def test_a_block_within_the_block_belongs_to_it() -> None:
    block = block_of("```markdown\n# Title\n```sh\nmake\n```\nEnd\n```", 5)

    assert block.content == "# Title\n```sh\nmake\n```\nEnd\n"
    assert block.closed


def test_a_block_without_an_end_is_not_closed() -> None:
    block = block_of("```\nx = 1", 2)

    assert block.opened
    assert not block.closed
    assert block.content == "x = 1\n"


def test_words_without_a_block_have_no_content() -> None:
    block = block_of("I would rather not.", 4)

    assert not block.opened
    assert block.content == ""
    assert block.preface == "I would rather not."
