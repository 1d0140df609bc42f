"""How the estimate of tokens is corrected by what vendors report."""

from __future__ import annotations

import pytest

from victor.calibration import HIGHEST, LOWEST, Calibration


def learned(*reports: tuple[int, int]) -> Calibration:
    calibration = Calibration()
    for estimated, reported in reports:
        calibration.learn("acme", "m", estimated=estimated, reported=reported)
    return calibration


def test_without_a_report_the_estimate_stands() -> None:
    fit = Calibration().of("acme", "m")
    assert (fit.factor, fit.calls, fit.error) == (1.0, 0, None)


def test_the_factor_comes_close_to_what_the_vendor_counts() -> None:
    fit = learned(*[(10_000, 13_000)] * 8).of("acme", "m")
    assert fit.factor == pytest.approx(1.3, abs=0.02)
    assert fit.calls == 8
    assert fit.error is not None
    assert fit.error < 0.12


def test_a_small_call_hardly_moves_it() -> None:
    assert learned((20, 40)).of("acme", "m").factor == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("reported", "bound"), [(29_000, HIGHEST), (3_500, LOWEST)])
def test_it_never_leaves_its_bounds(reported: int, bound: float) -> None:
    assert learned(*[(10_000, reported)] * 30).of("acme", "m").factor == bound


@pytest.mark.parametrize("reported", [0, 10, 10_000_000])
def test_what_cannot_be_a_count_of_the_request_is_not_believed(reported: int) -> None:
    assert learned((10_000, reported)).of("acme", "m").calls == 0


def test_each_endpoint_has_its_own() -> None:
    calibration = learned(*[(10_000, 15_000)] * 3)
    assert calibration.of("acme", "other").factor == 1.0
    assert calibration.of("acme", "m").factor > 1.2
