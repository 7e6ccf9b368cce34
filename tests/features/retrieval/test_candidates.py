"""Candidates: the union of all ways, and under a filter those of a catalogue that has nothing else."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from features.batch import QueryBatch
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.image.plain import ColoursConfig, ColoursEncoder
from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from features.encoders.vectors import Hits
from features.errors import InputError
from features.retrieval.fusion import fuse
from ltr.demo.shop import DemoShopConfig, generate

SHOP = generate(DemoShopConfig(products=70, queries=20, judged_per_query=9))
QUERIES = SHOP.queries.head(12)


@cache
def builder() -> FeatureBuilder:
    config = FeaturesConfig.model_validate({"shown_words": {"min_products": 5}, "structured": False})
    text = TfidfEncoder(TfidfConfig(dimensions=16), Path())
    text.fit(SHOP.products["title"].to_list())
    return FeatureBuilder(
        SHOP.products, config, {"text": text, "image": ColoursEncoder(ColoursConfig(), Path())}
    )


def pairs_of(found: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, int]]:
    return list(zip(*(part.tolist() for part in found), strict=True))


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 30), st.floats(0, 1), st.integers(0, 99))
def test_a_filter_gives_the_best_of_what_passes_in_each_way(count: int, share: float, seed: int) -> None:
    size = len(builder().catalogue)
    within = np.random.default_rng(seed).random(size) < share
    retrieval = builder()._retrieval
    every = retrieval.ways(QueryBatch(QUERIES), size)
    some = retrieval.ways(QueryBatch(QUERIES), count, within)
    assert len(every) == len(some) == len(builder().ways) == 7
    for place, (whole, found) in enumerate(zip(every, some, strict=True)):
        assert within[found.items].all()
        if place != 5:  # that one goes by the titles of those among the filtered that look alike
            passing = Hits(*(part[within[whole.items]] for part in whole)).first(count)
            assert [part.tolist() for part in found[:2]] == [part.tolist() for part in passing[:2]]


@pytest.mark.parametrize("count", [1, 7, 70])
def test_no_more_than_asked_for_come_back_in_rising_order(count: int) -> None:
    found = pairs_of(builder().retrieve(QueryBatch(QUERIES), count))
    assert found == sorted(set(found))
    assert max(np.bincount([query for query, _ in found])) <= count


def test_a_query_s_candidates_do_not_hang_on_the_other_queries() -> None:
    whole = pairs_of(builder().retrieve(QueryBatch(QUERIES), 9))
    for query in range(QUERIES.height):
        alone = builder().retrieve(QueryBatch(QUERIES[query : query + 1]), 9)[1].tolist()
        assert alone == [product for other, product in whole if other == query]


def png(colour: tuple[int, int, int]) -> bytes:
    made = BytesIO()
    Image.new("RGB", (16, 16), colour).save(made, "png")
    return made.getvalue()


def test_a_photo_finds_what_is_said_to_be_what_it_shows() -> None:
    """A product without a photo: by the titles of photos that show the like, and by the words that they show."""
    photos = [
        *[png((200 + n, 20, 20)) for n in range(12)],
        *[png((20, 20, 200 + n)) for n in range(12)],
        None,
    ]
    products = pl.DataFrame(
        {
            "product_id": [f"p{n:02d}" for n in range(25)],
            "title": [*["red dress"] * 12, *["blue shoe"] * 12, "dress in red"],
            "image": photos,
        }
    )
    config = {"shown_words": {"min_products": 5}, "structured": False, "lexical": {"fields": ["title"]}}
    text = TfidfEncoder(TfidfConfig(dimensions=4), Path())
    text.fit(products["title"].to_list())
    encoders = {"text": text, "image": ColoursEncoder(ColoursConfig(), Path())}
    made = FeatureBuilder(products, FeaturesConfig.model_validate(config), encoders)
    query = pl.DataFrame(
        {"query_id": ["q"], "text": [None], "image": [png((190, 20, 20))]},
        schema_overrides={"text": pl.String},
    )
    found = made._retrieval.ways(QueryBatch(query), 13)
    assert [24 in hits.items for hits in found] == [False] * 5 + [True] * 2
    assert "p24" in made.candidates(query, 13)["product_id"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([[3, 1, 2]], [1, 3]),
        ([[3, 1], [2, 1]], [1, 2]),  # found twice at second place; of the firsts the lower row
        ([[5, 4, 3], [3, 9, 8]], [3, 5]),
        ([[], [7]], [7]),
        ([], []),
    ],
)
def test_what_several_ways_find_comes_before_what_one_finds(
    found: list[list[int]], expected: list[int]
) -> None:
    ways = [
        Hits(np.zeros(len(one), dtype=np.int64), np.array(one, dtype=np.int64), np.ones(len(one)))
        for one in found
    ]
    queries, products = fuse(ways, 10, 2)
    assert (queries.tolist(), products.tolist()) == ([0] * len(expected), expected)


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
