"""Frames at hand: cleaned as the same tables in files are, whoever made them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import FeatureBuilder, InputError, Shop
from features.sources.config import CatalogueConfig
from features.sources.load import load

MAKERS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "lazy": pl.DataFrame.lazy,
    "arrow": pl.DataFrame.to_arrow,
    "pandas": pl.DataFrame.to_pandas,
    "pandas of arrow": lambda frame: frame.to_pandas(use_pyarrow_extension_array=True),
}
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)

PRODUCTS = pl.DataFrame(
    {
        "product_id": ["007", "a b", "é", "", None, "007", "p7", "p8"],
        "title": ["Red  dress", "", None, "Blue", "x", "Red dress", "caf\u00e9 \x00 &amp; co", "n/a"],
        "price": ["12.50", "1.299,00 €", "abc", "-3", "4", "12.50", None, "0"],
        "rating": [4.5, None, 3.0, 2.0, 1.0, 4.5, 3.5, 5.0],
        "listed_at": [dt.datetime(2024, 5, day) for day in range(1, 9)],
        "weight": [1.0, None, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
    }
)
QUERIES = pl.DataFrame({"query_id": ["1", "2", "3", "2"], "text": ["red dress", "café", None, "coffee"]})
JUDGEMENTS = pl.DataFrame(
    {
        "query_id": ["1", "1", "1", "2", "2", "9", "2"],
        "product_id": ["007", "a b", "nowhere", "p7", "p8", "p8", "p7"],
        "grade": [2, 0, 1, 3, -1, 1, 1],
    }
)
SETTINGS = {"products": {"numeric": ["weight"]}}


def from_files(folder: Path, tables: dict[str, pl.DataFrame], given: dict[str, Any]) -> Any:
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    tree = {name: {"path": f"{name}.parquet", **given.get(name, {})} for name in tables}
    return load(CatalogueConfig.model_validate(tree), folder)


def assert_same(ours: Any, theirs: Any) -> None:
    for name in ("products", "queries", "judgements"):
        assert_frame_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.steps == theirs.steps
    assert ours.rejected.keys() == theirs.rejected.keys()
    for name, rows in ours.rejected.items():
        assert_frame_equal(rows, theirs.rejected[name])


@every_maker
def test_frames_are_cleaned_as_files_are(make: Callable[[pl.DataFrame], Any], tmp_path: Path) -> None:
    tables = {"products": PRODUCTS, "queries": QUERIES, "judgements": JUDGEMENTS}
    files = from_files(tmp_path, tables, SETTINGS)
    frames = Shop.from_frames(**{name: make(table) for name, table in tables.items()}, settings=SETTINGS)
    assert_same(frames, files)
    reasons = set(frames.rejected["judgements"]["reason"])
    assert any("product_id not among" in reason for reason in reasons), reasons


words = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["NA", "-", "1,5", "<b>x</b>", "€ 3"]))
ids = st.sampled_from(["1", "01", " 1", "a", "A", "", "ü"])


@settings(max_examples=30)
@given(
    titles=st.lists(words, min_size=4, max_size=8),
    prices=st.lists(words, min_size=8, max_size=8),
    grades=st.lists(st.one_of(st.none(), st.integers(-1, 3)), min_size=6, max_size=6),
    keys=st.lists(st.tuples(ids, ids), min_size=6, max_size=6),
    maker=st.sampled_from(sorted(MAKERS)),
)
def test_any_tables_are_cleaned_alike(
    titles: list[Any],
    prices: list[Any],
    grades: list[Any],
    keys: list[tuple[str, str]],
    maker: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    names = ["1", "01", " 1", "a", "A", "", "ü", "b"]
    tables = {
        "products": pl.DataFrame(
            {"product_id": names[: len(titles)], "title": titles, "price": prices[: len(titles)]},
            schema_overrides={"title": pl.String, "price": pl.String},
        ),
        "queries": pl.DataFrame({"query_id": ["1", "a", "ü"], "text": ["x", "y", "z"]}),
        "judgements": pl.DataFrame(
            {"query_id": [q for q, _ in keys], "product_id": [p for _, p in keys], "grade": grades},
            schema_overrides={"grade": pl.Int64},
        ),
    }
    folder = tmp_path_factory.mktemp("shop")
    made = [
        lambda: from_files(folder, tables, {}),
        lambda: Shop.from_frames(**{name: MAKERS[maker](table) for name, table in tables.items()}),
    ]
    found = []
    for one in made:
        try:
            found.append(one())
        except InputError as error:
            found.append(error)
    if isinstance(found[0], InputError):
        assert isinstance(found[1], InputError)
        assert found[1].expected == found[0].expected
        assert found[1].got == found[0].got
    else:
        assert_same(found[1], found[0])


def test_fingerprints_follow_the_content() -> None:
    one, same, other = (
        Shop.from_frames(frame).fingerprints["products"]
        for frame in (PRODUCTS, PRODUCTS.clone(), PRODUCTS.with_columns(rating=pl.lit(1.0)))
    )
    assert one == same != other


def test_columns_are_mapped_where_they_are_called_otherwise() -> None:
    products = pd.DataFrame({"sku": ["a", "b"], "name": ["Red", "Blue"], "season": ["s", "w"]}).set_index(
        "sku"
    )
    judged = pa.table({"q": ["1", "1"], "sku": ["a", "b"], "label": ["good", "bad"], "words": ["red", "red"]})
    shop = Shop.from_frames(
        products,
        judgements=judged,
        settings={
            "products": {"columns": {"product_id": "sku", "title": "name"}, "categorical": ["season"]},
            "judgements": {
                "columns": {"query_id": "q", "query": "words", "product_id": "sku", "grade": "label"},
                "grades": {"good": 2, "bad": 0},
            },
        },
    )
    assert shop.products["title"].to_list() == ["Red", "Blue"]
    assert shop.judgements["grade"].to_list() == [2, 0]
    assert shop.queries["text"].to_list() == ["red"]


def test_a_pandas_column_of_several_kinds_is_text() -> None:
    products = pd.DataFrame({"product_id": [1, "x", 2.5], "title": ["a", None, float("nan")]}, dtype=object)
    assert Shop.from_frames(products).products["product_id"].to_list() == ["1", "x", "2.5"]


@pytest.mark.parametrize("columns", [["title"], ["title", "price"], ["brand"], ["price"], []])
def test_a_sparse_catalogue_gives_features(columns: list[str]) -> None:
    """No description, no text at all, ids alone: whatever is there makes features, and nothing else is asked for."""
    random = np.random.default_rng(1)
    values = {
        "title": [f"{a} {b}" for a in ("red", "blue", "green") for b in ("dress", "shoe", "hat", "lamp")],
        "brand": ["acme", "bolt", "acme"] * 4,
        "price": random.uniform(1, 50, 12).round(2).tolist(),
    }
    products = pl.DataFrame({"product_id": [f"p{i}" for i in range(12)]} | {c: values[c] for c in columns})
    queries = pl.DataFrame({"query_id": ["1", "2"], "text": ["red dress", "lamp under 20"]})
    judgements = pl.DataFrame(
        {"query_id": ["1", "1", "2", "2"], "product_id": ["p0", "p1", "p3", "p7"], "grade": [2, 0, 1, 0]}
    )
    shop = Shop.from_frames(products, queries, judgements)
    table = FeatureBuilder(shop.products).build(shop.queries, shop.judgements)
    assert table.frame.height == 4
    assert table.frame.width > 3 or not columns
    groups = {name.split(".")[0] for name in table.frame.columns if "." in name}
    assert ("lexical" in groups) >= ({"title", "brand"} & set(columns) != set())


def test_one_product_of_one_word_is_enough() -> None:
    shop = Shop.from_frames(
        pl.DataFrame({"product_id": ["a"], "title": ["Lamp"]}),
        pl.DataFrame({"query_id": ["q"], "text": ["lamp"]}),
    )
    pairs = pl.DataFrame({"query_id": ["q"], "product_id": ["a"]})
    assert FeatureBuilder(shop.products).build(shop.queries, pairs).frame["lexical.bm25_title"].item() > 0


@pytest.mark.parametrize(
    ("frames", "given", "message"),
    [
        ({"products": [1, 2]}, {}, "products: expected a frame of polars, pandas or Arrow, got a list"),
        ({"products": PRODUCTS.head(0)}, {}, "products: expected rows, got none"),
        ({"products": pd.DataFrame([[1, 2]], columns=["a", "a"])}, {}, "expected each column once, got 'a'"),
        ({"products": PRODUCTS.rename({"product_id": "id"})}, {}, "set settings.products.columns.product_id"),
        (
            {"products": PRODUCTS},
            {"products": {"columns": {"titel": "title"}}},
            "settings.products.columns.titel",
        ),
        ({"products": PRODUCTS}, {"products": {"columns": {"title": "titel"}}}, "expected a column 'titel'"),
        ({"products": PRODUCTS}, {"product": {}}, "expected the tables given, got 'product'"),
        ({"products": PRODUCTS}, {"queries": {}}, "got 'queries', of which there is no frame"),
        ({}, {}, "expected products, or judgements that hold their titles"),
    ],
)
def test_what_cannot_be_read_is_told(frames: dict[str, Any], given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Shop.from_frames(**frames, settings=given)
    assert message in str(caught.value)
    assert "data." not in str(caught.value)


@pytest.mark.parametrize("candidates", ["listed", "catalogue"])
def test_judgements_keep_weight_and_source_and_count_1_without(candidates: str) -> None:
    weights = [0.5, None, 1.0, -1.0, 2.0, 1.0, 3.0]
    given = JUDGEMENTS.with_columns(weight=pl.Series(weights), source=pl.lit("clicks"))
    tables = {"products": PRODUCTS, "queries": QUERIES, "judgements": given}
    shop = Shop.from_frames(**tables, settings=SETTINGS | {"judgements": {"candidates": candidates}})
    plain = Shop.from_frames(products=PRODUCTS, queries=QUERIES, judgements=JUDGEMENTS, settings=SETTINGS)
    assert "weight" not in plain.judgements.columns
    found = {
        row["product_id"]: row for row in shop.judgements.filter(pl.col("source") == "clicks").to_dicts()
    }
    assert {name: row["weight"] for name, row in found.items()} == {"007": 0.5, "a b": 1.0, "p7": 2.0}
    assert found["p7"]["grade"] == 1
    assert shop.judgements["weight"].null_count() == 0
    counted = {step.step: step.affected for step in shop.steps}
    assert counted["no weight of 0 or more: counts 1"] == 2
