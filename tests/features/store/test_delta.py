"""The feature store: what is written is read back, at any version, by any number of writers."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from features.errors import InputError
from features.store.delta import FeatureStore, FeatureView, WriteMode

PRICES = FeatureView("prices", keys=("product_id",))
DAY = timedelta(days=1)
START = datetime(2020, 1, 1)


def prices(*rows: tuple[str, int, float | None]) -> pl.DataFrame:
    """Rows of (product, day, price)."""
    return pl.DataFrame(
        {
            "product_id": [product for product, _, _ in rows],
            "available_at": [START + day * DAY for _, day, _ in rows],
            "structured.price": pl.Series([price for *_, price in rows], dtype=pl.Float32),
        },
        schema_overrides={"product_id": pl.String, "available_at": pl.Datetime("us")},
    )


ROW = prices(("a", 0, 1.0))


def asked(*rows: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"product_id": [product for product, _ in rows], "at": [START + day * DAY for _, day in rows]}
    )


def price_list(frame: pl.DataFrame) -> list[float | None]:
    return frame["structured.price"].to_list()


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "feature store, größer")


# --- writing and reading -------------------------------------------------------------------------


def test_what_is_written_is_read_back(store: FeatureStore) -> None:
    frame = prices(("a", 0, 1.0), ("b", 3, None))
    assert not store.exists(PRICES)
    assert store.write(PRICES, frame) == 0
    assert store.exists(PRICES)
    assert store.read(PRICES).equals(frame)


def test_append_keeps_and_upsert_replaces(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 0, 1.0), ("b", 0, 2.0)))
    assert store.write(PRICES, prices(("a", 0, 3.0)), mode="append") == 1
    assert price_list(store.read(PRICES)) == [1.0, 2.0, 3.0]
    assert store.write(PRICES, prices(("b", 0, 4.0), ("b", 1, 5.0)), mode="upsert") == 2
    rows = store.read(PRICES).sort("product_id", "available_at", "structured.price")
    assert rows.equals(prices(("a", 0, 1.0), ("a", 0, 3.0), ("b", 0, 4.0), ("b", 1, 5.0)))


def test_overwrite_may_change_the_columns_and_old_versions_stay(store: FeatureStore) -> None:
    first = prices(("a", 0, 1.0))
    other = first.rename({"structured.price": "structured.stock"})
    store.write(PRICES, first)
    assert store.write(PRICES, other, mode="overwrite") == 1
    assert store.read(PRICES).equals(other)
    assert store.read(PRICES, version=0).equals(first)


def test_a_first_write_may_be_of_any_mode_and_empty(store: FeatureStore) -> None:
    modes: tuple[WriteMode, ...] = ("append", "upsert", "overwrite")
    for mode in modes:
        view = FeatureView(f"first_{mode}", keys=("product_id",))
        assert store.write(view, prices().clear(), mode=mode) == 0
        assert store.read(view).equals(prices().clear())


def test_column_order_does_not_matter_to_append(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 0, 1.0)))
    store.write(PRICES, prices(("b", 0, 2.0)).select("structured.price", "available_at", "product_id"))
    assert store.read(PRICES).equals(prices(("a", 0, 1.0), ("b", 0, 2.0)))


# --- versions and metadata -----------------------------------------------------------------------


def test_a_timestamp_reads_what_was_newest_then(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 0, 1.0)))
    time.sleep(0.01)
    between = datetime.now(UTC)
    time.sleep(0.01)
    store.write(PRICES, prices(("a", 1, 2.0)))
    assert price_list(store.read(PRICES, version=between)) == [1.0]
    assert price_list(store.read(PRICES, version=between.replace(tzinfo=None))) == [1.0]
    assert price_list(store.read(PRICES, version=datetime.now(UTC))) == [1.0, 2.0]


@pytest.mark.parametrize("version", [1, -1, datetime(2000, 1, 1, tzinfo=UTC)])
def test_a_version_that_never_was_is_refused(store: FeatureStore, version: int | datetime) -> None:
    store.write(PRICES, prices(("a", 0, 1.0)))
    with pytest.raises(InputError, match="version"):
        store.read(PRICES, version=version)


def test_metadata_is_kept_per_version_and_inherited_until_overwritten(store: FeatureStore) -> None:
    writes: list[tuple[WriteMode, dict[str, str]]] = [
        ("append", {"encoder": "minilm", "config": "1"}),
        ("upsert", {"config": "2"}),
        ("append", {}),
        ("overwrite", {"encoder": "clip"}),
    ]
    for day, (mode, metadata) in enumerate(writes):
        store.write(PRICES, prices(("a", day, 1.0)), mode=mode, metadata=metadata)
    inherited = {"encoder": "minilm", "config": "2"}
    expected = [{"encoder": "minilm", "config": "1"}, inherited, inherited, {"encoder": "clip"}]
    assert [store.metadata(PRICES, version) for version in range(4)] == expected
    assert store.metadata(PRICES) == expected[-1]
    history = store.history(PRICES)
    assert history["version"].to_list() == [3, 2, 1, 0]
    assert history["mode"].to_list() == [mode for mode, _ in reversed(writes)]
    assert history["rows"].to_list() == [1] * 4
    assert [json.loads(text) for text in history["metadata"]] == expected[::-1]
    assert history["written_at"].is_sorted(descending=True)


def test_history_outlives_deltas_thirty_days_and_other_tools(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 0, 1.0)), metadata={"config": "1"})
    store.write(PRICES, prices(("b", 0, 2.0)))
    table = DeltaTable(store._address(PRICES))
    assert table.metadata().configuration["delta.enableExpiredLogCleanup"] == "false"
    table.optimize.compact()
    assert store.version(PRICES) == 2
    assert store.history(PRICES)["mode"].to_list() == ["by another tool", "append", "append"]
    assert store.metadata(PRICES, version=2) == {"config": "1"}
    assert price_list(store.read(PRICES)) == [1.0, 2.0]


def test_a_table_of_another_tool_is_refused(store: FeatureStore) -> None:
    write_deltalake(store._address(PRICES), prices(("a", 0, 1.0)))
    with pytest.raises(InputError, match="another tool"):
        store.read(PRICES)


def test_rows_of_another_fingerprint_are_neither_added_nor_read(store: FeatureStore) -> None:
    old, new = (FeatureView("vectors", keys=("product_id",), fingerprint=name) for name in ("old", "new"))
    store.write(old, prices(("a", 0, 1.0)))
    assert store.metadata(old) == {"fingerprint": "old"}
    for use in (lambda: store.write(new, prices(("b", 0, 1.0))), lambda: store.read(new)):
        with pytest.raises(InputError, match="fingerprint 'old'"):
            use()
    store.write(new, prices(("b", 0, 1.0)), mode="overwrite")
    assert store.metadata(new) == {"fingerprint": "new"}
    assert store.read(old, version=0).equals(prices(("a", 0, 1.0)))


def test_refused_rows_leave_no_trace(store: FeatureStore) -> None:
    store.write(PRICES, ROW)
    for frame in (pl.concat([ROW, ROW]), ROW.drop("structured.price")):
        with pytest.raises(InputError):
            store.write(PRICES, frame)
    assert store.version(PRICES) == 0
    assert store.read(PRICES).equals(ROW)


def test_a_view_that_is_not_there_or_was_declared_otherwise_is_refused(store: FeatureStore) -> None:
    with pytest.raises(InputError, match="'prices'"):
        store.read(PRICES)
    store.write(PRICES, ROW)
    for other in (FeatureView("prices", ("shop_id",)), FeatureView("prices", ("product_id",), None)):
        with pytest.raises(InputError, match="as the table has"):
            store.read(other)


# --- as of a time, and latest --------------------------------------------------------------------


def test_as_of_joins_views_with_their_own_keys(store: FeatureStore) -> None:
    brands = FeatureView("brands", keys=("shop", "brand"), available_at="known_at")
    colours = FeatureView("colours", keys=("product_id",), available_at=None)
    store.write(PRICES, prices(("a", 0, 1.0), ("a", 2, 2.0), ("b", 1, 3.0)))
    store.write(
        brands,
        pl.DataFrame(
            {"shop": [1, 2], "brand": ["x", "x"], "known_at": [START, START + DAY], "sales": [10, 20]}
        ),
    )
    store.write(colours, pl.DataFrame({"product_id": ["b"], "colour": ["red"]}))
    frame = asked(("b", 0), ("a", 3), ("b", 1), ("a", 1)).with_columns(
        shop=pl.Series([2, 2, 1, 2]), brand=pl.lit("x")
    )
    result = store.as_of(frame, [PRICES, brands, colours])
    assert result.select(frame.columns).equals(frame)
    assert price_list(result) == [None, 2.0, 3.0, 1.0]
    assert result["sales"].to_list() == [None, 20, 10, 20]
    assert result["colour"].to_list() == ["red", None, "red", None]


def test_of_equal_times_the_later_written_counts_also_after_upsert(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 0, 1.0)))
    store.write(PRICES, prices(("a", 0, 9.0), ("b", 0, 9.0)))
    assert price_list(store.as_of(asked(("a", 0)), [PRICES])) == [9.0]
    store.write(PRICES, prices(("a", 0, 2.0)), mode="upsert")
    assert price_list(store.as_of(asked(("a", 0), ("b", 0)), [PRICES])) == [2.0, 9.0]


def test_as_of_at_an_old_version_repeats_the_old_frame(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 0, 1.0)))
    frame = asked(("a", 5))
    before = store.as_of(frame, [PRICES])
    store.write(PRICES, prices(("a", 0, 7.0)), mode="upsert")
    assert price_list(store.as_of(frame, [PRICES])) == [7.0]
    assert store.as_of(frame, [PRICES], versions={"prices": 0}).equals(before)
    with pytest.raises(InputError, match="'price'"):
        store.as_of(frame, [PRICES], versions={"price": 0})


def test_as_of_passes_the_age_and_the_name_of_the_time_on(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 0, 1.0)))
    frame = asked(("a", 1), ("a", 2)).rename({"at": "clicked_at"})
    assert price_list(store.as_of(frame, [PRICES], at="clicked_at", max_age=DAY)) == [1.0, None]


def test_two_views_with_one_feature_name_are_refused(store: FeatureStore) -> None:
    other = FeatureView("other_prices", keys=("product_id",))
    for view in (PRICES, other):
        store.write(view, ROW)
    with pytest.raises(InputError, match=r"'structured\.price'"):
        store.as_of(asked(("a", 0)), [PRICES, other])


def test_latest_is_the_newest_by_its_own_clock_not_by_writing(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 5, 5.0), ("b", 0, 1.0)))
    store.write(PRICES, prices(("a", 1, 1.0)))
    keys = pl.DataFrame({"product_id": ["b", "c", "a", "a"]})
    assert price_list(store.latest(PRICES, keys)) == [1.0, None, 5.0, 5.0]


# --- forgetting --------------------------------------------------------------------------------------


def files_with(store: FeatureStore, product: str) -> list[str]:
    """Data files of the view in which a product stands, whether a version names them or not."""
    assert store.folder is not None
    paths = [path for path in (store.folder / PRICES.name).iterdir() if path.is_file()]
    return [path.name for path in paths if product in pl.read_parquet(path)["product_id"]]


def test_what_is_forgotten_is_in_no_version_and_no_file(store: FeatureStore) -> None:
    store.write(PRICES, prices(("a", 0, 1.0), ("b", 0, 2.0)), metadata={"config": "1"})
    store.write(
        PRICES, prices(("a", 0, 3.0), ("a", 1, 4.0), ("b", 0, 5.0))
    )  # the later-written of two counts
    assert store.folder is not None
    prices(("a", 9, 9.0)).write_parquet(store.folder / PRICES.name / "part-of-a-killed-writer.parquet")
    assert len(files_with(store, "a")) == 3
    assert store.forget(PRICES, pl.col("product_id") == "a") == 3
    assert files_with(store, "a") == []
    assert price_list(store.read(PRICES)) == [5.0]
    assert store.metadata(PRICES) == {"config": "1"}
    with pytest.raises(InputError, match="missing or damaged"):
        store.read(PRICES, version=1)
    assert store.write(PRICES, prices(("c", 0, 6.0))) == 3
    assert price_list(store.read(PRICES)) == [5.0, 6.0]


def test_forgetting_nothing_still_leaves_the_newest_version_alone(store: FeatureStore) -> None:
    store.write(PRICES, ROW)
    store.write(PRICES, prices(("a", 0, 2.0)), mode="upsert")
    assert store.forget(PRICES, pl.col("product_id") == "z") == 0
    assert price_list(store.read(PRICES)) == [2.0]
    assert len(files_with(store, "a")) == 1
