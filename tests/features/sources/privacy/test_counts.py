"""Private counts: the law of the noise, what a neighbouring data set can change, and who never shows."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from scipy.stats import chisquare

from features.errors import InputError
from features.sources.privacy.counts import (
    Privacy,
    below,
    bound,
    discrete_laplace,
    private_counts,
    queries_of_enough,
    tail,
)

LEAST = 1e-6  # a test that fails once in a million runs: the bits cannot be seeded


def law(values: np.ndarray, scale: float) -> np.ndarray:
    step = math.exp(-1 / scale)
    return (1 - step) / (1 + step) * step ** np.abs(values)


@pytest.mark.parametrize(
    ("scale", "draws"),
    [
        (Fraction(1), 1_000_000),
        (Fraction(1, 3), 100_000),
        (Fraction(7, 2), 100_000),
        (Fraction(20), 100_000),
    ],
)
def test_the_noise_has_the_law_it_should_have(scale: Fraction, draws: int) -> None:
    drawn = discrete_laplace(scale, draws)
    assert drawn.shape == (draws,)
    width = 0
    while draws * law(np.array(width + 1), float(scale)) > 20:
        width += 1
    values = np.arange(-width, width + 1)
    counts = np.array([(drawn == value).sum() for value in values])
    chances = law(values, float(scale))
    found = np.append(counts, draws - counts.sum())
    wanted = np.append(chances, 1 - chances.sum()) * draws
    assert chisquare(found, wanted).pvalue > LEAST


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000, 2**40 + 1])
def test_whole_numbers_are_as_likely_as_each_other(limit: int) -> None:
    drawn = below(limit, 20_000)
    assert drawn.min() >= 0
    assert drawn.max() < limit
    parts = min(limit, 10)
    edges = [-(-part * limit // parts) for part in range(parts + 1)]
    counts, wanted = np.histogram(drawn, edges)[0], np.diff(edges) / limit * len(drawn)
    counts[-1] += len(drawn) - counts.sum()
    assert limit == 1 or chisquare(counts, wanted).pvalue > LEAST


@pytest.mark.parametrize("epsilon", [Fraction(1, 2), Fraction(1), Fraction(3)])
@pytest.mark.parametrize("keys_of_one", [1, 4])
def test_no_outcome_is_more_than_e_to_the_epsilon_likelier_with_one_person_more(
    epsilon: Fraction, keys_of_one: int
) -> None:
    """By the law itself, over every outcome of the counts that one person can change."""
    privacy = Privacy(epsilon, 1e-6, keys_of_one)
    values = np.arange(-100, 101)
    one_count = law(values - 1, float(privacy.scale)) / law(values, float(privacy.scale))
    assert (np.log(one_count) * keys_of_one <= float(epsilon) + 1e-9).all()


def test_neighbouring_data_are_told_apart_by_no_more_than_epsilon() -> None:
    """Measured on many counts at once: 3,000 keys of three people each, and the same with one person less."""
    privacy, many = Privacy(Fraction(1), 1e-6), 3000
    rows = pl.DataFrame({"key": [f"k{i}" for i in range(many)] * 3}).with_row_index("person").cast(pl.String)
    keys = rows["key"].unique()
    parts = (rows, rows.filter(pl.col("person").cast(pl.Int64) < 2 * many))
    counts = [
        np.bincount(private_counts(part, "key", "person", privacy, keys)["count"], minlength=40)
        for part in parts
    ]
    often = (counts[0][:40] > 60) & (counts[1][:40] > 60)
    one, other = counts[0][:40][often], counts[1][:40][often]
    assert often.sum() > 3
    assert (np.abs(np.log(one / other)) < 1 + 5 * np.sqrt(1 / one + 1 / other)).all()


@pytest.mark.parametrize("delta", [1e-3, 1e-6])
@pytest.mark.parametrize("keys_of_one", [1, 5])
def test_a_key_of_one_person_passes_the_threshold_with_delta_at_most(delta: float, keys_of_one: int) -> None:
    privacy = Privacy(Fraction(1), delta, keys_of_one)
    values = np.arange(0, 2000)
    passes = law(values, float(privacy.scale))[
        values + 1 >= privacy.threshold
    ].sum()  # the threshold itself too
    assert keys_of_one * passes <= delta
    one_less = law(values, float(privacy.scale))[values + 1 >= privacy.threshold - 1].sum()
    assert keys_of_one * one_less > delta


@pytest.mark.parametrize("least", [-3, 0, 1, 5])
def test_tails(least: int) -> None:
    values = np.arange(least, 600)
    assert tail(least, Fraction(5, 2)) == pytest.approx(law(values, 2.5).sum(), abs=1e-12)


def test_one_person_counts_once_for_few_keys_and_nobody_for_none() -> None:
    rows = pl.DataFrame({"key": [f"k{i % 50}" for i in range(500)], "person": ["one"] * 500})
    assert bound(rows, "key", "person", 3).height == 3
    drawn = {key for _ in range(60) for key in bound(rows, "key", "person", 3)["key"]}
    assert len(drawn) > 20, "always the same keys are no lot"
    nobody = rows.with_columns(person=pl.lit(None, dtype=pl.String))
    assert private_counts(nobody, "key", "person", Privacy(Fraction(1), 1e-6)).is_empty()


def test_rare_keys_do_not_leave_and_common_ones_do() -> None:
    people = [f"p{i}" for i in range(1000)]
    rows = pl.DataFrame({"key": ["common"] * 1000 + ["rare"] * 2, "person": [*people, "p1", "p2"]})
    privacy = Privacy(Fraction(1), 1e-12, 2)
    found = private_counts(rows, "key", "person", privacy)
    assert found["key"].to_list() == ["common"]
    assert abs(found["count"][0] - 1000) < 150
    assert queries_of_enough(rows, "key", "person", 3)["key"].unique().to_list() == ["common"]


@pytest.mark.parametrize("wrong", [(Fraction(0), 0.1, 1), (Fraction(1), 0.0, 1), (Fraction(1), 0.1, 0)])
def test_what_is_no_privacy_is_refused(wrong: tuple[Fraction, float, int]) -> None:
    with pytest.raises(InputError, match="epsilon above 0"):
        Privacy(*wrong)
