"""How far the estimate of tokens is off at an endpoint, learned from what vendors report.

The estimate knows no vendor's vocabulary. Where a vendor says how many tokens a request had, the
ratio of the two is kept, the newest calls weighing most; it never leaves its bounds, so that a
server that reports nonsense cannot turn the window into nothing or into anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from victor.protocols import Record

LOWEST, HIGHEST = 0.5, 2.0
"""Bounds of the factor."""

_KEPT = 0.8
"""Weight that the calls before have after each new one."""
_ABSURD = 3.0
"""How many times larger or smaller than the estimate a report may be to be believed."""
_TRUST = 4_000.0
"""Tokens by which the estimate is trusted before anything was reported."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What is known of an endpoint."""

    factor: float = 1.0
    """The vendor's tokens for each token of the estimate."""
    calls: int = 0
    """How many reports it was learned from."""
    error: float | None = None
    """How far the calibrated estimate was off on average, as a share; None before a report."""


class Calibration:
    """Learns the factor of each endpoint. Each call costs the same."""

    def __init__(self) -> None:
        self._fits: dict[tuple[str, str], Fit] = {}
        self._sums: dict[tuple[str, str], tuple[float, float]] = {}

    def of(self, provider: str, model: str) -> Fit:
        """Return what is known of the endpoint."""
        return self._fits.get((provider, model), _UNKNOWN)

    def learn(self, provider: str, model: str, *, estimated: int, reported: int) -> None:
        """Take in what a vendor reports of a request, unless that cannot be a count of it."""
        if not estimated or not 1 / _ABSURD <= reported / estimated <= _ABSURD:
            return
        key = (provider, model)
        fit = self._fits.get(key, _UNKNOWN)
        off = abs(estimated * fit.factor / reported - 1.0)
        error = off if fit.error is None else _KEPT * fit.error + (1 - _KEPT) * off
        ours, theirs = self._sums.get(key, (_TRUST, _TRUST))
        ours, theirs = _KEPT * ours + estimated, _KEPT * theirs + reported
        self._sums[key] = (ours, theirs)
        factor = min(max(theirs / ours, LOWEST), HIGHEST)
        self._fits[key] = Fit(factor, fit.calls + 1, error)

    def learn_from(self, records: Iterable[Record]) -> None:
        """Take in what vendors reported in a recorded conversation."""
        provider = model = ""
        for record in records:
            if record.kind != "reply":
                continue
            provider = record.data.get("provider", provider)
            model = record.data.get("model", model)
            match record.data.get("usage"):
                case {"estimate": int(estimated), "input": int(reported)}:
                    self.learn(provider, model, estimated=estimated, reported=reported)


_UNKNOWN = Fit()
