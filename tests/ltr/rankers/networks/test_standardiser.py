"""Features on one scale: fitted on training rows, without gaps, and told where there were some."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import StandardScaler

from ltr.data.dataset import Dataset
from ltr.rankers.networks.standardiser import CLIP, FEWEST_ROWS, Standardiser


def data(**columns: pl.Series | list) -> Dataset:
    length = len(next(iter(columns.values())))
    keys = {"query_id": ["q"] * length, "product_id": [f"p{row:04d}" for row in range(length)]}
    return Dataset.from_frame(
        pl.DataFrame(keys | {f"extra.{name}": value for name, value in columns.items()})
    )


def fitted(table: Dataset) -> Standardiser:
    return Standardiser.fit(table.X, table.schema)


def test_numbers_are_scaled_as_scikit_learn_scales_them() -> None:
    random = np.random.default_rng(0)
    table = data(a=random.normal(5, 3, 200).astype(np.float32), b=random.random(200).astype(np.float32))
    ours = fitted(table).transform(table.X)
    theirs = StandardScaler().fit_transform(table.X.astype(np.float64))
    np.testing.assert_allclose(ours, np.column_stack([theirs, np.ones(200)]), atol=1e-6)


def test_a_gap_is_the_mean_and_a_column_of_its_own() -> None:
    table = data(a=[1.0, None, 3.0, 2.0])
    np.testing.assert_allclose(fitted(table).transform(table.X)[1], [0, 1, 1])


def test_columns_missing_together_are_told_once() -> None:
    table = data(a=[1.0, None, 3.0], b=[5.0, None, 4.0], c=[None, 1.0, 2.0])
    found = fitted(table)
    assert found.missing == (0, 2)
    assert found.sources.tolist() == [0, 1, 2, 0, 2, -1]


def test_columns_that_say_nothing_are_left_out() -> None:
    empty = pl.Series([None] * 3, dtype=pl.Float32)
    table = data(level=[4.0] * 3, empty=empty, useful=[1.0, 2.0, 4.0])
    found = fitted(table)
    assert found.sources.tolist() == [2, -1]
    assert fitted(data(level=[4.0] * 3)).transform(data(level=[1.0, 9.0]).X).tolist() == [[1.0], [1.0]]


def test_categories_are_one_hot_if_training_had_enough_of_them() -> None:
    kinds = pl.Enum(["common", "rare", "never", "also common"])
    rows = ["common"] * FEWEST_ROWS + ["rare"] * (FEWEST_ROWS - 1) + ["also common"] * FEWEST_ROWS + [None]
    table = data(kind=pl.Series(rows, dtype=kinds))
    found = fitted(table)
    assert found.one_hot == ((0, 0), (0, 3))
    seen = data(kind=pl.Series(["common", "rare", "never", "also common", None], dtype=kinds))
    expected = [[0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1]]
    assert found.transform(seen.X).tolist() == expected


def test_what_is_scored_changes_nothing_that_was_fitted() -> None:
    train, far = data(a=[1.0, 2.0, 3.0]), data(a=[2.0, 1e30])
    assert fitted(train).transform(far.X)[:, 0].tolist() == [0.0, CLIP]


def test_it_survives_json_bit_by_bit() -> None:
    random = np.random.default_rng(1)
    kind = pl.Series(["x", "y"] * 50, dtype=pl.Enum(["x", "y"]))
    table = data(a=random.lognormal(size=100).tolist(), b=[None, 0.1] * 50, kind=kind)
    found = fitted(table)
    again = Standardiser.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found
    np.testing.assert_array_equal(again.transform(table.X), found.transform(table.X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_values_stay_finite(dtype: type) -> None:
    table = data(a=np.array([3e38, -3e38, 1.0, 0.0], dtype=dtype))
    assert np.isfinite(fitted(table).transform(table.X)).all()
