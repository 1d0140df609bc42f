from __future__ import annotations

from typing import Any

import pytest

from victor.errors import ConfigError, UnknownNameError
from victor.messages import Context
from victor.protocols import ICompactionStrategy
from victor.protocols.registry import Registry


class Keeps:
    async def compact(self, context: Context) -> Context:
        return context


class Drops(Keeps):
    pass


@pytest.fixture
def registry() -> Registry[ICompactionStrategy]:
    return Registry("compaction strategy", ICompactionStrategy, hint="Register it so.")


def test_what_is_registered_wins_over_what_is_known(registry: Registry[Any]) -> None:
    registry.register("mine", Keeps)

    assert type(registry.make("mine", {"mine": Drops}, without="none")) is Keeps
    registry.unregister("mine")
    registry.unregister("mine")
    assert type(registry.make("mine", {"mine": Drops}, without="none")) is Drops


def test_the_name_that_needs_nothing_makes_nothing(registry: Registry[Any]) -> None:
    assert registry.make("none", {}, without="none") is None


def test_an_unknown_name_lists_every_known_one_and_the_hint(registry: Registry[Any]) -> None:
    registry.register("mine", Keeps)

    with pytest.raises(UnknownNameError, match="compaction strategy 'yours'") as unknown:
        registry.make("yours", {"theirs": Drops}, without="none")
    assert set(unknown.value.known) == {"mine", "theirs", "none"}
    assert str(unknown.value).endswith("Register it so.")


@pytest.mark.parametrize("name", ["", "  ", 7])
def test_a_name_must_be_a_text(registry: Registry[Any], name: Any) -> None:
    with pytest.raises(ConfigError, match="must be a text"):
        registry.register(name, Keeps)


def test_an_object_is_not_taken_for_a_factory(registry: Registry[Any]) -> None:
    with pytest.raises(ConfigError, match="lambda"):
        registry.register("mine", Keeps())  # type: ignore[arg-type]
    assert dict(registry.factories) == {}


def test_what_does_not_fit_the_port_is_refused(registry: Registry[Any]) -> None:
    registry.register("mine", dict)

    with pytest.raises(ConfigError, match="ICompactionStrategy"):
        registry.make("mine", {}, without="none")
