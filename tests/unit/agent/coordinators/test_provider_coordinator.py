"""Which model serves."""

from __future__ import annotations

from typing import Any

import pytest

from victor.agent.coordinators.provider_coordinator import ProviderCoordinator
from victor.endpoints import Circuit, EndpointRecords
from victor.errors import (
    AuthenticationError,
    BadReply,
    ConfigError,
    ContextExceeded,
    InvalidRequest,
    ModelMissing,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)
from victor.protocols import Ability, Endpoint
from victor.testing import ScriptedProvider

pytestmark = pytest.mark.anyio

DOWN = ProviderUnavailable("down")
MISSING = ModelMissing("no weights")


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
    coordinator = ProviderCoordinator(first.provider, "m", fallbacks=(second,), clock=clock)
    assert coordinator.fall_back(DOWN) == second
    assert coordinator.current == second
    coordinator.succeeded()
    assert coordinator.current == second
    clock.now += 30
    assert coordinator.current == first


def test_a_fallback_that_fails_has_no_fallback() -> None:
    coordinator = ProviderCoordinator(
        ScriptedProvider(), "m", fallbacks=(Endpoint(ScriptedProvider(), "n"),)
    )
    coordinator.fall_back(DOWN)
    assert coordinator.fall_back(DOWN) is None


def test_a_request_that_is_itself_at_fault_goes_nowhere_else() -> None:
    coordinator = ProviderCoordinator(
        ScriptedProvider(), "m", fallbacks=(Endpoint(ScriptedProvider(), "n"),)
    )
    assert coordinator.fall_back(InvalidRequest("bad")) is None


async def test_the_configured_fallback_is_connected_when_first_needed_and_closed() -> None:
    asked: list[str] = []
    spare = Closing()

    def connect(endpoint: str) -> Endpoint:
        asked.append(endpoint)
        return Endpoint(spare, "n")

    coordinator = ProviderCoordinator(ScriptedProvider(), "m", connect=connect)
    coordinator.configure({"fallbacks": ("other:n",)})
    assert asked == []
    assert coordinator.fall_back(DOWN) == Endpoint(spare, "n")
    assert asked == ["other:n"]
    await coordinator.aclose()
    assert spare.closed


async def test_a_provider_that_was_passed_in_is_not_closed() -> None:
    first, second = Closing(), Closing()
    coordinator = ProviderCoordinator(first, "m", fallbacks=(Endpoint(second, "n"),))
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
        ScriptedProvider(), "m", fallbacks=(Endpoint(ScriptedProvider(), "n"),)
    )
    coordinator.succeeded()
    coordinator.fall_back(DOWN)
    coordinator.succeeded()
    first, second = coordinator.health()
    assert (first.model, first.answered, first.failed, first.serving) == ("m", 1, 1, False)
    assert "down" in first.last_error
    assert (second.model, second.answered, second.failed, second.serving) == ("n", 1, 0, True)


class Served(ScriptedProvider):
    """A provider at an address, as a vendor's is."""

    address = "https://models.example"


def chain(*models: str, clock: Clock, **more: Any) -> ProviderCoordinator:
    """Return a coordinator of a first choice and its fallbacks, each known to the process."""
    first, *others = (Endpoint(Served(), model) for model in models)
    records = more.pop("records", None) or EndpointRecords(clock)
    return ProviderCoordinator(
        first.provider, first.model, fallbacks=tuple(others), clock=clock, records=records, **more
    )


def test_a_chain_is_gone_through_in_its_order_and_no_endpoint_twice() -> None:
    coordinator = chain("a", "b", "c", clock=Clock())
    went = [coordinator.fall_back(DOWN), coordinator.fall_back(DOWN)]
    assert [endpoint.model for endpoint in went if endpoint] == ["b", "c"]
    assert coordinator.fall_back(DOWN) is None
    assert coordinator.current.model == "a"


@pytest.mark.parametrize(
    "error", [DOWN, AuthenticationError("key"), RateLimitError("slow"), BadReply("cut"), MISSING]
)
def test_what_another_endpoint_may_do_better_falls_over(error: ProviderError) -> None:
    assert chain("a", "b", clock=Clock()).fall_back(error) is not None


@pytest.mark.parametrize("error", [InvalidRequest("bad"), ContextExceeded("long")])
def test_what_another_endpoint_would_meet_as_well_does_not(error: ProviderError) -> None:
    coordinator = chain("a", "b", clock=Clock())
    assert coordinator.fall_back(error) is None
    assert coordinator.current.model == "a"


def test_what_a_person_has_begun_to_read_is_not_taken_over() -> None:
    error = ProviderUnavailable("cut")
    error.partial = "Half of"
    coordinator = chain("a", "b", clock=Clock())
    assert coordinator.fall_back(error) is None
    assert coordinator.health()[0].failed == 1


