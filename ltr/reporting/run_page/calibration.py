"""Do higher scores mean better products? Grades by decile of the score.

Scores of a ranker have no zero and no unit of their own from query to query, so they are standardised within
each query first: a decile then holds what its own query's list ranks alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.feature_schema import KEYS
from ltr.evaluation.significance import BootstrapConfig, bootstrap_interval

DECILES = 10
MOST_GRADES = 6  # more are told apart by whole numbers only
FEWEST_PAIRS = 10 * DECILES


@dataclass(frozen=True)
class Calibration:
    """deciles: decile (1 = lowest scores), pairs, score (mean, standardised), mean grade, low, high.

    shares: by grade, that grade's share of each decile's pairs.
    """

    deciles: Sequence[Mapping[str, float]]
    shares: Mapping[str, Sequence[float]]

    @property
    def falls(self) -> list[int]:
        """Deciles whose mean grade is below that of the decile of lower scores, interval clear of interval."""
        pairs = zip(self.deciles, self.deciles[1:], strict=False)
        return [int(higher["decile"]) for lower, higher in pairs if higher["high"] < lower["low"]]


def calibrate(pairs: pl.DataFrame, scores: np.ndarray, config: BootstrapConfig) -> Calibration | None:
    """Grades against held-out scores (n,) of pairs (query_id, product_id, grade); rows with a NaN score do not count.

    Intervals are over queries. None for fewer pairs than FEWEST_PAIRS.
    """
    scored = pairs.select(*KEYS, "grade").with_columns(score=pl.Series(scores))
    scored = scored.filter(pl.col("score").is_finite())
    if scored.height < FEWEST_PAIRS:
        return None
    centred = pl.col("score") - pl.col("score").mean().over("query_id")
    spread = pl.col("score").std(ddof=0).over("query_id")
    scored = scored.with_columns(z=pl.when(spread > 0).then(centred / spread).otherwise(0.0))
    # Equal scores fall as their keys' hash has it, so that neither grades nor the order of rows decide.
    placed = scored.sort("z", pl.struct(KEYS).hash()).with_columns(
        decile=pl.int_range(pl.len()) * DECILES // pl.len() + 1
    )
    return Calibration(_means(placed, config), _shares(placed))


def _means(placed: pl.DataFrame, config: BootstrapConfig) -> list[dict[str, float]]:
    """A decile's mean grade is a ratio Σ grades / Σ pairs over queries, whose parts vary together.

    Linearised (Cochran, Sampling Techniques, 1977, ch. 6) it is a mean over queries of
    m + (S_q − m·N_q) / mean(N), which the bootstrap over queries takes.
    """
    cells = placed.group_by("query_id", "decile").agg(grade=pl.col("grade").sum(), pairs=pl.len())
    order = [str(number) for number in range(1, DECILES + 1)]
    sums, counts = (
        cells.sort("decile", "query_id")
        .pivot("decile", index="query_id", values=value)
        .sort("query_id")
        .select(order)
        .fill_null(0)
        .to_numpy()
        .astype(np.float64)
        for value in ("grade", "pairs")
    )
    mean = sums.sum(axis=0) / counts.sum(axis=0)
    low, high = bootstrap_interval(mean + (sums - mean * counts) / counts.mean(axis=0), config)
    score = placed.group_by("decile").agg(pl.col("z").mean()).sort("decile")["z"]
    columns = {"decile": range(1, DECILES + 1), "pairs": counts.sum(axis=0).astype(np.int64), "score": score}
    return pl.DataFrame({**columns, "grade": mean, "low": low, "high": high}).to_dicts()


def _shares(placed: pl.DataFrame) -> dict[str, list[float]]:
    if placed["grade"].n_unique() > MOST_GRADES:
        placed = placed.with_columns(pl.col("grade").round())
    if placed["grade"].n_unique() > MOST_GRADES:
        return {}
    sizes = placed.group_by("decile").agg(size=pl.len()).sort("decile")
    return {
        f"{grade:g}": sizes.join(
            placed.filter(grade=grade).group_by("decile").agg(count=pl.len()), on="decile", how="left"
        )
        .sort("decile")
        .select(pl.col("count").fill_null(0) / pl.col("size"))
        .to_series()
        .to_list()
        for grade in sorted(placed["grade"].unique())
    }
