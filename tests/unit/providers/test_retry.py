from __future__ import annotations

import pytest

from victor.errors import AuthenticationError, ProviderError, ProviderUnavailable, RateLimitError
from victor.protocols import IRetries
from victor.providers.retry import MOST_BACKOFF_SECONDS, RetryPolicy

BUSY = ProviderUnavailable("busy")


def test_waits_double_up_to_a_limit_and_are_shared_out_by_chance() -> None:
    most: IRetries = RetryPolicy(jitter=lambda: 1.0)
    waits = [most.wait(BUSY, attempt, 100.0) for attempt in (1, 2, 3, 4, 5, 6, 7)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert max(waits) == MOST_BACKOFF_SECONDS
    assert RetryPolicy(jitter=lambda: 0.0).wait(BUSY, 3, 100.0) == 0.0
    assert len({RetryPolicy().wait(BUSY, 5, 100.0) for _ in range(20)}) > 1


def test_what_the_vendor_asks_for_is_the_least_that_is_waited() -> None:
    limited = RateLimitError("slow down", retry_after=3.0)
    assert RetryPolicy(jitter=lambda: 0.0).wait(limited, 1, 100.0) == 3.0
    assert RetryPolicy(jitter=lambda: 1.0).wait(limited, 1, 100.0) == 3.5


@pytest.mark.parametrize(
    ("failure", "left"),
    [
        (AuthenticationError("wrong key"), 100.0),
        (ProviderError("no"), 100.0),
        (BUSY, 0.1),
        (RateLimitError("slow down", retry_after=30.0), 20.0),
    ],
)
def test_what_another_try_would_not_help_is_raised(failure: ProviderError, left: float) -> None:
    with pytest.raises(type(failure)) as raised:
        RetryPolicy(jitter=lambda: 1.0).wait(failure, 1, left)
    assert raised.value is failure


def test_the_longest_wait_is_a_setting_and_said_where_it_is_exceeded() -> None:
    limited = RateLimitError("slow down", retry_after=3600.0)
    with pytest.raises(RateLimitError, match=r"3,600 s, and max_retry_wait is 60 s"):
        RetryPolicy.of({"max_retry_wait": 60.0}).wait(limited, 1, 1e6)
    assert RetryPolicy.of({"max_retry_wait": 4000.0}).wait(limited, 1, 1e6) >= 3600.0
