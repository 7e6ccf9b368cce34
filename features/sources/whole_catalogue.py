"""Judgements that list only what is relevant: every other product of the catalogue as a candidate of grade 0."""

from __future__ import annotations

import polars as pl

from features.errors import InputError
from features.sources.ledger import Ledger

MOST_PAIRS = 20_000_000  # two key columns and a grade of these take about a gigabyte


def pair_with_catalogue(judgements: pl.DataFrame, products: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Every judged query with every product: query_id, product_id, grade …; the unlisted have grade 0, and count 1.

    Queries in the order of their first judgement, products in that of the catalogue.
    Raises InputError for more than 20 million pairs, before any is made.
    """
    queries = judgements.select("query_id").unique(maintain_order=True)
    count = queries.height * products.height
    if count > MOST_PAIRS:
        raise InputError(
            where="data.judgements.candidates",
            expected=f"at most {MOST_PAIRS:,} pairs of a query and a product",
            got=f"{queries.height:,} queries × {products.height:,} products",
            cure="list each query's candidates in the judgements and set candidates: listed, or judge fewer queries",
        )
    keys = ["query_id", "product_id"]
    pairs = queries.join(products.select("product_id"), how="cross", maintain_order="left_right")
    graded = pairs.join(judgements, on=keys, how="left", maintain_order="left")
    unlisted = graded.filter(pl.col("grade").is_null())
    ledger.note("judgements", "unlisted product taken as grade 0", graded, unlisted.select(keys), "reported")
    return graded.with_columns(pl.col("grade").fill_null(0.0), pl.col("^weight$").fill_null(1.0))
