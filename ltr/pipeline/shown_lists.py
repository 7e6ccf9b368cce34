"""What a trained model shows, end to end: its order of the candidates of queries that it has not seen, measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from features.feature_schema import KEYS, RETRIEVED
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.demo import shop
from ltr.evaluation.shown import ShownLists, measure_shown
from ltr.evaluation.systems import Measurement
from ltr.pipeline.prepare import Prepared

KEPT = 50  # of a query's list, kept with the run: enough to say what to judge next


@dataclass(frozen=True)
class Shown:
    """measured: every system's shown lists, and the best order of the candidates, see `ltr.evaluation.shown`.

    first: query_id, product_id, rank, score, grade (null: not judged) of the model's first KEPT products.
    """

    measured: Measurement
    first: pl.DataFrame


def measure_shown_lists(
    prepared: Prepared, data: Dataset, scores: Mapping[str, np.ndarray], model: str
) -> Shown | None:
    """Of held-out scores (n,) of the rows of `data`; None where the lists are the judged products alone."""
    if prepared.lists == "judged":
        return None
    lists = ShownLists.of(data.frame, prepared.config.evaluation, true_grades(prepared.config))
    measured = measure_shown(lists, scores, prepared.collection.queries, model)
    return Shown(measured, first_shown(data.frame, scores[model]))


def first_shown(lists: pl.DataFrame, scores: np.ndarray) -> pl.DataFrame:
    """The first KEPT retrieved products of each query that has scores, equal scores by product_id."""
    scored = lists.select(*KEYS, "grade", RETRIEVED, score=pl.Series(scores))
    kept = scored.filter(pl.col(RETRIEVED), pl.col("score").is_not_nan())
    order = kept.sort("query_id", "score", "product_id", descending=[False, True, False])
    ranked = order.with_columns(rank=pl.int_range(1, pl.len() + 1).over("query_id"))
    return ranked.filter(pl.col("rank") <= KEPT).select(*KEYS, "rank", "score", "grade")


def true_grades(config: Config) -> pl.DataFrame | None:
    """query_id, product_id and the true grade of every product, where they are known: in the demo shop."""
    if not isinstance(config.data, shop.DemoShopConfig):
        return None
    return shop.true_grades(config.data, Path(config.cache.folder))
