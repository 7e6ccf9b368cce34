"""Skew: no alarm where nothing changed, an alarm where something did, and PSI and KS as their definitions say."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from features.feature_schema import Feature, FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.sketch import Sketch, examine_shifts, shifts

FEATURES = 12


def lists(
    rng: np.random.Generator, queries: int, shift: float = 0.0, missing: float = 0.1, size: int = 20
) -> Dataset:
    """Lists whose rows share most of what they are; the first feature is moved, the second loses values."""
    n = queries * size
    shared = np.repeat(rng.normal(size=(queries, FEATURES)), size, axis=0)
    X = (shared + 0.3 * rng.normal(size=(n, FEATURES))).astype(np.float32)
    X[:, 0] += shift
    X[:, 2] = np.round(X[:, 2])  # ties
    X[rng.random(n) < missing, 1] = np.nan
    ids = [f"q{n:04d}" for n in range(queries)]
    frame = pl.DataFrame(
        {"query_id": np.repeat(ids, size), "product_id": [f"p{n:02d}" for n in range(size)] * queries}
    )
    schema = FeatureSchema(tuple(Feature(f"extra.f{n}") for n in range(FEATURES)))
    groups = np.full(queries, size, dtype=np.int32)
    return Dataset(frame, schema, X, pl.Series(ids), groups)


@given(
    values=st.lists(
        st.floats(width=32, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0]), max_size=300
    ),
    kind=st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=100)
def test_points_are_numpys_quantiles_of_the_values_that_are_there(values: list[float], kind: type) -> None:
    X = np.array(values, dtype=kind)[:, None]
    frame = pl.DataFrame({"query_id": ["q"] * len(X), "product_id": [f"p{n:03d}" for n in range(len(X))]})
    schema = FeatureSchema((Feature("extra.f"),))
    shape = Sketch.of(Dataset(frame, schema, X, pl.Series(["q"]), np.array([len(X)]))).features["extra.f"]
    there = X[~np.isnan(X)].astype(np.float64)
    expected = (
        np.unique(np.quantile(there, np.linspace(0, 1, 101), method="inverted_cdf")) if len(there) else []
    )
    np.testing.assert_array_equal(shape.points, expected)
    assert shape.below == [float((there <= point).mean()) for point in shape.points]


def test_no_alarm_where_nothing_changed() -> None:
    """Rows of a list are alike: taken as independent they would alarm nearly always."""
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        found = shifts(Sketch.of(lists(rng, 80)), lists(rng, 60))
        alarms += any(one.level != "PASS" for one in examine_shifts(found))
    assert alarms <= 10  # 5 of 100 expected at most; more than 10 by chance in 1 of 80 tries


@pytest.mark.parametrize("seed", range(5))
def test_what_changed_is_named(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sketch = Sketch.from_dict(Sketch.of(lists(rng, 120)).to_dict())
    moved, gone = examine_shifts(shifts(sketch, lists(rng, 120, shift=1.0, missing=0.6)))
    assert (moved.level, gone.level) == ("WARN", "WARN")
    assert "extra.f0 (PSI" in moved.evidence
    assert gone.evidence.startswith("1 of 12 features: extra.f1 (")
    assert moved.cure


@pytest.mark.parametrize("seed", range(5))
def test_ks_and_psi_are_theirs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, now = lists(rng, 50), lists(rng, 50, shift=0.5)
    for place, one in enumerate(shifts(Sketch.of(before), now)):
        a, b = (d.X[:, place][~np.isnan(d.X[:, place])] for d in (before, now))
        assert one.ks == pytest.approx(ks_2samp(a, b).statistic, abs=0.025)  # of 101 points
        edges = np.unique(np.quantile(a, np.arange(1, 10) / 10, method="inverted_cdf"))
        shares = [
            np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1) / len(x)
            for x in (a, b)
        ]
        p, q = (share.clip(1e-4) for share in shares)
        assert one.psi == pytest.approx(((q - p) * np.log(q / p)).sum(), abs=0.02)


def test_features_that_are_all_missing_or_gone() -> None:
    rng = np.random.default_rng(0)
    before, now = lists(rng, 30), lists(rng, 30)
    before.X[:, 5] = np.nan
    now.X[:, 6] = np.nan
    by_name = {one.feature: one for one in shifts(Sketch.of(before), now)}
    assert (by_name["extra.f5"].missing_before, by_name["extra.f5"].missing_now) == (1.0, 0.0)
    assert (by_name["extra.f6"].ks, by_name["extra.f6"].p_missing < 1e-6) == (0.0, True)
