"""The data doctor on the shop's own tables: catalogue, queries and judgements, before any feature is made."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import polars.selectors as cs

from features.media.columns import file_columns
from features.sources.load import Collection
from features.sources.schema import Products
from features.words.price_limits import split_price_limit
from ltr.data.doctor import Finding, Findings, Level, finding

FEW, MANY = (
    0.5,
    0.9,
)  # shares of products with a value: below, a column is hardly there; above, of distinct brands
ONLY_GOOD = 0.5  # share of the queries whose judged lists show nothing bad
FEW_NAMES = 20  # fewer values are distinct by chance
CENTS = 20.0  # times the limits that queries name: prices that high are in another unit
FEWEST_LIMITS = 5
SHORT_IDS = 0.3  # share of ids shorter than the usual: more, and the lengths are just mixed
CODES = (8, 12, 13, 14)  # digits of EAN and UPC
CATALOGUE = ("description", "brand", "category", "price", "image")


def examine_collection(collection: Collection, *, relevant_from: float = 1.0) -> Findings:
    """Each column of the catalogue, the ids and the judgements; how they were read, `examine_reading` says."""
    found: list[Finding] = []
    if collection.given is None:
        found += [
            *_check_columns(collection.products),
            *_check_prices(collection.products, collection.queries),
            *_check_names(collection.products),
            *_check_extra_names(collection.products),
        ]
    found += _check_ids(collection.products["product_id"])
    return Findings([*found, *_check_judgements(collection.judgements, relevant_from)])


def _check_columns(products: pl.DataFrame) -> Iterator[Finding]:
    """How many products have a description, a brand, a category, a price, a photo."""
    for column in CATALOGUE:
        known = products.height - products[column].null_count() if column in products.columns else 0
        name = "photo" if column == "image" else column
        share = known / max(products.height, 1)
        where = "data.images" if column == "image" else f"data.products.columns.{column}"
        yield finding(
            "WARN" if 0 < share < FEW else "PASS",
            f"products with a {name}",
            f"{known:,} of {products.height:,} ({share:.0%})" if known else "none",
            f"check {where}: what is not there cannot be ranked by",
        )


def _check_prices(products: pl.DataFrame, queries: pl.DataFrame) -> Iterator[Finding]:
    """The scale of the prices against the limits that queries name: cents read as units stand out."""
    prices = products["price"].drop_nulls().to_numpy()
    if not len(prices):
        return
    low, middle, high = np.quantile(prices, (0, 0.5, 1))
    spread = f"least {low:,.6g}, median {middle:,.6g}, highest {high:,.6g}"
    parsed = [split_price_limit(text) for text in queries["text"].drop_nulls().unique()]
    limits = [limit for p in parsed if (limit := p.high or p.low)]
    named = f"; {len(limits):,} queries name a limit"
    level: Level = "PASS"
    if len(limits) >= FEWEST_LIMITS:
        usual = float(np.median(limits))
        named += f", median {usual:,.6g}"
        level = "WARN" if not usual / CENTS < middle < usual * CENTS else "PASS"
    cure = "are the prices in cents? set data.products.price_unit: cents; or is another column the price?"
    yield finding(level, "scale of the prices", spread + named, cure)


def _check_names(products: pl.DataFrame) -> Iterator[Finding]:
    """A brand or category that nearly every product has for itself, or that all share, tells nothing."""
    for column in ("brand", "category"):
        known = products[column].drop_nulls()
        if not len(known):
            continue
        distinct = known.n_unique()
        alone = len(known) >= FEW_NAMES and distinct > MANY * len(known)
        yield finding(
            "WARN" if alone or (distinct == 1 and products.height > 1) else "PASS",
            f"distinct values of {column}",
            f"{distinct:,} among {len(known):,} products",
            f"check that data.products.columns.{column} names the {column}",
        )


def _check_extra_names(products: pl.DataFrame) -> Iterator[Finding]:
    """A further text column in which nearly every product has a value of its own: a name or a number, no category."""
    texts = products.drop(*pl.Schema(Products), *file_columns(products.columns), strict=False)
    texts = texts.select(cs.string())
    known = {column.name: column.drop_nulls() for column in texts}
    own = [n for n, c in known.items() if len(c) >= FEW_NAMES and c.n_unique() > MANY * len(c)]
    if known:
        yield finding(
            "WARN" if own else "PASS",
            "categorical columns that tell products apart",
            f"{len(own)} of {len(known)}"
            + f": {', '.join(own)}, nearly each value of one product" * bool(own),
            "a ranker can only learn them by heart: leave them out of data.products.categorical",
        )


def _check_ids(ids: pl.Series) -> Iterator[Finding]:
    """Ids of digits alone, most of them as long as an article code and some shorter, have lost leading zeros."""
    digits = ids.drop_nulls()
    if not len(digits) or not digits.str.contains(r"^\d+$").all():
        return
    lengths = digits.str.len_chars()
    usual = int(lengths.value_counts(sort=True)[lengths.name][0])
    short = int((lengths < usual).sum())
    some = digits.filter(lengths < usual)
    lost = usual in CODES and 0 < short <= SHORT_IDS * len(digits)
    yield finding(
        "WARN" if lost else "PASS",
        "ids that look whole",
        f"{short:,} of {len(digits):,} ids shorter than the usual {usual} digits"
        + (f", such as {some[0]}" if short else ""),
        "a spreadsheet takes leading zeros away: export the ids as text",
    )


def _check_judgements(judgements: pl.DataFrame, relevant_from: float) -> Iterator[Finding]:
    """The grades in use, and the trap of lists that hold nothing bad: any order of them is a good one."""
    if not judgements.height:
        return
    counts = judgements["grade"].value_counts().sort("grade")
    shares = [f"{grade:g} ({count / judgements.height:.0%})" for grade, count in counts.head(12).rows()]
    more = f" and {counts.height - 12} more" if counts.height > 12 else ""
    yield finding("PASS", "grades", ", ".join(shares) + more, "")
    lists = judgements.group_by("query_id").agg(rows=pl.len(), least=pl.col("grade").min())
    longer = lists.filter(pl.col("rows") > 1)
    good = longer.filter(pl.col("least") >= relevant_from).height
    share = good / max(longer.height, 1)
    yield finding(
        "WARN" if share > ONLY_GOOD else "PASS",
        "queries with good candidates alone",
        f"{good:,} of {longer.height:,} ({share:.0%}): no grade below {relevant_from:g} in their lists",
        "any order of such a list looks good: judge also what your engine shows and nobody wants, or set "
        "data.judgements.candidates: catalogue",
    )
