"""A config's ranker fitted and scored beside baselines and rungs, and what it goes by."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from features.errors import InputError
from features.feature_schema import FeatureSchema
from features.progress import progress
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import Fold
from ltr.evaluation.baselines import held_out_baselines, rungs
from ltr.evaluation.per_query import check_gain, headline_metric
from ltr.evaluation.training_noise import ByBag
from ltr.explanation.importance import Importance, importance
from ltr.pipeline.prepare import Prepared, embedded_dataset
from ltr.training.anchoring import Transfer, describe
from ltr.training.cross_fit import CrossFit, cross_fit

log = logging.getLogger(__name__)

SWING = 10  # times as many trees in one split as in another


def check_settings(config: Config, data: Dataset) -> None:
    """Raise InputError, before anything is fitted, for settings that this data does not bear."""
    check_gain(data.judged().grades, config.evaluation)
    config.ranker.check(data.schema)


def embed(config: Config, prepared: Prepared, data: Dataset) -> EmbeddedDataset:
    """The dataset with the vectors of its rows, where the config makes embeddings features."""
    if config.embeddings is None:
        return EmbeddedDataset(data)
    return embedded_dataset(config, data, prepared.collection.queries, prepared.builder)


def weigh(
    config: Config, rows: EmbeddedDataset, folds: Sequence[Fold], fitted: CrossFit
) -> Importance | None:
    """What the model goes by on queries held out from it; None for a ranker that cannot be explained."""
    judged = rows.judged()
    held_out = [(model, judged.take(fold.test)) for model, fold in zip(fitted.models, folds, strict=True)]
    try:
        return importance(held_out, config.evaluation, headline_metric(config.evaluation))
    except InputError as error:
        log.info("no importance of features: %s", error)
        return None


def score_systems(
    config: Config,
    rows: EmbeddedDataset,
    folds: Sequence[Fold],
    transfer: Transfer | None = None,
    thinned: EmbeddedDataset | None = None,
) -> tuple[CrossFit, dict[str, np.ndarray], dict[str, ByBag]]:
    """Held-out scores (n,) of the baselines, the ladder's rungs and, last, the full model; and those by bag.

    With transfer, the full model without it stands before it. thinned: as in `cross_fit`; the rungs see their
    features of it, else what modality dropout costs would be laid to the features that the full model has more.
    """
    data = rows.data
    scores, by_bag = held_out_baselines(data, folds, config.evaluation), dict[str, ByBag]()

    def keep(name: str, fitted: CrossFit) -> None:
        scores[name] = fitted.scores
        if fitted.by_bag:
            by_bag[name] = fitted.by_bag

    ladder = rungs(data.schema, config.ladder)
    steps = len(ladder) + (2 if transfer and not transfer.only_leans else 1)
    with progress("fitting", steps * len(folds)) as fold_done:
        for name, features in ladder.items():
            fitted = _fitted_rung(config, rows, folds, features, fold_done, thinned)
            log.info("  %s: %d features, %.1f s", name, len(features.features), fitted.seconds)
            keep(name, fitted)
        fitted = cross_fit(rows, folds, config.ranker, config.embeddings, fold_done, transfer, thinned)
        if transfer:
            alone = (
                fitted.by_itself(rows, folds)
                if transfer.only_leans
                else cross_fit(rows, folds, config.ranker, config.embeddings, fold_done, thinned=thinned)
            )
            keep(f"{config.ranker.kind} alone", alone)
            for model in fitted.models:
                log.info("  %s", model.choice or describe(model.ranker) or "learned from other sets, too")
    size, trees = len(data.schema.features), fitted.best_iterations
    log.info("  all: %d features, %.1f s, trees %s", size, fitted.seconds, trees)
    _warn_of_swings(trees)
    keep(config.ranker.kind, fitted)
    return fitted, scores, by_bag


def _fitted_rung(
    config: Config,
    rows: EmbeddedDataset,
    folds: Sequence[Fold],
    features: FeatureSchema,
    fold_done: Callable[[], None],
    thinned: EmbeddedDataset | None,
) -> CrossFit:
    """A rung has its own part of `embeddings`: were it all the full model's, titles' worth would be laid to photos."""
    part, seen = (
        EmbeddedDataset(known.data.select(features), known.vectors) for known in (rows, thinned or rows)
    )
    own = config.embeddings and config.embeddings.less(config.embeddings.groups - {*features.groups})
    return cross_fit(part, folds, config.ranker, own, fold_done, thinned=seen)


def _warn_of_swings(trees: Sequence[int]) -> None:
    """Say where early stopping kept very different numbers of trees: on so few queries it stops by chance."""
    if min(trees) * SWING <= max(trees):
        log.warning(
            "WARN: trees kept swing from %d to %d between splits: too few queries say when to stop; judge more, or set "
            "ranker.early_stopping_rounds: 0 with fewer ranker.trees",
            *(min(trees), max(trees)),
        )
