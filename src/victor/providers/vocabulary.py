"""Counting by the vocabulary that a model was made with, offline: the extra `tokens`.

The wheel of `bpe-openai` carries the vocabularies of OpenAI's models, so that nothing is fetched.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from typing import Any

from victor.protocols import TextCounter

_VOCABULARIES = (
    (re.compile(r"(chatgpt-4o|gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|gpt-oss|o1|o3|o4)\b"), "o200k_base"),
    (re.compile(r"(gpt-4|gpt-3\.5-turbo)\b"), "cl100k_base"),
)
"""Names of models, by how they begin, and the vocabulary that the vendor has told of them."""


def text_counter(model: str) -> TextCounter | None:
    """Return what counts by the vocabulary of `model`; None where it is unknown or not installed.

    The first of a vocabulary takes half a second and some 150 MB. A prefix such as `openai/` does
    not matter.
    """
    name = model.rpartition("/")[2].lower()
    found = next((known for begins, known in _VOCABULARIES if begins.match(name)), None)
    if found is None or find_spec("bpe_openai") is None:
        return None
    return _counter(found)


@cache
def _counter(vocabulary: str) -> TextCounter:
    # The public face around it loads the vocabulary once more, in Python, and counts by a list.
    from bpe_openai import _bindings

    vocabulary_of: Any = _bindings.tokenizer_for_encoding
    tokenizer = vocabulary_of(vocabulary)

    def count(text: str) -> int:
        # Half of a pair of signs, which a broken stream can leave, is in no vocabulary.
        size: int = tokenizer.count(text.encode("utf-8", "replace").decode())
        return size

    return count
