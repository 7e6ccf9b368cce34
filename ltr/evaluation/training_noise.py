"""How far the chance of training moves a mean: from the models that a ranker is the mean of, fitted by other seeds.

Queries are one source of noise, and the one that a bootstrap over queries sees. Training is another: the same
settings by other seeds give other figures, which move all queries of a split together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

SPLIT, BAGS = "split", "headline by bag"  # columns beside a system's values


@dataclass(frozen=True)
class ByBag:
    """Each pair's score by each of the models, (n, bags), and the split that they were fitted in, (n,); -1: none."""

    scores: np.ndarray
    split: np.ndarray


@dataclass
class Bags:
    """Gathers the held-out scores of n pairs, split by split."""

    n: int
    parts: list[tuple[np.ndarray, np.ndarray | None]] = field(default_factory=list)

    def add(self, places: np.ndarray, scores: np.ndarray | None) -> None:
        """The scores (m, bags) of the next split, at rows `places`; None where its ranker is no mean of several."""
        self.parts.append((places, scores))

    @property
    def found(self) -> ByBag | None:
        """None where a split has no such scores, or others have another number of models."""
        sizes = {None if scores is None else scores.shape[1] for _, scores in self.parts}
        size = sizes.pop() if len(sizes) == 1 else None
        if size is None:
            return None
        made = ByBag(np.full((self.n, size), np.nan), np.full(self.n, -1))
        for number, (places, scores) in enumerate(self.parts):
            made.scores[places], made.split[places] = scores, number
        return made


def with_bags(values: pl.DataFrame, split: pl.DataFrame, bags: list[pl.Series]) -> pl.DataFrame:
    """Per-query values with the split (query_id, split) and the headline of each model beside them."""
    table = values.select("query_id").with_columns(one.alias(str(n)) for n, one in enumerate(bags))
    lists = table.select("query_id", pl.concat_list(pl.exclude("query_id")).alias(BAGS))
    found = lists.join(split, on="query_id", how="left")
    return values.join(found, on="query_id", how="left", maintain_order="left")


def without_bags(values: pl.DataFrame) -> pl.DataFrame:
    """The same columns for a system that is no mean of models."""
    return values.with_columns(
        pl.lit(None, pl.List(pl.Float64)).alias(BAGS), pl.lit(None, pl.Int32).alias(SPLIT)
    )


def training_variance(values: pl.DataFrame, metric: str) -> float:
    """The variance of the mean of `metric` over these queries that comes of training; 0 where it is not known.

    Of each split the variance between its models' means, divided by their number, as the ranker is their mean;
    splits are fitted apart, so that their variances add, each by the square of its share of the queries.
    """
    if BAGS not in values.columns:
        return 0.0
    counted = values.filter(pl.col(metric).is_not_null() & pl.col(BAGS).is_not_null())
    total = values[metric].count()
    variance = 0.0
    for _, part in counted.group_by(SPLIT, maintain_order=True):
        means = np.array(part[BAGS].to_list(), dtype=np.float64).mean(axis=0)
        variance += (part.height / total) ** 2 * float(means.var(ddof=1)) / len(means)
    return variance
