"""How long a call waits for the limits that a vendor told of."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from victor.rate_limits import LONGEST_BELIEVED_SECONDS, Demand, Measure, RateLimit, RateLimits

TOKENS = RateLimit("tokens", Measure.TOKENS, 100, 60.0, 1000, refills=True)
REQUESTS = RateLimit("requests", Measure.REQUESTS, 0, 60.0, 60, refills=True)
WINDOW = RateLimit("requests", Measure.REQUESTS, 1, 30.0, 50)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> RateLimits:
    return RateLimits(clock)


def wait(limits: RateLimits, tokens: int = 1) -> float:
    return limits.wait(Demand(tokens, tokens))[0]


def test_nothing_is_waited_for_before_a_response_told_of_limits(limits: RateLimits) -> None:
    assert limits.wait(Demand(10**9)) == (0.0, None)
    assert not limits


def test_a_call_that_fits_does_not_wait(limits: RateLimits) -> None:
    limits.hear([TOKENS])
    assert wait(limits, 100) == 0.0


def test_what_refills_evenly_is_waited_for_until_it_suffices(limits: RateLimits) -> None:
    limits.hear([TOKENS])
    # 900 tokens come back in 60 s, and 450 are wanting.
    assert wait(limits, 550) == pytest.approx(30.0)
    limits.hear([REQUESTS])
    assert wait(limits) == pytest.approx(1.0)


def test_a_window_is_waited_for_until_it_ends(limits: RateLimits) -> None:
    limits.hear([replace(WINDOW, remaining=0)])
    seconds, limit = limits.wait(Demand(1))
    assert seconds == 30.0
    assert limit is not None
    assert (limit.name, limit.remaining) == ("requests", 0)


def test_the_longest_wait_counts(limits: RateLimits) -> None:
    limits.hear([TOKENS, replace(WINDOW, name="x", remaining=0)])
    assert wait(limits, 500) == 30.0


def test_calls_that_begin_are_counted_until_the_next_response(limits: RateLimits) -> None:
    limits.hear([WINDOW])
    limits.take(Demand(1))
    assert wait(limits) == 30.0
    limits.hear([WINDOW])
    assert wait(limits) == 0.0


def test_a_limit_whose_time_has_come_is_forgotten(limits: RateLimits, clock: Clock) -> None:
    limits.hear([replace(WINDOW, remaining=0)])
    clock.now += 30
    assert wait(limits) == 0.0
    assert not limits.known()


def test_a_request_larger_than_the_limit_is_sent_when_all_of_it_is_there(
    limits: RateLimits, clock: Clock
) -> None:
    limits.hear([TOKENS])
    assert wait(limits, 10**9) == pytest.approx(60.0)
    clock.now += 60
    assert wait(limits, 10**9) == 0.0


def test_what_the_vendor_has_in_its_cache_may_count_for_nothing(limits: RateLimits) -> None:
    limits.hear([replace(TOKENS, measure=Measure.UNCACHED_TOKENS)])
    assert limits.wait(Demand(5000, 100))[0] == 0.0
    assert limits.wait(Demand(5000, 0))[0] == 0.0
    assert limits.wait(Demand(5000, 101))[0] > 0.0


def test_tokens_of_answers_only_stop_a_call_when_none_are_left(limits: RateLimits) -> None:
    answers = RateLimit("output-tokens", Measure.OUTPUT_TOKENS, 1, 60.0)
    limits.hear([answers])
    limits.take(Demand(50))
    assert wait(limits, 10**6) == 0.0
    limits.hear([replace(answers, remaining=0)])
    assert wait(limits) == 60.0


@pytest.mark.parametrize("reset", [0.0, -5.0, LONGEST_BELIEVED_SECONDS * 2, 1e300])
def test_a_reset_that_makes_no_sense_stops_nobody(limits: RateLimits, reset: float) -> None:
    limits.hear([replace(WINDOW, remaining=0, reset_seconds=reset)])
    assert wait(limits) == 0.0


def test_a_negative_remainder_is_passed_over(limits: RateLimits) -> None:
    limits.hear([replace(WINDOW, remaining=-1)])
    assert not limits.known()


def test_what_is_known_is_told_as_it_stands(limits: RateLimits, clock: Clock) -> None:
    limits.hear([TOKENS])
    limits.take(Demand(50))
    clock.now += 30
    (known,) = limits.known()
    assert (known.remaining, known.reset_seconds, known.limit) == (500, 30.0, 1000)


def test_it_may_be_used_from_several_threads() -> None:
    limits = RateLimits()
    limits.hear([replace(TOKENS, remaining=10**6, limit=10**6, reset_seconds=3000.0)])

    def take() -> None:
        for _ in range(500):
            limits.take(Demand(1))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limits.known()[0].remaining == 10**6 - 2000
