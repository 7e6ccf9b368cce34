"""Pools: what each system finds first is judged, and nothing else; grades are those that a judge would give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from ltr.demo import shop
from ltr.evaluation.baselines import BASELINES
from ltr.pipeline.pooled_judging import POOLED, pooled_judgements

CONFIG = shop.DemoShopConfig(products=80, queries=12, judged_per_query=5, seed=3)
DEPTH, CANDIDATES = 4, 40


@pytest.fixture(scope="module")
def made() -> shop.DemoShop:
    return shop.generate(CONFIG)


@pytest.fixture(scope="module")
def builder(made: shop.DemoShop) -> FeatureBuilder:
    encoder = TfidfEncoder(TfidfConfig(dimensions=8), Path())
    encoder.fit(made.products["title"].to_list())
    return FeatureBuilder(made.products, FeaturesConfig(), {"text": encoder})


def test_what_each_system_finds_first_is_judged_and_little_else(
    made: shop.DemoShop, builder: FeatureBuilder
) -> None:
    grades = shop.judged_grades(CONFIG, made.wishes, made.stock)
    pooled = pooled_judgements(builder, made.queries, grades, CANDIDATES, DEPTH)
    keys = ["query_id", "product_id"]
    assert pooled.equals(pooled.unique(keys).sort(keys))
    assert pooled.join(grades, on=[*keys, "grade"], how="semi").height == pooled.height
    table = builder.build(made.queries, builder.lists(made.queries, grades.clear(), CANDIDATES)).frame
    read = [one.feature for one in BASELINES if one.name in POOLED and one.feature in table.columns]
    assert read == ["lexical.bm25_all", "text.title"]
    for feature in read:
        for (_, *_), part in table.drop_nulls(feature).group_by("query_id"):
            first = part.sort(feature, "product_id", descending=[True, False]).head(DEPTH).select(keys)
            assert first.join(pooled, on=keys, how="anti").is_empty()
    most = pooled.group_by("query_id").len()["len"].max()
    assert most is not None
    assert DEPTH <= most <= DEPTH * (len(read) + 1)  # and a first ranker


def test_judges_err_as_those_of_the_shop_do_and_always_alike(made: shop.DemoShop) -> None:
    judged, true = (
        shop.judged_grades(CONFIG, made.wishes, made.stock),
        shop.grades_of_all(made.wishes, made.stock),
    )
    assert judged.equals(shop.judged_grades(CONFIG, made.wishes, made.stock))
    assert judged.select("query_id", "product_id").equals(true.select("query_id", "product_id"))
    off = np.abs(judged["grade"].to_numpy() - true["grade"].to_numpy())
    apart = np.abs(made.judgements["grade"].to_numpy() - made.truth["grade"].to_numpy())
    of_interest = true["grade"].to_numpy() > 0
    assert 0 < off[of_interest].mean() < 0.5
    assert 0 < apart.mean() < 0.5
    assert pl.Series(off).is_in([0.0, 1.0]).mean() > 0.99  # type: ignore[operator]
