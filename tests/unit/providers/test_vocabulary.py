"""Counting by OpenAI's own vocabularies, where the extra is installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from victor.protocols import IVocabulary, TextCounter
from victor.providers.openai import OpenAIProvider
from victor.providers.vocabulary import text_counter

if find_spec("bpe_openai") is None:
    pytest.skip("pip install 'victor-ai[tokens]'", allow_module_level=True)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-5.2", 7),
        ("gpt-4o-mini", 7),
        ("openai/gpt-oss-120b", 7),
        ("o3", 7),
        ("gpt-4-turbo", 11),
        ("gpt-3.5-turbo", 11),
    ],
)
def test_each_of_the_vendor_s_models_has_its_vocabulary(model: str, tokens: int) -> None:
    count = text_counter(model)

    assert count is not None
    assert count("Привет, дорогой мир!") == tokens


def test_a_provider_counts_by_it() -> None:
    provider = OpenAIProvider("key")
    assert isinstance(provider, IVocabulary)
    count: TextCounter | None = provider.text_counter("gpt-5.2")

    assert count is not None
    assert count("hello world") == 2
    assert count("") == 0


@pytest.mark.parametrize("model", ["claude-opus-4-5", "qwen3", "o200", "gpt-40", "my-gpt-4o", ""])
def test_of_another_model_nothing_is_claimed(model: str) -> None:
    assert text_counter(model) is None


def test_whatever_stands_in_a_text_is_text() -> None:
    count = text_counter("gpt-5.2")

    assert count is not None
    assert count("<|endoftext|>") > 1
    assert count("half a pair \ud83d") > 3
