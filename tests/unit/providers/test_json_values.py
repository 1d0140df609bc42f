from __future__ import annotations

import pytest

from victor.providers.json_values import count, entries, word


@pytest.mark.parametrize("source", [None, "a", [], {}, {"a": None}, {"a": {}}])
def test_what_is_not_there_counts_as_nothing(source: object) -> None:
    assert (count(source, "a"), word(source, "a"), entries(source, "a")) == (0, "", [])


@pytest.mark.parametrize("value", [True, -1, 1.5, "3", 10**400])
def test_what_is_no_count_is_not_counted(value: object) -> None:
    assert count({"a": value}, "a") == 0


def test_what_is_there_is_given() -> None:
    source = {"a": 3, "b": "text", "c": [1]}
    assert (count(source, "a"), word(source, "b"), entries(source, "c")) == (3, "text", [1])
