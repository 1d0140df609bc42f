"""Frozen values that are quick to make are in all else what the dataclass was."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from victor.messages import Message, Role, Text, Usage
from victor.protocols import Record
from victor.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Named(Point):
    """A place with a name."""

    name: str = ""


class Marked(Point):
    """A place by another class."""


def test_fields_come_by_place_by_name_and_by_default() -> None:
    assert (Point(1).x, Point(1).y, Point(1).tags) == (1, 0, [])
    assert Point(1, 2, ["a"]) == Point(y=2, x=1, tags=["a"]) != Point(1, 2)
    assert repr(Point(1)) == "Point(x=1, y=0, tags=[])"
    assert Point(1).tags is not Point(1).tags


@pytest.mark.parametrize("wrong", [{}, {"x": 1, "z": 2}])
def test_missing_and_unknown_fields_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TypeError, match=r"__init__\(\)"):
        Point(**wrong)  # type: ignore[arg-type]  # that is the test


def test_a_value_stays_frozen_and_can_be_hashed() -> None:
    usage = Usage(1, 2)
    with pytest.raises(FrozenInstanceError):
        usage.input = 3  # type: ignore[misc]  # that is the test
    assert {usage: 1}[Usage(1, 2)] == 1


def test_values_are_replaced_copied_and_pickled_as_ever() -> None:
    message = Message(Role.USER, (Text("hi"),))
    assert replace(message, role=Role.TOOL) == Message(Role.TOOL, message.parts)
    assert copy.deepcopy(message) == pickle.loads(pickle.dumps(message)) == message


def test_what_is_derived_from_one_is_made_as_it_says() -> None:
    assert Named(1, name="home") == Named(1, 0, [], "home")
    marked = Marked(1, 2)
    assert (type(marked), marked.y, isinstance(marked, Point)) == (Marked, 2, True)


def test_its_signature_names_the_fields() -> None:
    named = inspect.signature(Record).parameters
    assert tuple(named) == tuple(one.name for one in fields(Record))
    assert named["kind"].annotation == "str"
