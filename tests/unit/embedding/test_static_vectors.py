from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from victor.embedding import text_likeness
from victor.embedding.static_vectors import StaticVectorIndex, StaticVectors
from victor.messages import ToolSpec
from victor.protocols.likeness import ITextIndex, ITextLikeness
from victor.selection import strategies

pytest.importorskip("wordllama", reason="pip install 'victor-ai[embeddings]'")


def index(*texts: str) -> StaticVectorIndex:
    return StaticVectors().index(texts)


def test_it_fits_the_ports() -> None:
    likeness = text_likeness()

    assert isinstance(likeness, ITextLikeness)
    assert isinstance(likeness.index(("one",)), ITextIndex)


def test_what_means_the_same_is_more_alike_than_what_does_not() -> None:
    scores = index("Purchase an airplane ticket", "Bake a loaf of bread").scores("book a flight")

    assert scores[0] > scores[1]


def test_a_text_is_wholly_alike_to_itself_whatever_small_words_are_around_it() -> None:
    (score,) = index("delete the file").scores("Please, delete this file for me!")

    assert score == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("empty", ["", "the", "  \n", "?!"])
def test_a_text_that_tells_nothing_is_alike_to_nothing(empty: str) -> None:
    assert index(empty, "a file").scores("file")[0] == 0.0
    assert index("a file", "b").scores(empty) == [0.0, 0.0]


def test_no_texts_have_no_scores() -> None:
    assert index().scores("anything") == []


def test_the_same_text_has_the_same_vector_in_every_company() -> None:
    likeness = StaticVectors()
    alone = likeness.vectors(("a short text",))[0]

    among = StaticVectors().vectors(("x", "a short text", "a much longer text " * 50))[1]

    assert among.tolist() == pytest.approx(alone.tolist(), abs=1e-6)


def test_a_strategy_by_meaning_finds_a_tool_that_shares_no_word() -> None:
    tools = (
        ToolSpec("mail", "Send an electronic letter.", {}),
        ToolSpec("forecast", "Tell tomorrow's weather.", {}),
    )

    best = strategies(text_likeness)["semantic"]().rank("Will it rain or snow?", tools)[0]

    assert best.tool.name == "forecast"
    assert best.reason.startswith("alike to ")


def test_loading_the_vectors_sets_no_logging_up() -> None:
    program = (
        "import logging; from victor.embedding.static_vectors import StaticVectors;"
        " StaticVectors().index(('a book',)).scores('a novel');"
        " print(logging.getLogger().handlers, logging.getLogger().level)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"[] {logging.WARNING}"
