"""Every name that is offered exists, says what it is, and is used by a test."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import victor

TESTS = Path(__file__).parents[1]


@cache
def public_modules() -> dict[str, ModuleType]:
    packages = [
        info.name for info in pkgutil.walk_packages(victor.__path__, "victor.") if info.ispkg
    ]
    found = [victor, *map(importlib.import_module, packages)]
    return {module.__name__: module for module in found if hasattr(module, "__all__")}


def public_names() -> list[tuple[str, str, object]]:
    return [
        (module, name, getattr(found, name))
        for module, found in public_modules().items()
        for name in found.__all__
    ]


def test_every_public_name_exists_and_is_given_once() -> None:
    for found in public_modules().values():
        assert len(set(found.__all__)) == len(found.__all__)
    assert len(public_names()) > 80


def test_every_public_name_is_documented() -> None:
    silent = [f"{module}.{name}" for module, name, found in public_names() if not documented(found)]
    assert silent == []


def documented(found: object) -> bool:
    if not inspect.isclass(found) and not inspect.isfunction(found):
        return True
    text = inspect.getdoc(found) or ""
    # A dataclass without a docstring documents itself with its signature.
    return len(text) > 10 and not text.startswith(f"{found.__name__}(")


def test_every_public_name_is_used_by_a_test() -> None:
    here = Path(__file__)
    texts = (path.read_text("utf-8") for path in TESTS.rglob("*.py") if path != here)
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    unused = [f"{module}.{name}" for module, name, _ in public_names() if name not in words]
    assert unused == []


def test_a_name_that_is_not_offered_is_refused_in_the_usual_way() -> None:
    for found in public_modules().values():
        with pytest.raises(AttributeError, match="no_such_name"):
            _ = found.no_such_name


def test_victor_lists_its_names() -> None:
    assert dir(victor) == sorted(victor.__all__)
