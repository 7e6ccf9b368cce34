"""How one trial of a search is judged: cross-validation over folds of the training queries, fixed beforehand."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.errors import InputError
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.data.splits import Fold, FoldsConfig, make_folds
from ltr.evaluation.per_query import EvaluationConfig, evaluate, headline_metric
from ltr.rankers import OnTree, Ranker, Watchable, make_ranker
from ltr.training.anchoring import Transfer
from ltr.training.fused_ranker import FusedRanker
from ltr.tuning.candidates import ADAPTED, Candidate, TuningConfig

REPEATS = 3  # timings of one scoring, of which the shortest says what the work takes


@dataclass(frozen=True)
class FoldResult:
    """value: mean nDCG@k of the held-out queries; latency: µs per document scored; features: their number."""

    value: float
    latency: float
    features: int


def inner_folds(
    tuning: TuningConfig, outer: Fold, queries: pl.DataFrame, validation_share: float
) -> list[Fold]:
    """Folds of the training part's queries, validation included; queries that look alike share a fold.

    Each fold's training part gives its own share of queries to stop the training early by, so that what
    a trial is judged by decides nothing in it.
    """
    among = pl.Series([*outer.train, *outer.validation], dtype=pl.String)
    config = FoldsConfig(folds=tuning.folds, seed=tuning.seed, validation_share=validation_share)
    return make_folds(config, queries, among)


class CrossValidation:
    """The table of judged pairs and the folds that every trial is judged on.

    transfer, thinned: what a trial learns by, as in `ltr.training.cross_fit`.
    """

    def __init__(
        self,
        rows: EmbeddedDataset,
        folds: Sequence[Fold],
        evaluation: EvaluationConfig,
        embeddings: EmbeddingFusionConfig | None = None,
        transfer: Transfer | None = None,
        thinned: EmbeddedDataset | None = None,
    ) -> None:
        self.rows, self.folds = rows, folds
        self._evaluation, self._embeddings = evaluation, embeddings
        self._transfer, self._thinned = transfer, thinned or rows
        self.metric = headline_metric(evaluation)
        for fold in folds:
            self._check_measurable(fold)

    def fit(self, candidate: Candidate, fold: Fold, on_tree: OnTree | None = None) -> FoldResult:
        """Fit the candidate on the fold's training queries, and measure it on those held out."""
        rows, thinned = (chosen_groups(known, candidate.groups) for known in (self.rows, self._thinned))
        booster, ranker = self._unfitted(candidate, rows)
        if isinstance(booster, Watchable):
            booster.on_tree = on_tree
        model = FusedRanker(ranker, chosen_embeddings(self._embeddings, candidate.groups))
        model.fit(thinned.take(fold.train), rows.take(fold.validation) if fold.validation else None)
        held_out = rows.take(fold.test)
        scores, seconds = _timed_scores(model, held_out)
        return FoldResult(
            self._value(held_out.data.frame, scores),
            1e6 * seconds / len(scores),
            len(model.ranker.schema.features),
        )

    def _unfitted(self, candidate: Candidate, rows: EmbeddedDataset) -> tuple[Ranker, Ranker]:
        """The candidate's own ranker, and the one to fit: with transfer it leans on more than that."""
        if self._transfer is None:
            ranker = make_ranker(candidate.ranker)
            return ranker, ranker
        anchored = self._transfer.within(rows.data.schema).ranker(candidate.ranker)
        return anchored.ranker, anchored

    def _value(self, pairs: pl.DataFrame, scores: np.ndarray) -> float:
        """By the evaluation's own gain, whatever gain the training took."""
        judged = pairs.select("query_id", "product_id", "grade").with_columns(score=pl.Series(scores))
        judged = judged.drop_nulls("grade")
        return float(evaluate(judged, self._evaluation)[self.metric].drop_nulls().to_numpy().mean())

    def _check_measurable(self, fold: Fold) -> None:
        pairs = self.rows.take(fold.test).data.frame
        judged = pairs.select("query_id", "product_id", "grade", score=pl.lit(0.0))
        if evaluate(judged, self._evaluation)[self.metric].drop_nulls().is_empty():
            raise InputError(
                where="tuning.folds",
                expected="a query with something relevant in every fold",
                got=f"none in one of {len(self.folds)}",
                cure="ask for fewer folds, or judge more queries",
            )


def chosen_groups(rows: EmbeddedDataset, groups: Sequence[str]) -> EmbeddedDataset:
    """The same pairs with the features of these groups only."""
    return EmbeddedDataset(rows.data.select(rows.data.schema.select(groups)), rows.vectors)


def chosen_embeddings(
    embeddings: EmbeddingFusionConfig | None, groups: Sequence[str]
) -> EmbeddingFusionConfig | None:
    """Without adapted cosines where they are none of the groups; None where nothing is left to learn."""
    if embeddings is None or not embeddings.adapted or ADAPTED in groups:
        return embeddings
    return embeddings.model_copy(update={"adapted": ()}) if embeddings.fields else None


def mean_result(results: Sequence[FoldResult]) -> FoldResult:
    """Means over folds; of the latencies the median, since a busy machine only ever adds to them."""
    return FoldResult(
        statistics.fmean(result.value for result in results),
        statistics.median(result.latency for result in results),
        max(result.features for result in results),
    )


def _timed_scores(model: FusedRanker, rows: EmbeddedDataset) -> tuple[np.ndarray, float]:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        scores = model.score(rows)
        seconds.append(time.perf_counter() - started)
    return scores, min(seconds)
