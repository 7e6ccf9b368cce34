"""Bounds against published ones; false alarms of every way of looking; power against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from features.errors import InputError
from ltr.experiments.looks.sequential import (
    any_time,
    bounds,
    crossing_chance,
    inflation,
    mixture_variance,
)

FIVE = [0.2, 0.4, 0.6, 0.8, 1.0]


def paths(runs: int, looks: int, drift: float = 0.0, seed: int = 0) -> np.ndarray:
    """z at each of equally spaced looks (runs, looks)."""
    rng = np.random.default_rng(seed)
    time = np.arange(1, looks + 1) / looks
    return np.cumsum(rng.normal(drift / looks, np.sqrt(1 / looks), (runs, looks)), axis=1) / np.sqrt(time)


@pytest.mark.parametrize(
    ("spending", "published"),  # Lan-DeMets, five equal looks, two-sided .05: as gsDesign and ldbounds print
    [
        ("obrien-fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_bounds_are_the_published_ones(spending: str, published: list[float]) -> None:
    assert bounds(FIVE, spending=spending) == pytest.approx(published, abs=2e-4)


def test_bounds_of_two_uneven_looks_against_the_bivariate_normal() -> None:
    limits = bounds([0.3, 1.0], spending="pocock")
    cover = np.array([[1, np.sqrt(0.3)], [np.sqrt(0.3), 1]])
    inside = multivariate_normal(cov=cover).cdf(limits, lower_limit=-limits)
    assert 1 - inside == pytest.approx(0.05, abs=1e-6)


def test_one_look_is_the_plain_test() -> None:
    assert bounds([1.0])[0] == pytest.approx(1.959964, abs=1e-5)
    assert inflation([1.0], bounds([1.0]), 0.05, 0.8) == pytest.approx(1, abs=1e-6)


def test_twenty_looks_cry_wolf_no_more_than_allowed() -> None:
    seen = np.abs(paths(20_000, 20))
    naive = (seen > 1.96).any(axis=1).mean()
    assert naive == pytest.approx(0.25, abs=0.015)
    for spending in ("obrien-fleming", "pocock"):
        share = (seen > bounds(np.arange(1, 21) / 20, spending=spending)).any(axis=1).mean()
        assert share == pytest.approx(0.05, abs=0.006)


def test_any_time_intervals_under_twenty_looks_of_real_means() -> None:
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(2000):
        values = rng.exponential(1, 2000) - 1
        alarm = False
        for stop in range(100, 2001, 100):
            error = values[:stop].std(ddof=1) / np.sqrt(stop)
            tau2 = mixture_variance(error**2 * stop / 2000)
            found = any_time(float(values[:stop].mean()), float(error), tau2)
            assert (found.p_value <= 0.05) == (found.low > 0 or found.high < 0)
            alarm |= found.p_value <= 0.05
        alarms += alarm
    assert alarms / 2000 <= 0.05


def test_power_with_looks_is_what_simulation_gives() -> None:
    limits = bounds(FIVE)
    drift = 2.9
    simulated = (paths(40_000, 5, drift) > limits).any(axis=1).mean()
    assert crossing_chance(FIVE, limits, drift) == pytest.approx(simulated, abs=0.008)


@pytest.mark.parametrize("looks", [[], [0.5, 0.5], [0.8, 0.4], [0.0, 1.0], [float("nan")]])
def test_looks_must_rise(looks: list[float]) -> None:
    with pytest.raises(InputError, match="rising shares"):
        bounds(looks)
