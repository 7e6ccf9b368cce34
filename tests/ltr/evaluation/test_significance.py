"""Intervals and tests: exact where they can be enumerated, calibrated where the truth is constructed."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.errors import InputError
from ltr.evaluation import significance
from ltr.evaluation.significance import BootstrapConfig, bootstrap_interval, compare, holm, randomisation_test


def per_query(values: list[float | None], metric: str = "AP") -> pl.DataFrame:
    ids = [f"q{i:04}" for i in range(len(values))]
    return pl.DataFrame({"query_id": ids, metric: pl.Series(values, dtype=pl.Float64)})


# --- the randomisation test


def enumerated(differences: list[float]) -> float:
    """Share of all sign patterns with a sum as extreme as the one seen."""
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(total >= abs(sum(differences)) - 1e-9 for total in sums) / len(sums)


@settings(max_examples=60)
@given(st.lists(st.integers(-8, 8).map(lambda n: n / 10), min_size=1, max_size=8))
def test_few_queries_give_the_enumerated_p_value(differences: list[float]) -> None:
    assert randomisation_test(np.array(differences)) == enumerated(differences)


def test_random_flips_come_near_the_exact_p_value(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(3).normal(0.5, 1.0, 12)
    exact = randomisation_test(differences)
    monkeypatch.setattr(significance, "EXACT_UP_TO", 0)
    flips = 20_000
    assert randomisation_test(differences, flips) == pytest.approx(exact, abs=5 * (exact / flips) ** 0.5)


def test_p_values_are_uniform_when_the_runs_are_alike() -> None:
    rng = np.random.default_rng(0)
    p_values = [randomisation_test(rng.laplace(size=25), 499, seed) for seed in range(400)]
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


def test_a_known_shift_is_found_as_often_as_theory_says() -> None:
    """Mean 0.5 and deviation 1 over 40 queries: the t-test, its equal in the limit, finds 87 in 100."""
    shift, n, trials = 0.5, 40, 200
    cut = scipy.stats.t.ppf(0.975, n - 1)
    power = scipy.stats.nct.sf(cut, n - 1, shift * n**0.5)
    rng = np.random.default_rng(1)
    found = np.mean([randomisation_test(rng.normal(shift, 1, n), 999, i) < 0.05 for i in range(trials)])
    assert found == pytest.approx(power, abs=4 * (power * (1 - power) / trials) ** 0.5)


def test_the_p_value_is_two_sided_and_never_zero() -> None:
    always_better = np.full(200, 0.1)
    assert randomisation_test(always_better, 999) == randomisation_test(-always_better, 999) == 1 / 1000


def test_queries_without_a_difference_change_nothing() -> None:
    differences = np.array([0.3, 0.2, -0.1, 0.4])
    assert randomisation_test(np.append(differences, np.zeros(50))) == randomisation_test(differences)


# --- the bootstrap


def test_intervals_cover_the_true_mean_as_often_as_they_claim() -> None:
    """A thousand skewed worlds (as measures are) with mean 1, all bootstrapped as columns of one table."""
    worlds = np.random.default_rng(2).exponential(1.0, (200, 1000))
    low, high = bootstrap_interval(worlds, BootstrapConfig(confidence=0.9, resamples=500))
    assert np.mean((low <= 1.0) & (high >= 1.0)) == pytest.approx(0.9, abs=0.03)


def test_values_that_are_all_equal_have_an_interval_of_no_width() -> None:
    low, high = bootstrap_interval(np.full((7, 1), 0.3), BootstrapConfig())
    assert (low[0], high[0]) == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize("values", [[0.651], [0.906, 0.907], [0.2, 0.2, 0.2, 0.2]])
def test_of_too_few_queries_an_interval_says_that_nothing_is_known(values: list[float]) -> None:
    low, high = bootstrap_interval(np.array(values)[:, None], BootstrapConfig())
    assert (low[0], high[0]) == (0.0, 1.0)
    found = compare(per_query(values), per_query([0.0] * len(values)), "AP")
    assert (found.low, found.high) == (-1.0, 1.0)
    assert found.p_value > 0.05
    turned = compare(per_query([0.0] * len(values)), per_query(values), "AP")
    assert (turned.low, turned.high) == (-1.0, 1.0)


def test_of_too_few_values_the_interval_reaches_as_far_as_they_do() -> None:
    low, high = bootstrap_interval(np.array([[3.0, -2.0], [1.0, 0.5]]), BootstrapConfig())
    assert (low.tolist(), high.tolist()) == ([0.0, -2.0], [3.0, 2.0])


def test_memory_blocks_do_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    a, b = (per_query(rng.random(70).tolist()) for _ in range(2))
    whole = compare(a, b, "AP")
    monkeypatch.setattr(significance, "CELLS_AT_ONCE", 1000)
    in_blocks = compare(a, b, "AP")
    assert in_blocks.p_value == whole.p_value
    assert (in_blocks.low, in_blocks.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


@pytest.mark.parametrize("wrong", [{"resamples": 10}, {"confidence": 1.0}, {"seed": -1}, {"draws": 5}])
def test_bootstrap_config_refuses(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BootstrapConfig(**wrong)  # type: ignore[arg-type]


# --- two runs


def test_comparison_pairs_by_query_and_counts() -> None:
    a = per_query([0.9, 0.5, 0.4, None, 0.7])
    b = per_query([0.1, 0.5 + 1e-15, 0.6, None, 0.2])
    found = compare(a, b.sample(fraction=1, shuffle=True, seed=0), "AP")
    differences = [0.9 - 0.1, 0.0, 0.4 - 0.6, 0.7 - 0.2]
    assert (found.wins, found.losses, found.ties, found.queries) == (2, 1, 1, 4)
    assert found.mean_a == pytest.approx((0.9 + 0.5 + 0.4 + 0.7) / 4)
    assert (
        found.difference == pytest.approx(sum(differences) / 4) == pytest.approx(found.mean_a - found.mean_b)
    )
    assert found.low <= found.difference <= found.high
    assert found.p_value == enumerated(differences)


def test_a_run_against_itself_is_no_news() -> None:
    run = per_query(np.random.default_rng(5).random(50).tolist())
    found = compare(run, run, "AP")
    assert (found.difference, found.low, found.high, found.p_value, found.ties) == (0.0, 0.0, 0.0, 1.0, 50)


def test_swapping_the_runs_swaps_the_signs() -> None:
    rng = np.random.default_rng(6)
    a, b = (
        per_query((rng.random(30) ** power).tolist()) for power in (1, 6)
    )  # uneven: draws decide the ends
    there, back = compare(a, b, "AP"), compare(b, a, "AP")
    assert (there.difference, there.p_value, there.wins) == (-back.difference, back.p_value, back.losses)
    assert (there.low, there.high) == (-back.high, -back.low)


def test_pairing_sees_what_the_spread_of_queries_hides() -> None:
    rng = np.random.default_rng(7)
    hardness = rng.random(60)
    found = compare(
        per_query((hardness + rng.normal(0.01, 0.01, 60)).tolist()), per_query(hardness.tolist()), "AP"
    )
    assert found.p_value < 0.01
    assert found.low > 0
    assert scipy.stats.ttest_ind(hardness, hardness + found.difference).pvalue > 0.5


@pytest.mark.parametrize(
    ("b", "words"),
    [
        (per_query([0.1, 0.2, 0.3]), "the same queries, got 2 and 3, of which 2 shared"),
        (per_query([0.1, 0.2]).with_columns(query_id=pl.Series(["q0000", "other"])), "of which 1 shared"),
        (per_query([0.1, None]), "1 queries with a value in one run only, 'q0001' first"),
        (per_query([0.1, 0.2], "RR"), "run b without it"),
        (per_query([0.1, 0.2]).with_columns(query_id=pl.lit("q0000")), "run b with a query twice"),
    ],
)
def test_runs_that_cannot_be_paired_are_refused(b: pl.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compare(per_query([0.5, 0.6]), b, "AP")


def test_a_comparison_needs_a_query_that_counts() -> None:
    with pytest.raises(InputError, match="a query with a value of 'AP', got none"):
        compare(per_query([None]), per_query([None]), "AP")


# --- many comparisons


def holm_by_definition(p_values: list[float]) -> list[float]:
    """Adjusted p of i: the largest of (m - rank of j) * p_j over all j with p_j <= p_i, at most 1."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    stepped = [(len(p_values) - rank) * p_values[i] for rank, i in enumerate(order)]
    return [min(1.0, max(stepped[: order.index(i) + 1])) for i in range(len(p_values))]


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_equals_its_definition(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(holm_by_definition(p_values))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([3 * 0.01, 2 * 0.03, 2 * 0.03])


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_holm_refuses_what_is_no_probability(wrong: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        holm([0.5, wrong])
