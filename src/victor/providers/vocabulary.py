"""Counting by the vocabulary that a model was made with, offline: the extra `tokens`.

The wheel of `bpe-openai` carries the vocabularies of OpenAI's models, so that nothing is fetched.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

from victor.protocols import TextCounter

_VOCABULARIES = (
    (re.compile(r"(chatgpt-4o|gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|gpt-oss|o1|o3|o4)\b"), "o200k_base"),
    (re.compile(r"(gpt-4|gpt-3\.5-turbo)\b"), "cl100k_base"),
)
"""Names of models, by how they begin, and the vocabulary that the vendor has told of them."""


def text_counter(model: str) -> TextCounter | None:
    """Return what counts by the vocabulary of `model`; None where it is unknown or not installed.

    The first of a vocabulary takes 0.15 s. A prefix such as `openai/` does not matter.
    """
    name = model.rpartition("/")[2].lower()
    found = next((known for begins, known in _VOCABULARIES if begins.match(name)), None)
    core = None if found is None else _core()
    return None if found is None or core is None else _counter(core, found)


@cache
def _core() -> Any:
    """Return the compiled part of the package alone; None where it is not installed.

    The Python around it reads every vocabulary once more when it is imported, for a second.
    """
    package = find_spec("bpe_openai")
    if package is None:
        return None
    found = PathFinder.find_spec("bpe_openai._bindings", package.submodule_search_locations)
    if found is None or found.loader is None:
        return None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


@cache
def _counter(core: Any, vocabulary: str) -> TextCounter:
    tokenizer = core.tokenizer_for_encoding(vocabulary)

    def count(text: str) -> int:
        # Half of a pair of signs, which a broken stream can leave, is in no vocabulary.
        size: int = tokenizer.count(text.encode("utf-8", "replace").decode())
        return size

    return count
