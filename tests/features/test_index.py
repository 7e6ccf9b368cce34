"""An index kept on disk: the same bits as made anew, nothing read again, and damage healed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.batch import PairBatch, QueryBatch, list_starts
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.encoders.image.plain import ColoursConfig, ColoursEncoder
from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from features.index import ABOUT, products_key
from ltr.demo.shop import DemoShopConfig, generate

SHOP = generate(DemoShopConfig(products=70, queries=20, judged_per_query=9))
PAIRS = SHOP.judgements.select("query_id", "product_id")
CONFIG = FeaturesConfig.model_validate({"shown_words": {"min_products": 5}})


def encoders(folder: Path) -> dict[str, Any]:
    text = TfidfEncoder(TfidfConfig(dimensions=16), folder)
    text.fit(SHOP.products["title"].to_list())
    return {"text": text, "image": ColoursEncoder(ColoursConfig(), folder)}


@pytest.fixture
def kept(tmp_path: Path) -> Callable[..., FeatureBuilder]:
    """A builder from what the folder keeps; from nothing, the first time."""

    def build(products: pl.DataFrame = SHOP.products) -> FeatureBuilder:
        return FeatureBuilder.kept(products, CONFIG, encoders(tmp_path), EmbeddingCache(tmp_path))

    return build


def folder_of(tmp_path: Path) -> Path:
    (found,) = [path for path in (tmp_path / "index").iterdir() if path.is_dir()]
    return found


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Builders made anew, not opened."""
    made: list[int] = []
    real = FeatureBuilder.__init__
    monkeypatch.setattr(FeatureBuilder, "__init__", lambda *a, **k: (made.append(1), real(*a, **k))[1])
    return made


def test_opened_it_gives_the_bits_that_made_anew_it_gives(
    kept: Callable[..., FeatureBuilder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = FeatureBuilder(SHOP.products, CONFIG, encoders(tmp_path), EmbeddingCache(tmp_path))
    kept()
    made = counted(monkeypatch)
    opened = kept()
    assert not made
    whole = fresh.build(SHOP.queries, PAIRS)
    assert_frame_equal(opened.build(SHOP.queries, PAIRS).frame, whole.frame, check_exact=True)
    typed = QueryBatch(pl.DataFrame({"query_id": ["q"], "text": [f"{_a_long_word()}x"]}))
    read = opened.catalogue.words_of(typed).read_as
    assert read == fresh.catalogue.words_of(typed).read_as == [{f"{_a_long_word()}x": _a_long_word()}]
    assert opened.stats.unreadable == fresh.stats.unreadable
    query = SHOP.queries.head(1)
    assert opened.candidates(query, 7).equals(fresh.candidates(query, 7))
    for name, found in fresh.embeddings(SHOP.queries, PAIRS).items():
        again = opened.embeddings(SHOP.queries, PAIRS)[name]
        np.testing.assert_array_equal(again.vectors[again.rows], found.vectors[found.rows])


def _a_long_word() -> str:
    """Of the shop's titles, written in them as it is read."""
    words = {word for title in SHOP.products["title"] for word in title.lower().split()}
    return next(word for word in sorted(words) if len(word) > 5 and word.isalpha() and word[-1] not in "es")


def test_its_arrays_are_mapped_and_cannot_be_written(kept: Callable[..., FeatureBuilder]) -> None:
    kept()
    vectors = kept().catalogue.vectors
    for side in vectors.sides:
        found = vectors.of_products(side).vectors
        assert isinstance(found.base, np.memmap)
        assert not found.flags.writeable


@pytest.mark.parametrize("harm", ["cut", "gone", "other bytes", "no json", "another format", "empty"])
def test_a_damaged_one_is_made_again(
    harm: str, kept: Callable[..., FeatureBuilder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = kept().build(SHOP.queries, PAIRS).frame
    folder = folder_of(tmp_path)
    largest = max(folder.glob("*.npy"), key=lambda path: path.stat().st_size)
    data = largest.read_bytes()
    if harm == "cut":
        largest.write_bytes(data[: len(data) // 2])
    elif harm == "gone":
        largest.unlink()
    elif harm == "other bytes":
        largest.write_bytes(data[:-4] + b"\x00\x00\x80\x7f")
    elif harm == "no json":
        (folder / ABOUT).write_text("{")
    elif harm == "empty":
        (folder / ABOUT).write_text("{}")
    else:
        about = json.loads((folder / ABOUT).read_text())
        (folder / ABOUT).write_text(json.dumps(about | {"format": 0}))
    made = counted(monkeypatch)
    assert_frame_equal(kept().build(SHOP.queries, PAIRS).frame, expected, check_exact=True)
    assert made == [1]
    kept()
    assert made == [1], "and then it is whole again"


def _changed(products: pl.DataFrame, column: str) -> pl.DataFrame:
    first = pl.arange(pl.len()) == 3
    other = {"title": "a new title", "price": 1.25, "image": SHOP.products["image"].drop_nulls()[-1]}[column]
    return products.with_columns(pl.when(first).then(pl.lit(other)).otherwise(pl.col(column)).alias(column))


@pytest.mark.parametrize("column", ["title", "price", "image"])
def test_after_a_change_it_equals_one_made_anew(
    column: str, kept: Callable[..., FeatureBuilder], tmp_path: Path
) -> None:
    kept()
    products = _changed(SHOP.products, column)
    assert products_key(products) != products_key(SHOP.products)
    expected = FeatureBuilder(products, CONFIG, encoders(tmp_path), EmbeddingCache(tmp_path / "other"))
    found = kept(products)
    assert found.stats.encoded <= 1
    assert_frame_equal(
        found.build(SHOP.queries, PAIRS).frame, expected.build(SHOP.queries, PAIRS).frame, check_exact=True
    )


def test_many_are_not_kept_for_ever(kept: Callable[..., FeatureBuilder], tmp_path: Path) -> None:
    for number in range(10):
        kept(SHOP.products.with_columns(price=pl.lit(float(number))))
    assert len(list((tmp_path / "index").iterdir())) == 8


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=30))
def test_a_batch_is_the_pairs_sorted_and_remembers_their_places(pairs: list[tuple[int, int]]) -> None:
    queries = pl.DataFrame({"query_id": [f"q{n}" for n in range(5)]})
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    batch, order = PairBatch.of(queries, rows[:, 0], rows[:, 1])
    back = rows if order is None else rows[order]
    ids = batch.queries.frame["query_id"].to_list()
    found = [(int(ids[q][1:]), p) for q, p in zip(batch.query_rows, batch.product_rows, strict=True)]
    assert found == sorted(map(tuple, rows.tolist())) == list(map(tuple, back.tolist()))
    assert batch.starts.tolist() == list_starts(np.sort(rows[:, 0])).tolist()
    assert len(batch.starts) == len(set(rows[:, 0])) + 1 or not len(rows)


def test_one_request_reads_its_query_once() -> None:
    read = []
    batch = QueryBatch(SHOP.queries.head(1))
    for _ in range(2):
        batch.once("words", lambda: read.append(1))
    assert read == [1]
