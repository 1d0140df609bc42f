from __future__ import annotations

import pytest

from victor.relevance import Bm25, merged, weights, words


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("running tests", "run the test"),
        ("readFile", "read_file"),
        ("HTTPServer", "http server"),
        ("copies", "copy"),
        ("deleted", "deleting"),
        ("classes", "class"),
    ],
)
def test_forms_of_a_word_are_one_word(left: str, right: str) -> None:
    assert words(left) == words(right)


def test_words_without_meaning_are_left_out() -> None:
    assert words("Could you please do this for me?") == []


def test_scripts_without_spaces_are_read_sign_by_sign() -> None:
    assert words("测试 запуск") == ["测", "试", "запуск"]


def test_a_rare_shared_word_counts_more_than_a_common_one() -> None:
    texts = ["file read", "file write", "file search", "weather file"]
    index = Bm25([weights(text) for text in texts])

    scores = index.scores(weights("the weather file"))

    assert max(range(4), key=scores.__getitem__) == 3
    assert index.rarity("weather") > index.rarity("fil") > index.rarity("unheard") == 0.0


def test_a_short_document_beats_a_long_one_with_the_same_word() -> None:
    index = Bm25([weights("cache"), weights("cache and very many other words beside it")])

    first, second = index.scores(weights("cache"))

    assert first > second > 0


def test_nothing_scores_nothing() -> None:
    assert Bm25([]).scores(weights("cache")) == []
    assert Bm25([{}]).scores(weights("cache")) == [0.0]


def test_weights_add_up() -> None:
    assert merged(weights("cache cache"), weights("cache", 0.5)) == {"cach": 2.5}
