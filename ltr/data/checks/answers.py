"""The data doctor on columns that tell the grades: what was made from the answer, or from what only follows it.

Told by concordance: of two of which one is graded better, how often the column puts it first, a tie counting half.
Grades count by their order alone, so neither their scale nor other rows' places or columns beside it change a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import polars.selectors as cs

from features.feature_schema import NOT_FEATURES
from features.media.columns import file_columns
from features.sources.schema import Products
from ltr.data.doctor import Findings, finding

# Honest columns of the demo, ESCI, Icecat and fashion have at most .71, noise in 30 products .91.
TELLS = 0.93
FEWEST, FEWEST_OF_A_SIDE = 30, 10  # products, and those above or below a cut: fewer agree by chance
TELLS_IN_QUERIES = 0.97
FAR = 4  # times as many pairs in the wrong order has the best of what compares words or photos
MATCHES = ("lexical.", "text.", "image.")
CUTS = 8  # between lower and higher grades, of the best and of the mean grades


def examine_leaking_columns(products: pl.DataFrame, judgements: pl.DataFrame) -> Findings:
    """One finding: columns of products (product_id, …) that nearly order the grades (product_id, grade) by themselves.

    None where no column is a number or an extra text, or too few products are judged.
    """
    cure = (
        "is it known before a shopper searches, or made from the grades, or of sales that follow them? "
        "leave it out of data.products.numeric and .categorical"
    )
    measured = measure_columns(products, judgements)
    leaks = [name for name, share in measured.items() if share >= TELLS]
    return _finding("product columns that tell the grade", "products", measured, leaks, cure)


def examine_leaking_features(pairs: pl.DataFrame) -> Findings:
    """One finding: features of judged pairs (query_id, grade, …) that nearly order each query's products alone.

    Only what does far better than every comparison of words and photos is named: of an easy set all do well.
    """
    measured = measure_features(pairs)
    matching = max((share for name, share in measured.items() if name.startswith(MATCHES)), default=0.5)
    wrong = min(1 - TELLS_IN_QUERIES, (1 - matching) / FAR)
    leaks = [name for name, share in measured.items() if 1 - share < wrong and not name.startswith(MATCHES)]
    cure = "is it known when a shopper searches, or made from what followed? leave its column out"
    return _finding(
        "features that order queries as the grades do", "a query's products", measured, leaks, cure
    )


def _finding(check: str, what: str, measured: dict[str, float], leaks: list[str], cure: str) -> Findings:
    """told: by column how far it orders; the first five of those that leak, or else the one that orders most."""
    if not measured:
        return Findings()
    named = leaks[:5] or [max(measured, key=lambda name: measured[name])]
    shares = ", ".join(f"{name} ({measured[name]:.1%})" for name in named) + " …" * (len(leaks) > 5)
    most = "" if leaks else "; most has "
    evidence = f"{len(leaks)} of {len(measured)}{most or ': '}{shares} of pairs of {what} in the order of their grades"
    return Findings([finding("WARN" if leaks else "PASS", check, evidence, cure)])


def measure_features(pairs: pl.DataFrame) -> dict[str, float]:
    """By numeric feature, known for most pairs: its concordance with the grades within queries, either way round.

    Over a query's products on the two sides of each of at most `CUTS` cuts through the grades; what is missing is last.
    """
    pairs = pairs.filter(pl.col("grade").is_not_null())
    grades, codes = pairs["grade"].cast(pl.Float64), pairs["query_id"].rank("dense").to_numpy()
    above = [(grades > cut).to_numpy() for cut in _cuts(grades)]
    if not above:  # one grade alone: nothing to be told
        return {}
    high = np.array([np.bincount(codes, weights=one) for one in above])
    apart = high * (np.bincount(codes, minlength=high.shape[1]) - high)
    if (apart.sum(axis=0) > 0).sum() < FEWEST:
        return {}
    least = (high * (high + 1) / 2).sum()  # what the ranks of the upper sides add up to where they come last
    features = pairs.drop(NOT_FEATURES, strict=False).select(cs.numeric())
    found = {}
    for name in (column.name for column in features if column.null_count() <= len(column) / 2):
        values = pl.col(name).cast(pl.Float64).fill_nan(None).fill_null(-np.inf)
        ranks = pairs.select(values.rank().over("query_id")).to_series().to_numpy()
        share = float((sum(ranks[one].sum() for one in above) - least) / apart.sum())
        found[name] = max(share, 1 - share)
    return found


def measure_columns(products: pl.DataFrame, judgements: pl.DataFrame) -> dict[str, float]:
    """By column that becomes a feature: the highest concordance, either way round, with a cut through the grades.

    A cut parts the judged products by their best or their mean grade, so that a flag of good products stands out too.
    """
    ranks = (2 * pl.col("grade").rank()).cast(pl.Int64)  # whole, so that sums hang on no order of rows
    grades = (
        judgements.select("product_id", rank=ranks)
        .join(products.select("product_id"), on="product_id", how="semi")
        .group_by("product_id")
        .agg(best=pl.col("rank").max().cast(pl.Float64), mean=pl.col("rank").sum() / pl.len())
        .sort("product_id")
    )
    above = [grades[name].to_numpy() > cut for name in ("best", "mean") for cut in _cuts(grades[name])]
    judged = grades.select("product_id").join(products, on="product_id", maintain_order="left")
    texts = [name for name, dtype in pl.Schema(Products).items() if dtype == pl.String]
    columns = judged.drop(*texts, *file_columns(products.columns), strict=False)
    found = {}
    for column in columns.select(cs.numeric() | cs.boolean() | cs.temporal() | cs.string()):
        measure = _of_names if column.dtype == pl.String else _of_numbers
        measured = list(measure(column, above)) if column.count() else []
        if measured:
            found[column.name] = max(measured)
    return found


def _cuts(grades: pl.Series) -> list[float]:
    """At most `CUTS` grades with others above them, spread over the products."""
    levels = [grades.quantile(place / (CUTS + 1), "lower") for place in range(CUTS + 1)]
    distinct = grades.unique().sort()
    few = (
        distinct
        if len(distinct) <= CUTS + 1
        else pl.Series([one for one in levels if one is not None]).unique()
    )
    return few.filter(few < grades.max()).to_list()


def _of_numbers(column: pl.Series, above: list[np.ndarray]) -> Iterator[float]:
    """Of the products with a value, and of all: those without come last, or first, as a tree may have it."""
    values = column.to_physical().cast(pl.Float64)
    known = values.is_not_null().to_numpy()
    variants = [(values.rank().to_numpy(), known)]
    if not known.all():
        everyone = np.ones_like(known)
        variants += [(values.fill_null(end).rank().to_numpy(), everyone) for end in (-np.inf, np.inf)]
    for ranks, rows in variants:
        for one in above:
            agreed = _concordance(ranks[rows], one[rows])
            if agreed is not None:
                yield max(agreed, 1 - agreed)


def _of_names(column: pl.Series, above: list[np.ndarray]) -> Iterator[float]:
    """Each product by the others that share its value; what no other has tells nothing."""
    codes = column.fill_null("").rank("dense").to_numpy().astype(np.int64)
    counts = np.bincount(codes)[codes]
    shared = counts > 1
    for one in above:
        others = (np.bincount(codes, weights=one)[codes] - one)[shared] / (counts[shared] - 1)
        agreed = _concordance(others, one[shared])
        if agreed is not None:
            yield agreed


def _concordance(values: np.ndarray, above: np.ndarray) -> float | None:
    """The share of pairs across the cut in which the higher grade has the higher value, ties half; None of too few."""
    high = int(above.sum())
    low = len(above) - high
    if len(above) < FEWEST or min(high, low) < FEWEST_OF_A_SIDE:
        return None
    ranks = pl.Series(values).rank().to_numpy()
    return float((ranks[above].sum() - high * (high + 1) / 2) / (high * low))
