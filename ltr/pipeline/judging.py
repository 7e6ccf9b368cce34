"""Which products to judge next: those whose grades would move the difference of two runs' nDCG the most.

A product that one run shows at place a and the other at place b moves the difference of their nDCG by its gain times
|1/log2(1 + a) - 1/log2(1 + b)| / ideal (0 where a run does not show it): what both show at the same place, or what
stands low in both, tells nothing. How far that is from settled is told by the spread of what its grade may be: the
grades judged at like places of shown lists are its odds. Expected change is the standard deviation of that; as in the
minimal test collections of Carterette, Allan and Sitaraman (SIGIR 2006), with nDCG for average precision. With one
run the other is an empty list: then its own figure is what gets surer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.feature_schema import KEYS
from ltr.data.gains import Gain, gains_of
from ltr.evaluation.shown import ideal_dcg

EXPECTED = "expected_change"
NEW = ("query_id", "product_id", "grade")
BANDS = (1, 3, 10, 50)  # places that share their odds of grades: from one to below the next
_PRIOR = 5.0  # judged products' worth of all grades together, in each band


def judge_next(
    shown: pl.DataFrame, other: pl.DataFrame | None, judged: pl.DataFrame, count: int, k: int, gain: Gain
) -> pl.DataFrame:
    """The `count` products to judge, most telling first.

    shown, other: query_id, product_id, rank of what each run shows; judged: query_id, product_id, grade, all there
    are. Returns query_id, product_id, grade (null: to be filled in), rank, other_rank (null: not among the first
    `k`) and expected_change, the standard deviation of the change of the difference in nDCG@k of its query.
    """
    places = _places(shown, other, k)
    unjudged = places.join(judged, on=KEYS, how="anti")
    ideal = _ideals(judged, unjudged["query_id"].unique(), k, gain)
    spread = _spread_by_band(places.join(judged, on=KEYS, how="inner"), judged, gain)
    top = pl.min_horizontal("rank", "other_rank")
    band = pl.sum_horizontal((top >= first).cast(pl.Int64) for first in BANDS[1:])
    scored = unjudged.join(ideal, on="query_id", how="left", maintain_order="left").with_columns(
        (
            (_discount("rank") - _discount("other_rank")).abs()
            * band.replace_strict(dict(enumerate(spread)), return_dtype=pl.Float64)
            / pl.col("ideal")
        ).alias(EXPECTED)
    )
    found = scored.filter(pl.col(EXPECTED) > 0).sort(EXPECTED, *KEYS, descending=[True, False, False])
    empty = pl.lit(None, pl.Float64).alias("grade")
    return found.head(count).select(*KEYS, empty, "rank", "other_rank", EXPECTED)


def _places(shown: pl.DataFrame, other: pl.DataFrame | None, k: int) -> pl.DataFrame:
    """query_id, product_id, rank, other_rank of what either shows among its first k; of queries that both have."""
    first = shown.filter(pl.col("rank") <= k).select(*KEYS, "rank")
    if other is None:
        return first.with_columns(pl.lit(None, pl.Int64).alias("other_rank"))
    second = other.filter(pl.col("rank") <= k).select(*KEYS, other_rank="rank")
    first, second = (
        mine.join(theirs, on="query_id", how="semi") for mine, theirs in ((first, other), (second, shown))
    )
    return first.join(second, on=KEYS, how="full", coalesce=True)


def _discount(column: str) -> pl.Expr:
    return (1 / (pl.col(column) + 1).log(2)).fill_null(0.0)


def _ideals(judged: pl.DataFrame, asked: pl.Series, k: int, gain: Gain) -> pl.DataFrame:
    """query_id and the DCG@k of the best judged order: that of a median query where nothing judged has a gain."""
    ids = asked.sort()
    number = pl.DataFrame([ids]).with_row_index("number")
    known = judged.drop_nulls("grade").join(number, on="query_id")
    gains = gains_of(known["grade"].to_numpy(), gain)
    found = ideal_dcg(known["number"].to_numpy().astype(np.int64), gains, len(ids), k)
    some = found[found > 0]
    return pl.DataFrame(
        {"query_id": ids, "ideal": np.where(found > 0, found, np.median(some) if len(some) else 1.0)}
    )


def _spread_by_band(seen: pl.DataFrame, judged: pl.DataFrame, gain: Gain) -> Sequence[float]:
    """The standard deviation of the gain of what is shown at the places of each band, drawn to that of all judged."""
    every = gains_of(judged.drop_nulls("grade")["grade"].to_numpy(), gain)
    if not len(every):
        return [1.0] * len(BANDS)
    top = seen.select(pl.min_horizontal("rank", "other_rank")).to_series().to_numpy()
    gains = gains_of(seen["grade"].to_numpy(), gain)
    found = []
    for first, end in zip(BANDS, [*BANDS[1:], np.inf], strict=True):
        mine = gains[(top >= first) & (top < end)]
        weight = _PRIOR / (_PRIOR + len(mine))
        mean = (1 - weight) * (mine.mean() if len(mine) else 0.0) + weight * every.mean()
        square = (1 - weight) * ((mine**2).mean() if len(mine) else 0.0) + weight * (every**2).mean()
        found.append(float(np.sqrt(max(square - mean**2, 0.0))))
    return found
