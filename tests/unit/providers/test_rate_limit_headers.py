"""What vendors' headers tell of their rate limits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor.providers.rate_limit_headers import rate_limits
from victor.rate_limits import Measure, RateLimit

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC).timestamp()


def openai(reset: str, remaining: str = "0") -> tuple[RateLimit, ...]:
    return rate_limits(
        {"x-ratelimit-remaining-tokens": remaining, "x-ratelimit-reset-tokens": reset}, NOW
    )


def test_anthropics_headers_name_the_moment_at_which_all_is_there_again() -> None:
    told = rate_limits(
        {
            "Anthropic-Ratelimit-Requests-Limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-03-01T12:00:01Z",
            "anthropic-ratelimit-input-tokens-limit": "30000",
            "anthropic-ratelimit-input-tokens-remaining": "1000",
            "anthropic-ratelimit-input-tokens-reset": "2026-03-01T13:00:20+01:00",
            "anthropic-ratelimit-output-tokens-limit": "8000",
            "anthropic-ratelimit-output-tokens-remaining": "0",
            "anthropic-ratelimit-output-tokens-reset": "2026-03-01T12:01:00Z",
            "anthropic-ratelimit-unified-5h-utilization": "0.1",
            "content-type": "application/json",
        },
        NOW,
    )
    assert told == (
        RateLimit("requests", Measure.REQUESTS, 49, 1.0, 50, refills=True),
        RateLimit("input-tokens", Measure.UNCACHED_TOKENS, 1000, 20.0, 30000, refills=True),
        RateLimit("output-tokens", Measure.OUTPUT_TOKENS, 0, 60.0, 8000, refills=True),
    )


def test_openais_headers_name_a_duration() -> None:
    told = rate_limits(
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        NOW,
    )
    assert told == (
        RateLimit("requests", Measure.REQUESTS, 59, 1.0, 60, refills=True),
        RateLimit("tokens", Measure.TOKENS, 149984, 360.0, 150000, refills=True),
    )


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("6m0s", 360.0),
        ("1.5s", 1.5),
        ("20ms", 0.02),
        ("2m59.56s", 179.56),
        ("1h0m0s", 3600.0),
        ("1d2h", 93_600.0),
        ("55", 55.0),
        ("0.5", 0.5),
        (str(int(NOW) + 7), 7.0),
        (str(int(NOW + 8) * 1000), 8.0),
        ("2026-03-01T12:00:09+00:00", 9.0),
    ],
)
def test_durations_and_moments_are_read_in_every_form(reset: str, seconds: float) -> None:
    (told,) = openai(reset)
    assert told.reset_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "reset",
    ["", "soon", "0", "-3", "0s", "nan", "inf", "1e999", "2026-02-01T12:00:00Z", "2026-03-02",
     "s", "9" * 400, str(int(NOW) - 5)],
)  # fmt: skip
def test_a_reset_that_is_over_or_no_time_tells_of_nothing(reset: str) -> None:
    assert openai(reset) == ()


@pytest.mark.parametrize("remaining", ["", "-1", "many", "nan", "inf"])
def test_a_remainder_that_is_no_number_tells_of_nothing(remaining: str) -> None:
    assert openai("1s", remaining) == ()


def test_azure_tells_the_remainder_alone_and_a_reset_under_another_name() -> None:
    remainder = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "0"}
    assert rate_limits(remainder, NOW) == ()
    (told,) = rate_limits({**remainder, "x-rate-limit-reset-tokens": "55"}, NOW)
    assert (told.measure, told.reset_seconds, told.limit) == (Measure.TOKENS, 55.0, None)


def test_openrouter_tells_of_requests_in_a_window() -> None:
    (told,) = rate_limits(
        {
            "X-RateLimit-Limit": "20",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(NOW + 30) * 1000),
        },
        NOW,
    )
    assert told == RateLimit("requests", Measure.REQUESTS, 0, 30.0, 20, refills=False)


def test_a_limit_of_zero_or_of_no_number_is_not_told() -> None:
    headers = {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "1s"}
    for limit in ("0", "20;w=60"):
        (told,) = rate_limits({**headers, "x-ratelimit-limit-requests": limit}, NOW)
        assert told.limit is None


def test_headers_of_other_things_tell_of_nothing() -> None:
    assert rate_limits({"content-length": "3", "x-ratelimit-limit-colour": "red"}) == ()


@given(st.text(), st.text(), st.text())
def test_no_header_is_so_broken_that_it_raises(limit: str, remaining: str, reset: str) -> None:
    for told in rate_limits(
        {
            "x-ratelimit-limit-tokens": limit,
            "x-ratelimit-remaining-tokens": remaining,
            "x-ratelimit-reset-tokens": reset,
        }
    ):
        assert told.remaining >= 0
        assert told.reset_seconds > 0
