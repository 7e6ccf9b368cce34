"""Fit rankers fold by fold and score what each has not seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.data.splits import Fold
from ltr.evaluation.training_noise import Bags, ByBag
from ltr.rankers import Ranker, RankerConfig, make_ranker
from ltr.training.anchoring import Transfer
from ltr.training.fused_ranker import FusedRanker


@dataclass(frozen=True)
class CrossFit:
    """Held-out scores: `scores` (n,) aligned with the dataset, NaN for rows of no test part.

    best_iterations: trees kept in each fold; seconds: wall time spent fitting; models: each fold's ranker.
    by_bag: how far chance moves them, where a ranker is the mean of several.
    """

    scores: np.ndarray
    best_iterations: list[int]
    seconds: float
    models: list[FusedRanker]
    by_bag: ByBag | None = None

    @property
    def last(self) -> FusedRanker:
        return self.models[-1]

    def by_itself(self, rows: EmbeddedDataset, folds: Sequence[Fold]) -> CrossFit:
        """The same without what the models lean on: no fit is made for it."""
        models = [model.by_itself() for model in self.models]
        scores, by_bag = held_out_scores(rows, folds, models)
        return replace(self, scores=scores, models=models, by_bag=by_bag)


def cross_fit(
    rows: EmbeddedDataset,
    folds: Sequence[Fold],
    ranker: RankerConfig,
    embeddings: EmbeddingFusionConfig | None = None,
    fold_done: Callable[[], None] = lambda: None,
    transfer: Transfer | None = None,
    thinned: EmbeddedDataset | None = None,
) -> CrossFit:
    """One ranker a fold, fitted on its training queries, stopped on validation, scoring its test queries.

    transfer: what else it learns from or leans on; thinned: the same pairs as training sees them, if otherwise.
    """
    scores = np.full(rows.data.frame.height, np.nan)
    iterations, seconds, models = [], 0.0, []
    bags = Bags(len(scores))
    for fold in folds:
        model = FusedRanker(_unfitted(ranker, transfer), embeddings)
        train = (thinned or rows).take(fold.train)
        validation = rows.take(fold.validation) if fold.validation else None
        started = time.perf_counter()
        model.fit(train, validation)
        seconds += time.perf_counter() - started
        model.settle()
        tested, places = rows.take(fold.test), rows.rows_of(fold.test)
        scores[places], by_bag = model.score_with_bags(tested)
        bags.add(places, by_bag)
        iterations.append(model.ranker.best_iteration)
        models.append(model)
        fold_done()
    return CrossFit(scores, iterations, seconds, models, bags.found)


def held_out_scores(
    rows: EmbeddedDataset, folds: Sequence[Fold], models: Sequence[FusedRanker]
) -> tuple[np.ndarray, ByBag | None]:
    """Scores (n,) of the rows by the model that has not seen their query, and by bag; NaN for rows of no test part."""
    scores = np.full(rows.data.frame.height, np.nan)
    bags = Bags(len(scores))
    for fold, model in zip(folds, models, strict=True):
        tested, places = rows.take(fold.test), rows.rows_of(fold.test)
        scores[places], by_bag = model.score_with_bags(tested)
        bags.add(places, by_bag)
    return scores, bags.found


def fit_on_all(
    rows: EmbeddedDataset,
    fold: Fold,
    ranker: RankerConfig,
    embeddings: EmbeddingFusionConfig | None = None,
    transfer: Transfer | None = None,
    thinned: EmbeddedDataset | None = None,
) -> FusedRanker:
    """The model kept after cross-validation: fitted on all queries but the fold's validation part."""
    model = FusedRanker(_unfitted(ranker, transfer), embeddings)
    train = (thinned or rows).take([*fold.train, *fold.test])
    model.fit(train, rows.take(fold.validation) if fold.validation else None)
    model.settle()
    return model


def _unfitted(ranker: RankerConfig, transfer: Transfer | None) -> Ranker:
    return transfer.ranker(ranker) if transfer else make_ranker(ranker)
