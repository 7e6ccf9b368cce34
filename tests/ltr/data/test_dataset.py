from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset

COLOUR = pl.Enum(["red", "green", "blue"])


def table(**columns: object) -> pl.DataFrame:
    """Three pairs of two queries, out of order; keyword arguments replace or add columns."""
    return pl.DataFrame(
        {"query_id": ["b", "a", "a"], "product_id": ["1", "2", "1"], "grade": [2.0, 1.0, 0.0]}
    ).with_columns(
        pl.Series("lexical.bm25", [3.0, 2.0, None], dtype=pl.Float32),
        pl.Series("structured.colour", ["blue", None, "red"], dtype=COLOUR),
        pl.Series("structured.is_new", [True, False, None]),
        **{
            name: values if isinstance(values, pl.Series) else pl.Series(values)
            for name, values in columns.items()
        },
    )


def test_arrays_follow_the_keys() -> None:
    data = Dataset.from_frame(table())
    assert data.frame.select("query_id", "product_id").rows() == [("a", "1"), ("a", "2"), ("b", "1")]
    assert data.query_ids.to_list() == ["a", "b"]
    assert data.groups.tolist() == [2, 1]
    assert data.groups.dtype == np.int32
    assert data.grades.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(data.X, [[np.nan, 0, np.nan], [2, np.nan, 0], [3, 2, 1]])
    assert data.categorical == [1]


@pytest.mark.parametrize(
    ("extra", "dtype"),
    [
        (pl.Series([1, 2, 3], dtype=pl.Int16), np.float32),
        (pl.Series([1, 2, 2**24 + 1], dtype=pl.Int64), np.float64),
        (pl.Series([1.0, 2.0, 0.1], dtype=pl.Float64), np.float64),
    ],
)
def test_no_digits_are_lost(extra: pl.Series, dtype: type) -> None:
    data = Dataset.from_frame(table(**{"extra.x": extra}))
    assert data.X.dtype == dtype
    assert data.X.flags.c_contiguous
    assert data.X[2, 3] == extra[0]
    assert sorted(data.X[:, 3]) == sorted(extra.to_list())


@given(st.permutations(range(12)))
def test_order_of_rows_does_not_matter(order: list[int]) -> None:
    frame = pl.DataFrame(
        {
            "query_id": [f"q{i % 4}" for i in range(12)],
            "product_id": [f"p{i}" for i in range(12)],
            "grade": [float(i % 3) for i in range(12)],
            "extra.x": [float(i) for i in range(12)],
        }
    )
    one, other = Dataset.from_frame(frame), Dataset.from_frame(frame[order])
    np.testing.assert_array_equal(one.X, other.X)
    np.testing.assert_array_equal(one.grades, other.grades)
    np.testing.assert_array_equal(one.groups, other.groups)
    assert one.frame.equals(other.frame)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), unique=True, min_size=1),
    st.sets(st.integers(0, 7)),
)
def test_take_is_a_filter_before_building(pairs: list[tuple[int, int]], wanted: set[int]) -> None:
    frame = pl.DataFrame(
        {
            "query_id": [f"q{query}" for query, _ in pairs],
            "product_id": [f"p{product}" for _, product in pairs],
            "extra.x": [float(10 * query + product) for query, product in pairs],
        }
    )
    ids = [f"q{query}" for query in wanted]
    taken = Dataset.from_frame(frame).take(ids)
    built = Dataset.from_frame(frame.filter(pl.col("query_id").is_in(ids)))
    np.testing.assert_array_equal(taken.X, built.X)
    assert taken.groups.tolist() == built.groups.tolist()
    assert taken.query_ids.to_list() == built.query_ids.to_list()
    assert taken.frame.equals(built.frame)


def test_select_keeps_rows_and_drops_features() -> None:
    data = Dataset.from_frame(table())
    chosen = data.select(data.schema.select(["structured"]))
    assert chosen.schema.names == ["structured.colour", "structured.is_new"]
    assert chosen.X.flags.c_contiguous
    np.testing.assert_array_equal(chosen.X, data.X[:, 1:])
    assert chosen.categorical == [0]
    assert chosen.grades.tolist() == data.grades.tolist()
    chosen.schema.check(chosen.frame, "chosen")


def test_select_refuses_a_feature_that_is_not_there() -> None:
    data = Dataset.from_frame(table())
    fewer = data.select(data.schema.select(["structured"]))
    with pytest.raises(InputError, match=r"lexical\.bm25"):
        fewer.select(data.schema)


def test_scoring_needs_no_grades() -> None:
    data = Dataset.from_frame(table().drop("grade"))
    assert data.X.shape == (3, 3)
    with pytest.raises(InputError, match="no column 'grade'"):
        _ = data.grades


def test_a_table_without_rows_is_a_dataset() -> None:
    data = Dataset.from_frame(table().clear())
    assert data.X.shape == (0, 3)
    assert data.groups.tolist() == []


def test_schema_of_a_saved_run_is_enforced() -> None:
    schema = FeatureSchema.of(table())
    Dataset.from_frame(table(), schema)
    with pytest.raises(InputError, match=r"missing 'lexical\.bm25'"):
        Dataset.from_frame(table().drop("lexical.bm25"), schema)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table(product_id=["1", "1", "1"]), "product '1' again under query 'a' \\(1 such rows\\)"),
        (table(grade=[1.0, None, 0.0]), "got None for query 'a', product '2'"),
        (table(grade=[1.0, float("nan"), 0.0]), "nan for query 'a'"),
        (table(grade=[1.0, -1.0, 0.0]), "-1.0 for query 'a'"),
        (table(grade=["good", "bad", "bad"]), "expected numeric grades, got String"),
        (table(query_id=["a", None, "b"]), "expected a query_id in every row, got 1 nulls"),
        (table(query_id=[1, 2, 3]), "expected query_id as String, got Int64"),
        (table().drop("product_id"), "expected a column 'product_id'"),
        (table(**{"extra.x": [1.0, float("inf"), 0.0]}), "infinite or huge ones in 'extra.x'"),
        (table(**{"extra.x": [1.0, -1e39, 0.0]}), "infinite or huge ones in 'extra.x'"),
        (table(**{"extra.x": ["a", "b", "c"]}), "expected a numeric, boolean or Enum column"),
    ],
)
def test_bad_tables_are_told_in_one_line(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        Dataset.from_frame(frame)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("given", [[0.5, None, 0.2], [1.0, 1.0, 1.0], [None, None, None]])
def test_weights_of_judgements_reach_rows_and_queries(given: list[float | None]) -> None:
    weights = pl.Series("judgement_weight", given, dtype=pl.Float64)
    data = Dataset.from_frame(table().with_columns(weights))
    assert "judgement_weight" not in data.schema.names
    by_key = data.frame["judgement_weight"].fill_null(1.0).to_numpy()
    assert data.row_weights is not None
    assert data.query_weights is not None
    np.testing.assert_array_equal(data.row_weights, by_key)
    np.testing.assert_allclose(data.query_weights, [by_key[:2].mean(), by_key[2]])
    part = data.take(["a"])
    assert part.row_weights is not None
    np.testing.assert_array_equal(part.row_weights, by_key[:2])
    assert Dataset.from_frame(table()).row_weights is None
    assert Dataset.from_frame(table()).query_weights is None
