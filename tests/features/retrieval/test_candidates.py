"""Candidates: the union of all ways, and under a filter those of a catalogue that has nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.batch import QueryBatch
from features.build import FeatureBuilder, FeaturesConfig
from features.errors import InputError
from ltr.demo.shop import DemoShopConfig, generate

SHOP = generate(DemoShopConfig(products=70, queries=20, judged_per_query=9))
QUERIES = SHOP.queries.head(12)


@cache
def builder() -> FeatureBuilder:
    config = FeaturesConfig.model_validate({"shown_words": False, "structured": False})
    return FeatureBuilder(SHOP.products, config)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.floats(0, 1), st.integers(0, 99))
def test_a_filter_gives_the_best_of_what_passes(count: int, share: float, seed: int) -> None:
    size = len(builder().catalogue)
    within = np.random.default_rng(seed).random(size) < share
    queries, products = builder().retrieve(QueryBatch(QUERIES), count, within)
    assert within[products].all()
    vectors, lexical = builder().catalogue.vectors, builder().groups["lexical"]
    expected = set()
    for hits in (
        *(vectors.nearest(QueryBatch(QUERIES), by, size) for by in vectors.searched.values()),
        lexical.best(QueryBatch(QUERIES), size),
    ):
        passing = type(hits)(*(part[within[hits.items]] for part in hits)).first(count)
        expected |= set(zip(passing.queries.tolist(), passing.items.tolist(), strict=True))
    found = list(zip(queries.tolist(), products.tolist(), strict=True))
    assert found == sorted(expected)


def test_a_filter_that_all_pass_changes_nothing() -> None:
    whole = builder().retrieve(QueryBatch(QUERIES), 5)
    same = builder().retrieve(QueryBatch(QUERIES), 5, np.ones(len(builder().catalogue), dtype=bool))
    np.testing.assert_array_equal(same, whole)


def test_a_filter_that_none_passes_finds_nothing() -> None:
    rows = builder().retrieve(QueryBatch(QUERIES), 5, np.zeros(len(builder().catalogue), dtype=bool))
    assert [len(part) for part in rows] == [0, 0]


@pytest.mark.parametrize("within", [np.ones(3, dtype=bool), np.ones(70), np.ones((70, 1), dtype=bool)])
def test_a_mask_of_another_catalogue_is_refused(within: np.ndarray) -> None:
    with pytest.raises(InputError, match="a bool for each of the 70 products"):
        builder().retrieve(QueryBatch(QUERIES), 5, within)


def test_an_empty_catalogue_has_no_candidates() -> None:
    none = pl.DataFrame(schema={"product_id": pl.String, "title": pl.String})
    settings = FeaturesConfig.model_validate({"lexical": {"fields": ["title"]}})
    empty = FeatureBuilder(none, settings, encoders={})
    assert [len(part) for part in empty.retrieve(QueryBatch(QUERIES), 5)] == [0, 0]
