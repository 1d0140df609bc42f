"""What is known of endpoints, and when their circuits open and close."""

from __future__ import annotations

from victor.endpoints import RECORDS, Circuit, EndpointHealth, EndpointRecord, EndpointRecords
from victor.errors import AuthenticationError, ProviderUnavailable, RateLimitError
from victor.providers.anthropic import AnthropicProvider
from victor.providers.local import LocalProvider
from victor.providers.openai import OpenAIProvider
from victor.rate_limits import Measure, RateLimit
from victor.testing import ScriptedProvider

DOWN = ProviderUnavailable("down")
ME, YOU = object(), object()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> EndpointRecord:
    record = EndpointRecord(clock)
    for _ in range(3):
        record.note(DOWN)
    return record


def test_three_failures_within_a_minute_open_the_circuit() -> None:
    clock = Clock()
    record = EndpointRecord(clock)
    record.note(DOWN)
    record.note(DOWN)
    clock.now = 61
    record.note(DOWN)
    assert record.circuit is Circuit.CLOSED
    record.note(DOWN)
    assert record.circuit is Circuit.CLOSED
    record.note(DOWN)
    assert record.circuit is Circuit.OPEN
    assert not record.admits(ME)


def test_an_answer_makes_earlier_failures_forgotten() -> None:
    record = EndpointRecord(Clock())
    record.note(DOWN)
    record.note(DOWN)
    record.succeeded()
    record.note(DOWN)
    assert record.circuit is Circuit.CLOSED
    assert (record.answered, record.failed, record.last_error) == (1, 3, "down")


def test_a_refused_key_says_nothing_of_the_endpoint() -> None:
    record = EndpointRecord(Clock())
    for _ in range(5):
        record.note(AuthenticationError("wrong key"))
    assert record.circuit is Circuit.CLOSED


def test_of_several_callers_one_tries_the_half_open_circuit() -> None:
    clock = Clock()
    record = opened(clock)
    clock.now = 30
    assert record.circuit is Circuit.HALF_OPEN
    assert record.admits(ME)
    assert not record.admits(YOU)
    assert record.admits(ME)
    record.succeeded()
    assert record.circuit is Circuit.CLOSED
    assert record.admits(YOU)


def test_a_caller_that_never_tried_gives_way_to_another() -> None:
    clock = Clock()
    record = opened(clock)
    clock.now = 30
    assert record.admits(ME)
    clock.now = 90
    assert record.admits(YOU)


def test_a_failed_try_opens_it_for_twice_as_long() -> None:
    clock = Clock()
    record = opened(clock)
    clock.now = 30
    assert record.admits(ME)
    record.note(DOWN)
    assert record.circuit is Circuit.OPEN
    assert record.retry_seconds == 60
    clock.now = 90
    assert record.admits(YOU)


def test_a_vendor_that_asks_to_wait_is_left_alone_for_that_long() -> None:
    clock = Clock()
    record = EndpointRecord(clock)
    record.note(RateLimitError("slow down", retry_after=7))
    assert record.retry_seconds == 7
    clock.now = 7
    assert record.circuit is Circuit.HALF_OPEN


def test_endpoints_are_told_apart_by_vendor_address_key_and_model() -> None:
    records = EndpointRecords()
    one = OpenAIProvider("key", base_url="http://127.0.0.1:1/v1")
    same = OpenAIProvider("key", base_url="http://127.0.0.1:1/v1")
    assert records.of(one, "m") is records.of(same, "m")
    others = [
        OpenAIProvider("another", base_url="http://127.0.0.1:1/v1"),
        OpenAIProvider("key", base_url="http://127.0.0.1:2/v1"),
        AnthropicProvider("key", base_url="http://127.0.0.1:1/v1"),
    ]
    kept = {id(records.of(provider, "m")) for provider in (one, *others)}
    assert len(kept) == 4
    assert records.of(one, "n") is not records.of(one, "m")


def test_a_provider_in_this_process_is_an_endpoint_of_its_own() -> None:
    first, second = ScriptedProvider(), ScriptedProvider()
    assert RECORDS.of(first, "m") is not RECORDS.of(second, "m")


def test_all_who_use_the_embedded_model_wait_for_the_same_place() -> None:
    first, second = LocalProvider("0.5b"), LocalProvider("0.5b")
    assert RECORDS.of(first, "m") is RECORDS.of(second, "m")
    assert first.most_calls == 1


def test_vendors_have_an_address_without_being_given_one() -> None:
    assert AnthropicProvider("key").address.startswith("https://")
    assert OpenAIProvider("key").address.startswith("https://")


def test_nothing_is_known_of_an_endpoint_that_was_never_called() -> None:
    assert EndpointHealth("p", "m", serving=False).circuit is Circuit.CLOSED


def test_what_is_known_of_an_endpoint_fits_on_a_line() -> None:
    clock = Clock()
    record = opened(clock)
    record.limits.hear([RateLimit("tokens", Measure.TOKENS, 1200, 6.0, 30_000)])
    health = EndpointHealth(
        "p", "m", False, record.circuit, 4, 3, "down", record.retry_seconds, 1, 2,
        record.limits.known(),
    )  # fmt: skip
    assert str(health) == (
        "p · m: 4 answered, 3 failed; open, tried in 30 s; 1 running, 2 waiting;"
        " tokens: 1,200 of 30,000 left, all again in 6 s"
    )
