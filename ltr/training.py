"""Fit rankers fold by fold and score what each has not seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ltr.fusion import EmbeddedDataset, EmbeddingFusionConfig, FusedRanker
from ltr.rankers import RankerConfig, make_ranker
from ltr.splits import Fold


@dataclass(frozen=True)
class CrossFit:
    """Held-out scores: `scores` (n,) aligned with the dataset, NaN for rows of no test part.

    best_iterations: trees kept in each fold; seconds: wall time spent fitting; last: the last fold's ranker.
    """

    scores: np.ndarray
    best_iterations: list[int]
    seconds: float
    last: FusedRanker


def cross_fit(
    rows: EmbeddedDataset,
    folds: Sequence[Fold],
    ranker: RankerConfig,
    embeddings: EmbeddingFusionConfig | None = None,
    fold_done: Callable[[], None] = lambda: None,
) -> CrossFit:
    """One ranker a fold, fitted on its training queries, stopped on validation, scoring its test queries."""
    scores = np.full(rows.data.frame.height, np.nan)
    iterations, seconds = [], 0.0
    for fold in folds:
        model = FusedRanker(make_ranker(ranker), embeddings)
        train, validation = rows.take(fold.train), rows.take(fold.validation) if fold.validation else None
        started = time.perf_counter()
        model.fit(train, validation)
        seconds += time.perf_counter() - started
        scores[rows.rows_of(fold.test)] = model.score(rows.take(fold.test))
        iterations.append(model.ranker.best_iteration)
        fold_done()
    return CrossFit(scores, iterations, seconds, model)


def fit_on_all(
    rows: EmbeddedDataset, fold: Fold, ranker: RankerConfig, embeddings: EmbeddingFusionConfig | None = None
) -> FusedRanker:
    """The model kept after cross-validation: fitted on all queries but the fold's validation part."""
    model = FusedRanker(make_ranker(ranker), embeddings)
    model.fit(rows.take([*fold.train, *fold.test]), rows.take(fold.validation) if fold.validation else None)
    return model
