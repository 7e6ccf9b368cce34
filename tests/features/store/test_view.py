"""Which rows a feature view takes, and in which types they are stored."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from features.errors import InputError
from features.store.view import FeatureView

PRICES = FeatureView("prices", keys=("product_id",))
ROW = pl.DataFrame(
    {
        "product_id": ["a"],
        "available_at": [datetime(2020, 1, 1)],
        "structured.price": pl.Series([1.0], dtype=pl.Float32),
    }
)


def test_types_that_delta_lacks_become_the_nearest() -> None:
    frame = pl.DataFrame(
        {
            "product_id": ["a"],
            "colour": pl.Series(["red"], dtype=pl.Enum(["red", "blue"])),
            "shape": pl.Series(["round"], dtype=pl.Categorical),
            "count": pl.Series([255], dtype=pl.UInt8),
            "many": pl.Series([2**32 - 1], dtype=pl.UInt32),
            "half": pl.Series([0.5], dtype=pl.Float16),
            "vector": pl.Series([[0.5, 1.5]], dtype=pl.Array(pl.Float32, 2)),
        }
    )
    view = FeatureView("types", keys=("product_id",), available_at=None)
    stored = view.storable(frame)
    words, numbers = [pl.String, pl.String, pl.String], [pl.Int16, pl.Int64, pl.Float32]
    assert stored.dtypes == [*words, *numbers, pl.List(pl.Float32)]
    assert stored.row(0) == ("a", "red", "round", 255, 2**32 - 1, 0.5, [0.5, 1.5])


def test_a_nanosecond_clock_is_rounded_up_and_never_seen_early() -> None:
    clock = pl.Series("available_at", [1, 1_000], dtype=pl.Int64).cast(pl.Datetime("ns"))
    frame = pl.DataFrame({"product_id": ["a", "b"]}).with_columns(clock)
    microseconds = PRICES.storable(frame)["available_at"].dt.timestamp("us").to_list()
    assert microseconds == [1, 1]


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (ROW.drop("product_id"), "'product_id'"),
        (ROW.drop("available_at"), "'available_at'"),
        (ROW.with_columns(available_at=pl.lit("2020-01-01")), "Datetime in 'available_at'"),
        (ROW.with_columns(product_id=pl.lit(None, pl.String)), "1 in 'product_id'"),
        (ROW.with_columns(available_at=pl.lit(None, pl.Datetime("us"))), "1 in 'available_at'"),
        (pl.concat([ROW, ROW]), "1 repeated"),
        (ROW.with_columns(_version=pl.lit(0)), "'_version'"),
        (ROW.with_columns(age=pl.lit(timedelta(days=1))), "'age'"),
        (ROW.with_columns(pl.lit(None).alias("structured.price")), "'structured.price'"),
        (ROW.drop("structured.price"), "'structured.price' absent"),
        (ROW.with_columns(stock=pl.lit(1)), "'stock' Int32 where the table has none"),
        (ROW.cast({"structured.price": pl.Float64}), "'structured.price' Float64"),
        (ROW.with_columns(pl.col("available_at").dt.replace_time_zone("UTC")), "'available_at' Datetime"),
    ],
)
def test_rows_a_view_cannot_hold_are_refused(frame: pl.DataFrame, named: str) -> None:
    with pytest.raises(InputError, match=named):
        PRICES.check_schema(PRICES.storable(frame), ROW.schema)


@pytest.mark.parametrize("name", ["", "a/b", "../up", "a b", ".hidden"])
def test_a_view_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="name"):
        FeatureView(name, keys=("product_id",))


@pytest.mark.parametrize(
    ("keys", "available_at"), [((), None), (("a", "a"), None), (("at",), "at"), (("_version",), None)]
)
def test_a_view_with_senseless_keys_is_refused(keys: tuple[str, ...], available_at: str | None) -> None:
    with pytest.raises(InputError, match="key"):
        FeatureView("view", keys=keys, available_at=available_at)
