"""A query's typo: read alike by every group that reads words, in a table of many queries and in a single request."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import FeatureBuilder, FeaturesConfig
from features.batch import PairBatch, QueryBatch
from features.encoders.cache import EmbeddingCache
from features.encoders.image.plain import ColoursConfig, ColoursEncoder
from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from features.words.typos import one_letter_away
from ltr.demo import DemoShopConfig, generate

SHOP = generate(DemoShopConfig(products=300, queries=60))
WORDED = ("lexical", "shown_words", "asked_words")
PHOTO = SHOP.queries["image"].drop_nulls()[0]


@cache
def builder(*, typos: bool) -> FeatureBuilder:
    text = TfidfEncoder(TfidfConfig(dimensions=16), Path())
    text.fit(SHOP.products["title"].to_list())
    encoders = {"text": text, "image": ColoursEncoder(ColoursConfig(), Path())}
    config = FeaturesConfig.model_validate({"typos": typos, "shown_words": {"min_products": 5}})
    return FeatureBuilder(SHOP.products, config, encoders, EmbeddingCache())


@pytest.fixture(autouse=True, scope="module")
def _built() -> None:
    """Before hypothesis draws words of its catalogue."""
    builder(typos=True)


def asked(*texts: str, photo: bytes | None = None) -> pl.DataFrame:
    frame = pl.DataFrame({"query_id": [f"q{n:02}" for n in range(len(texts))], "text": list(texts)})
    return frame.with_columns(image=pl.Series([photo] * len(texts), dtype=pl.Binary))


def features(queries: pl.DataFrame, *, typos: bool) -> pl.DataFrame:
    """Of every query with every fifth product."""
    products = SHOP.products.select("product_id")[::5]
    return builder(typos=typos).build(queries, queries.select("query_id").join(products, how="cross")).frame


def worded(frame: pl.DataFrame, *, typos: bool) -> pl.DataFrame:
    groups = builder(typos=typos).groups
    return frame.select(name for kind in WORDED for name in groups[kind].names)


def known(word: str) -> bool:
    typos = builder(typos=True).catalogue.typos
    return typos is not None and typos.has(word)


@st.composite
def slips(draw: st.DrawFn) -> tuple[str, str]:
    """A query of the catalogue's words, and the same with a slip in some of them that is read as what was meant."""
    typos = builder(typos=True).catalogue.typos
    assert typos is not None
    words = ["trouser", "leather", "cotton", "striped", "boot", "dress", "yellow", "jacket", "sandal"]
    meant = draw(st.lists(st.sampled_from([one for one in words if known(one)]), min_size=1, max_size=4))
    typed = []
    for word in meant:
        tried = sorted(one for one in one_letter_away(word, "aeirst") if typos.read([one]) == [word])
        typed.append(draw(st.sampled_from([word, *tried])))
    return " ".join(typed), " ".join(meant)


@settings(max_examples=25, deadline=None)
@given(st.lists(slips(), min_size=1, max_size=4), st.booleans())
def test_a_typo_has_the_features_of_what_was_meant_in_every_group_that_reads_words(
    pairs: list[tuple[str, str]], with_photo: bool
) -> None:
    typed, meant = (
        worded(features(asked(*texts, photo=PHOTO if with_photo else None), typos=True), typos=True)
        for texts in zip(*pairs, strict=True)
    )
    assert_frame_equal(typed, meant, check_exact=True)


@pytest.mark.parametrize("typos", [True, False])
@pytest.mark.parametrize("photo", [None, PHOTO], ids=["words", "words and photo"])
def test_what_is_served_for_one_query_is_what_is_built_for_many(photo: bytes | None, *, typos: bool) -> None:
    queries = asked("blue trousres", "reed dress under 60", "leahter booots", "stripde", "zzzzz", photo=photo)
    whole, one = features(queries, typos=typos), builder(typos=typos)
    rows = one.catalogue.rows_of(SHOP.products["product_id"][::5])
    order = np.argsort(rows)
    for query in queries.iter_slices(1):
        batch = PairBatch.of_one(QueryBatch(query), rows[order])
        served = one.block(batch).frame()
        built = whole.filter(query_id=query["query_id"][0]).drop("query_id", "product_id")[order]
        kinds = {kind: worded(frame, typos=typos) for kind, frame in (("served", served), ("built", built))}
        assert_frame_equal(kinds["served"], kinds["built"], check_exact=True)
        assert_frame_equal(served, built, abs_tol=1e-5)


@pytest.mark.parametrize("group", WORDED)
def test_with_typos_as_typed_each_group_sees_another_word(group: str) -> None:
    """So that the tests above could fail."""
    found = []
    for typos in (True, False):
        frame = features(asked("trousres"), typos=typos)
        found.append(frame.select(builder(typos=typos).groups[group].names))
    assert not found[0].equals(found[1])


def test_a_word_is_left_that_any_group_knows() -> None:
    """Titles are searched for words, queries for names of brands: to neither is the other's word a typo."""
    products = pl.DataFrame(
        {"product_id": ["a", "b"], "title": ["mallow root", "marrow bone"], "brand": ["Marlow", None]}
    )
    config = FeaturesConfig.model_validate({"lexical": {"fields": ["title"]}, "asked_words": False})
    found = FeatureBuilder(products, config, {})
    queries = QueryBatch(pl.DataFrame({"query_id": ["q"], "text": ["marlow mallow malllow withh"]}))
    assert found.catalogue.words_of(queries).read_as == [{"malllow": "mallow"}]


def test_stop_words_are_no_typos_though_no_product_says_them() -> None:
    products = pl.DataFrame({"product_id": ["a"], "title": ["three theme"]})
    found = FeatureBuilder(products, FeaturesConfig.model_validate({"lexical": False}), {})
    queries = QueryBatch(pl.DataFrame({"query_id": ["q"], "text": ["there these thre threee"]}))
    assert found.catalogue.words_of(queries).read_as == [{"threee": "three"}]


def test_without_the_lexical_group_words_are_read_all_the_same() -> None:
    config = FeaturesConfig.model_validate({"lexical": False})
    found = FeatureBuilder(SHOP.products, config, {})
    assert found.catalogue.words_of(QueryBatch(asked("blue trousres"))).read_as == [{"trousre": "trouser"}]


def test_text_encoders_read_what_was_typed() -> None:
    """They read pieces of words: what was meant is theirs to guess."""
    vectors = builder(typos=True).catalogue.vectors
    (side,) = {one.query for one in vectors.compared if one.query.modality == "text"}
    typed, meant = (
        vectors.of_queries(QueryBatch(asked(text)), side) for text in ("blue trousres", "blue trousers")
    )
    assert not np.array_equal(typed.vectors, meant.vectors)
