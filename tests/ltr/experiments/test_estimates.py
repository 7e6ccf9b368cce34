"""Estimates against closed forms and simulation; differences against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ltr.experiments.estimates import Difference, mean_of, quantile_of, ratio_of

SAMPLES = st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=60).map(np.array)


@given(SAMPLES, SAMPLES)
def test_a_difference_of_means_is_welchs_test(a: np.ndarray, b: np.ndarray) -> None:
    found = Difference(mean_of(a), mean_of(b))
    if a.std() < 1e-6 or b.std() < 1e-6:
        return
    expected = stats.ttest_ind(b, a, equal_var=False)
    interval = expected.confidence_interval()
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert found.interval() == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-6)


def test_a_ratio_counts_units_not_rows() -> None:
    rng = np.random.default_rng(1)
    errors, found = [], []
    for _ in range(400):
        rows = 1 + rng.poisson(5, 300)
        clicks = rng.binomial(rows, rng.beta(1, 3, 300))
        estimate = ratio_of(clicks.astype(float), rows.astype(float))
        errors.append(estimate.error)
        found.append(estimate.value)
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.08)
    naive = np.sqrt(0.25 * 0.75 / (300 * 6))
    assert np.mean(errors) > 1.4 * naive  # what rows as units would claim


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_quantile_of_clustered_rows_has_an_honest_error(share: float) -> None:
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(250), 4)
    draws = [np.exp(rng.normal(0, 0.6, 250)[unit] + rng.normal(0, 0.4, 1000)) for _ in range(400)]
    estimates = [quantile_of(values, unit, 250, share) for values in draws]
    truth = float(np.exp(stats.norm.ppf(share) * np.sqrt(0.6**2 + 0.4**2)))
    covered = [low <= truth <= high for low, high in (e.interval() for e in estimates)]
    assert np.mean(covered) > 0.92


def test_lift_is_covered() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(500):
        a, b = rng.exponential(1, 400), rng.exponential(1.1, 400)
        low, high = Difference(mean_of(a), mean_of(b)).lift_interval()
        covered += low <= 0.1 <= high
    assert 0.92 <= covered / 500 <= 0.98


def test_nothing_that_varies_is_not_known() -> None:
    same = Difference(mean_of(np.ones(5)), mean_of(np.ones(6)))
    assert not same.known
    assert same.p_value == 1
