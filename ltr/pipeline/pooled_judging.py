"""Judgements as a team makes them: of what several systems find, not of lists drawn to be instructive.

The first products of plain systems are judged, a first ranker learns from those judgements, and the first products of
its lists are judged too (pooling: Spärck Jones and van Rijsbergen, 1975). A product that none of them finds stays
unjudged, however good it is: what judged figures then say of a better system is an estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from features.build import FeatureBuilder
from features.feature_schema import KEYS
from ltr.data.dataset import Dataset
from ltr.data.lists import UnjudgedConfig
from ltr.evaluation.baselines import BASELINES
from ltr.rankers import LightGBMConfig, make_ranker
from ltr.rankers.out_of_fold import out_of_fold

DEPTH = 10
POOLED = ("BM25", "text cosine", "photo cosine", "text–photo cosine")
FIRST = LightGBMConfig(trees=60, bags=1, early_stopping_rounds=0)
_FOLDS = 3


def pooled_judgements(
    builder: FeatureBuilder, queries: pl.DataFrame, grades: pl.DataFrame, candidates: int, depth: int = DEPTH
) -> pl.DataFrame:
    """query_id, product_id, grade of the first `depth` of each system for each query, sorted by key.

    grades: query_id, product_id, grade of every product, as a judge would give them when asked.
    """
    unjudged = builder.lists(queries, grades.clear(), candidates)
    table = builder.build(queries, unjudged).frame
    found = pl.concat(_first_by_feature(table, depth)).unique()
    judged = grades.join(found, on=KEYS, how="semi")
    scores = _first_ranker(builder, table, judged)
    ranked = table.select(KEYS).with_columns(score=pl.Series(scores))
    found = pl.concat([found, _first(ranked, depth)]).unique()
    return grades.join(found, on=KEYS, how="semi").select(*KEYS, "grade").sort(KEYS)


def _first_by_feature(table: pl.DataFrame, depth: int) -> Iterator[pl.DataFrame]:
    """The keys of what each plain system ranks first, of the queries and products that it can read."""
    for baseline in BASELINES:
        if baseline.name in POOLED and baseline.feature in table.columns:
            scored = table.select(*KEYS, score=baseline.feature).drop_nulls()
            yield _first(scored, depth)


def _first(scored: pl.DataFrame, depth: int) -> pl.DataFrame:
    """The keys of the first `depth` of each query, equal scores by product_id."""
    order = scored.sort("query_id", "score", "product_id", descending=[False, True, False])
    return order.group_by("query_id", maintain_order=True).head(depth).select(KEYS)


def _first_ranker(builder: FeatureBuilder, table: pl.DataFrame, judged: pl.DataFrame) -> np.ndarray:
    """(n,) scores of the table's rows by rankers that learned from the judgements of other queries."""
    graded = table.drop("grade").join(judged, on=KEYS, how="left", maintain_order="left")
    data = replace(Dataset.from_frame(graded, builder.schema), unjudged=UnjudgedConfig(share=0.1))

    def fit_and_score(kept: Dataset, left_out: Dataset) -> np.ndarray:
        ranker = make_ranker(FIRST)
        ranker.fit(kept.for_training(weighing=ranker.config.weighs_rows))
        return ranker.score(left_out)

    return out_of_fold(data, _FOLDS, 0, fit_and_score)
