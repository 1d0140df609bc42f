"""The headers in which vendors tell of their rate limits.

Anthropic's begin with `anthropic-ratelimit-` and name a moment; OpenAI's, and those of servers that
imitate it, begin with `x-ratelimit-` and name a duration, in one form or another. Both refill
evenly, so that `reset` is when all is there again. `x-ratelimit-remaining` alone, as OpenRouter and
Together have it, counts requests in a window that ends at once.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import datetime

from victor.rate_limits import Measure, RateLimit

_ANTHROPIC = re.compile(r"anthropic-ratelimit-([a-z-]+)-(limit|remaining|reset)")
_OPENAI = re.compile(
    r"x-rate-?limit-(limit|remaining|reset)(?:-([a-z-]*(?:request|token)s[a-z-]*))?"
)
_DURATION = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
_SECONDS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_MEASURES = {
    "requests": Measure.REQUESTS,
    "tokens": Measure.UNCACHED_TOKENS,
    "input-tokens": Measure.UNCACHED_TOKENS,
    "output-tokens": Measure.OUTPUT_TOKENS,
}
"""Anthropic's. What is read from the cache does not count there."""

_EPOCH = 1_000_000_000
"""A larger number is a moment, and no duration."""
_EPOCH_MILLISECONDS = 100 * _EPOCH


def rate_limits(headers: Mapping[str, str], now: float | None = None) -> tuple[RateLimit, ...]:
    """Return the limits that the headers tell of, but for those without remainder or reset.

    `now` is the time of day in seconds since the epoch.
    """
    told: dict[tuple[str, bool], dict[str, str]] = {}
    for header, value in headers.items():
        name = header.lower()
        if "limit-" not in name:
            continue
        if found := _ANTHROPIC.fullmatch(name):
            told.setdefault((found[1], True), {})[found[2]] = value
        elif found := _OPENAI.fullmatch(name):
            told.setdefault((found[2] or "", False), {})[found[1]] = value
    if not told:
        return ()
    moment = time.time() if now is None else now
    limits = (_limit(name, parts, moment, own=own) for (name, own), parts in told.items())
    return tuple(limit for limit in limits if limit is not None)


def _limit(name: str, parts: Mapping[str, str], now: float, *, own: bool) -> RateLimit | None:
    remaining, reset = _whole(parts.get("remaining")), _reset(parts.get("reset"), now)
    measure = _MEASURES.get(name) if own else _measure(name)
    if remaining is None or reset is None or measure is None:
        return None
    limit = _whole(parts.get("limit"))
    return RateLimit(name or "requests", measure, remaining, reset, limit or None, bool(name))


def _measure(name: str) -> Measure:
    return Measure.TOKENS if "token" in name else Measure.REQUESTS


def _whole(value: str | None) -> int | None:
    """Return the number; None for one that is none, or below zero, which some vendors send."""
    try:
        number = float(value or "")
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number >= 0 else None


def _reset(value: str | None, now: float) -> float | None:
    """Return the seconds until the reset; None where it is over, or cannot be told."""
    seconds = _seconds(value.strip(), now) if value else None
    return seconds if seconds is not None and 0 < seconds < math.inf else None


def _seconds(value: str, now: float) -> float | None:
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        if number > _EPOCH_MILLISECONDS:
            return number / 1000 - now
        return number - now if number > _EPOCH else number
    if (found := _DURATION.fullmatch(value)) is not None:
        return sum(
            float(part or 0) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True)
        )
    try:
        moment = datetime.fromisoformat(value)
        return moment.timestamp() - now if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
