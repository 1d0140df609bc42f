"""When a model call that failed is made again."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from victor.errors import ProviderError

MOST_BACKOFF_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential waits with full jitter; what the vendor asks for is honoured. Fits `IRetries`."""

    first_wait: float = 0.5
    """Seconds that the wait after the first failure has at most; it doubles with each."""
    longest_wait: float = 60.0
    """Seconds that a vendor may ask to wait; for more the call fails at once."""
    jitter: Callable[[], float] = random.random
    """Gives the share of a wait, from 0 to 1, that is taken."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> RetryPolicy:
        """Return the policy that the settings ask for."""
        return cls(longest_wait=config["max_retry_wait"])

    def wait(self, failure: ProviderError, attempt: int, left: float) -> float:
        """Return the seconds to wait after the failed `attempt`, counted from 1.

        Raises `failure` where another try would not help, or would come later than the `left`
        seconds that the call may still take.
        """
        if not failure.retryable:
            raise failure
        asked = failure.retry_after
        if asked is not None and asked > self.longest_wait:
            failure.hint = (
                f"It asks to wait {asked:,.0f} s, and max_retry_wait is {self.longest_wait:g} s."
                " Try again then, or configure a fallback provider."
            )
            raise failure
        backoff = min(self.first_wait * 2.0 ** (attempt - 1), MOST_BACKOFF_SECONDS)
        seconds: float = (asked or 0.0) + self.jitter() * backoff
        if seconds >= left:
            raise failure
        return seconds
