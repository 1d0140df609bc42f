"""Which model serves."""

from __future__ import annotations

import pytest

from victor.agent.coordinators.provider_coordinator import ProviderCoordinator
from victor.errors import InvalidRequest, ProviderUnavailable
from victor.protocols import Endpoint
from victor.testing import ScriptedProvider

pytestmark = pytest.mark.anyio

DOWN = ProviderUnavailable("down")


class Closing(ScriptedProvider):
    closed = False

    async def aclose(self) -> None:
        self.closed = True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_choice_serves() -> None:
    provider = ScriptedProvider()
    assert ProviderCoordinator(provider, "m").current == Endpoint(provider, "m")


def test_switching_changes_provider_and_model_or_the_model_alone() -> None:
    first, second = ScriptedProvider(), ScriptedProvider()
    coordinator = ProviderCoordinator(first, "m")
    assert coordinator.switch(None, "n") == Endpoint(first, "n")
    assert coordinator.switch(second, "o") == coordinator.current == Endpoint(second, "o")


def test_without_a_fallback_there_is_nowhere_to_go() -> None:
    coordinator = ProviderCoordinator(ScriptedProvider(), "m")
    assert coordinator.fall_back(DOWN) is None


def test_the_fallback_serves_for_a_while_and_then_the_first_is_tried_again() -> None:
    clock = Clock()
    first, second = Endpoint(ScriptedProvider(), "m"), Endpoint(ScriptedProvider(), "n")
    coordinator = ProviderCoordinator(first.provider, "m", fallback=second, clock=clock)
    assert coordinator.fall_back(DOWN) == second
    assert coordinator.current == second
    clock.now += 30
    assert coordinator.current == first


def test_a_fallback_that_fails_has_no_fallback() -> None:
    coordinator = ProviderCoordinator(
        ScriptedProvider(), "m", fallback=Endpoint(ScriptedProvider(), "n")
    )
    coordinator.fall_back(DOWN)
    assert coordinator.fall_back(DOWN) is None


def test_a_request_that_is_itself_at_fault_goes_nowhere_else() -> None:
    coordinator = ProviderCoordinator(
        ScriptedProvider(), "m", fallback=Endpoint(ScriptedProvider(), "n")
    )
    assert coordinator.fall_back(InvalidRequest("bad")) is None


async def test_the_configured_fallback_is_connected_when_first_needed_and_closed() -> None:
    asked: list[str] = []
    spare = Closing()

    def connect(endpoint: str) -> Endpoint:
        asked.append(endpoint)
        return Endpoint(spare, "n")

    coordinator = ProviderCoordinator(ScriptedProvider(), "m", connect=connect)
    coordinator.configure({"fallback": "other:n"})
    assert asked == []
    assert coordinator.fall_back(DOWN) == Endpoint(spare, "n")
    assert asked == ["other:n"]
    await coordinator.aclose()
    assert spare.closed


async def test_a_provider_that_was_passed_in_is_not_closed() -> None:
    first, second = Closing(), Closing()
    coordinator = ProviderCoordinator(first, "m", fallback=Endpoint(second, "n"))
    await coordinator.aclose()
    assert not first.closed
    assert not second.closed


def test_a_configured_model_serves() -> None:
    coordinator = ProviderCoordinator(ScriptedProvider(), "m")
    coordinator.configure({"model": "n"})
    assert coordinator.current.model == "n"
    coordinator.configure({})
    assert coordinator.current.model == "n"


def test_health_counts_answers_and_failures_of_each_endpoint() -> None:
    coordinator = ProviderCoordinator(
        ScriptedProvider(), "m", fallback=Endpoint(ScriptedProvider(), "n")
    )
    coordinator.succeeded()
    coordinator.fall_back(DOWN)
    coordinator.succeeded()
    first, second = coordinator.endpoint_health()
    assert (first.model, first.answered, first.failed, first.serving) == ("m", 1, 1, False)
    assert "down" in first.last_error
    assert (second.model, second.answered, second.failed, second.serving) == ("n", 1, 0, True)