def test_a_vendor_that_asks_to_wait_is_passed_over_for_that_long() -> None:
    clock = Clock()
    coordinator = chain("a", "b", clock=clock)
    coordinator.fall_back(RateLimitError("slow down", retry_after=90))
    coordinator.succeeded()
    clock.now = 89
    assert coordinator.current.model == "b"
    clock.now = 91
    assert coordinator.current.model == "a"


def test_orchestrators_of_a_process_learn_from_each_others_failures() -> None:
    clock = Clock()
    records = EndpointRecords(clock)
    other = chain("a", "b", clock=clock, records=records)
    for _ in range(3):
        chain("a", "b", clock=clock, records=records).fall_back(DOWN)
    assert other.current.model == "b"
    assert other.health()[0].circuit is Circuit.OPEN
    assert other.health()[0].retry_seconds == 30


def test_an_endpoint_that_is_down_is_asked_all_the_same_where_there_is_no_other() -> None:
    clock = Clock()
    coordinator = chain("a", clock=clock)
    for _ in range(5):
        coordinator.fall_back(DOWN)
    assert coordinator.current.model == "a"


def test_when_all_are_down_each_is_tried_once_more() -> None:
    clock = Clock()
    coordinator = chain("a", "b", clock=clock)
    for _ in range(2):
        assert coordinator.current.model == "a"
        assert coordinator.fall_back(DOWN) is not None
        assert coordinator.fall_back(DOWN) is None


def test_an_outcome_belongs_to_the_endpoint_that_was_asked() -> None:
    clock = Clock()
    coordinator = chain("a", "b", clock=clock)
    coordinator.fall_back(DOWN)
    assert coordinator.current.model == "b"
    clock.now += 1000  # by then the first would be chosen again
    coordinator.succeeded()
    assert [health.answered for health in coordinator.health()] == [0, 1]


def test_a_fallback_that_cannot_be_connected_is_passed_over_and_says_why() -> None:
    def connect(name: str) -> Endpoint:
        if name == "nobody:x":
            raise ConfigError("There is no provider 'nobody'.")
        return Endpoint(ScriptedProvider(), "n")

    coordinator = ProviderCoordinator(ScriptedProvider(), "m", connect=connect)
    coordinator.configure({"fallbacks": ("nobody:x", "other:n")})
    fallen = coordinator.fall_back(DOWN)
    assert fallen is not None
    assert fallen.model == "n"
    assert "nobody" in coordinator.health()[1].last_error


def test_switching_forgets_what_was_tried() -> None:
    coordinator = chain("a", "b", clock=Clock())
    coordinator.fall_back(DOWN)
    coordinator.switch(None, "c")
    assert coordinator.current.model == "c"
    fallen = coordinator.fall_back(DOWN)
    assert fallen is not None
    assert fallen.model == "b"


def test_the_settings_know_a_model_better_than_the_catalogue() -> None:
    coordinator = ProviderCoordinator(ScriptedProvider(name="mine"), "m")
    said = {"context_window": 5_000, "input_price": 3.0, "abilities": ("images",)}
    coordinator.configure({"models": {"mine:m": said}})
    info = coordinator.model_info(coordinator.current)
    assert (info.context_window, info.input_price, info.output_price) == (5_000, 3.0, 0.0)
    assert info.abilities == {Ability.IMAGES}
    assert coordinator.model_info(Endpoint(coordinator.current.provider, "n")).input_price == 0.0


class Addressed(ScriptedProvider):
    address = "http://there"


class Alone(ScriptedProvider):
    most_calls = 1


def test_calls_wait_at_servers_and_where_their_number_is_limited() -> None:
    records = EndpointRecords()
    for provider, set_limit, most in (
        (ScriptedProvider(), None, 0),
        (ScriptedProvider(), 3, 3),
        (Addressed(), None, None),
        (Alone(), None, 1),
        (Alone(), 2, 2),
    ):
        coordinator = ProviderCoordinator(provider, "m", records=records)
        coordinator.configure({"max_concurrent_calls": set_limit, "max_retry_wait": 7.0})
        admission = coordinator.admission(coordinator.current)
        assert (admission.most_calls if admission else 0) == most
        assert admission is None or admission.longest_wait == 7.0


def test_all_who_call_an_endpoint_wait_at_the_same_door() -> None:
    records = EndpointRecords()
    doors = set()
    for model in ("m", "m", "n"):
        provider = Addressed()
        coordinator = ProviderCoordinator(provider, "other", records=records)
        admission = coordinator.admission(Endpoint(provider, model))
        assert admission is not None
        doors.add(id(admission.record.door))
    assert len(doors) == 2


def test_the_places_of_a_provider_in_this_process_are_kept() -> None:
    coordinator = ProviderCoordinator(Alone(), "m")
    first, second = (coordinator.admission(coordinator.current) for _ in range(2))
    assert first is not None
    assert first == second
