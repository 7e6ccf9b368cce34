"""Columns that tell the grade are named, honest ones are not, whatever the order of rows and the scale of grades."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from ltr.data.checks.answers import (
    TELLS,
    examine_leaking_columns,
    examine_leaking_features,
    measure_columns,
    measure_features,
)

PRODUCTS, QUERIES, JUDGED = 120, 60, 12


def shop(seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Products of a hidden quality that grades follow loosely; judgements of 12 of them per query."""
    random = np.random.default_rng(seed)
    ids = [f"p{n}" for n in range(PRODUCTS)]
    quality = random.normal(size=PRODUCTS)
    judged = []
    for query in range(QUERIES):
        for row in random.choice(PRODUCTS, JUDGED, replace=False):
            grade = float(np.clip(round(0.5 + 0.4 * quality[row] + random.normal()), 0, 3))
            judged.append((f"q{query}", ids[row], grade))
    judgements = pl.DataFrame(judged, schema=["query_id", "product_id", "grade"], orient="row")
    products = pl.DataFrame(
        {
            "product_id": ids,
            "title": ids,
            "price": random.lognormal(3, 1, PRODUCTS),
            "rating": quality + random.normal(size=PRODUCTS),
            "rating_count": np.exp(quality + random.normal(size=PRODUCTS)),
            "colour": random.choice(["red", "blue", "green"], PRODUCTS),
            "code": ids,
        }
    )
    return products, judgements


best = pl.col("grade").max()
LEAKS = {
    "the best grade": best,
    "the best grade, turned round": -best,
    "the mean grade": pl.col("grade").mean(),
    "nearly the best grade": best + 0.3 * pl.col("product_id").first().hash().mod(1000) / 1000,
    "known of good products alone": pl.when(best >= 3).then(1.0),
    "known of bad products alone": pl.when(best < 3).then(1.0),
    "a flag": best >= 3,
    "a word for it": best.cast(pl.String),
    "a word for good products alone": pl.when(best >= 3).then(pl.lit("bestseller")),
}


def with_leak(leak: pl.Expr, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    products, judgements = shop(seed)
    margin = judgements.group_by("product_id").agg(margin=leak)
    return products.join(margin, on="product_id", how="left"), judgements


@pytest.mark.parametrize("leak", LEAKS)
def test_a_column_made_from_the_grades_is_named_and_no_other(leak: str) -> None:
    products, judgements = with_leak(LEAKS[leak])
    (one,) = examine_leaking_columns(products, judgements)
    assert one.level == "WARN"
    assert "margin (" in one.evidence
    assert not any(f"{name} (" in one.evidence for name in products.columns if name != "margin")
    assert one.cure


@pytest.mark.parametrize("seed", range(10))
def test_honest_columns_pass(seed: int) -> None:
    (one,) = examine_leaking_columns(*shop(seed))
    assert one.level == "PASS", one


def test_the_measure_is_the_share_of_pairs_in_order() -> None:
    products, judgements = with_leak(best.cast(pl.Float64))
    binary = judgements.with_columns(grade=(pl.col("grade") >= 3).cast(pl.Float64))
    top = binary.group_by("product_id").agg(pl.col("grade").max()).join(products, on="product_id")
    good, bad = (top.filter(pl.col("grade") == side)["price"].to_numpy() for side in (1, 0))
    share = float((good[:, None] > bad).mean())
    only_best = binary.sort("grade").unique("product_id", keep="last")  # the mean grade is the best one too
    measured = measure_columns(products.select("product_id", "price"), only_best)
    assert measured["price"] == pytest.approx(max(share, 1 - share))


@pytest.mark.parametrize("scale", [lambda g: 10 * g, lambda g: 2**g - 1, lambda g: g / 7 + 1])
def test_rows_columns_and_scales_change_nothing(scale: Callable[[pl.Expr], pl.Expr]) -> None:
    products, judgements = with_leak(LEAKS["the mean grade"])
    measured = measure_columns(products, judgements)
    assert measured["margin"] >= TELLS
    shuffled = measure_columns(
        products.sample(fraction=1, shuffle=True, seed=1), judgements.sample(fraction=1, shuffle=True, seed=2)
    )
    assert shuffled == measured
    assert measure_columns(products, judgements.with_columns(grade=scale(pl.col("grade")))) == measured
    more = products.with_columns(again=pl.col("margin"), best=pl.col("price"), mean=pl.lit(1.0))
    assert {name: measure_columns(more, judgements)[name] for name in measured} == measured


def test_few_judged_products_and_no_columns_tell_nothing() -> None:
    products, judgements = with_leak(LEAKS["the best grade"])
    assert not examine_leaking_columns(
        products, judgements.filter(pl.col("product_id").is_in(["p1", "p2", "p3"]))
    )
    assert not examine_leaking_columns(products.select("product_id", "title"), judgements)
    assert not examine_leaking_columns(products, judgements.with_columns(grade=pl.lit(1.0)))


def features(seed: int = 0) -> pl.DataFrame:
    _, judgements = shop(seed)
    random = np.random.default_rng(seed)
    noise = random.normal(size=judgements.height)
    return judgements.with_columns(
        pl.Series("text.cosine", judgements["grade"] + 2 * noise),
        pl.Series("structured.price", random.normal(size=judgements.height)),
    )


def test_a_feature_that_orders_queries_as_the_grades_do_is_named() -> None:
    pairs = features()
    (honest,) = examine_leaking_features(pairs)
    assert honest.level == "PASS", honest
    per_query = (
        pl.col("query_id").hash().mod(50).cast(pl.Float64)
    )  # no rank correlation over all rows sees through it
    for measured in (pl.col("grade") + 10 * per_query, 10 * per_query - pl.col("grade")):
        (one,) = examine_leaking_features(pairs.with_columns(measured.alias("extra.margin")))
        assert one.level == "WARN"
        assert "extra.margin (100.0%)" in one.evidence
        assert one.cure


def test_of_an_easy_set_nothing_is_named_and_comparisons_never() -> None:
    pairs = features().with_columns(
        pl.col("grade").alias("text.cosine"), pl.col("grade").alias("extra.margin")
    )
    (one,) = examine_leaking_features(pairs.with_columns(pl.col("grade").alias("lexical.bm25")))
    assert one.level == "PASS", one


def test_features_are_measured_within_queries_whatever_rows_and_scales() -> None:
    pairs = features()
    measured = measure_features(pairs)
    for changed in (
        pairs.sample(fraction=1, shuffle=True, seed=3),
        pairs.with_columns(grade=2 ** pl.col("grade")),
        pairs.with_columns(pl.col("text.cosine") + 100 * pl.col("query_id").rank("dense")),
    ):
        assert measure_features(changed) == pytest.approx(measured, abs=1e-12)
    assert not measure_features(pairs.filter(pl.col("query_id").is_in(["q1", "q2"])))
