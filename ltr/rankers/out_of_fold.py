"""Training queries scored by rankers that were fitted without them: what anything learnt from scores must see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from ltr.data.dataset import Dataset


def out_of_fold(
    train: Dataset, folds: int, seed: int, fit_and_score: Callable[[Dataset, Dataset], np.ndarray]
) -> np.ndarray:
    """Scores (n,) or (n, m) of every training pair, each by a fit on the other folds' queries (Wolpert 1992).

    fit_and_score: (queries to fit on, queries to score) → the latter's scores. There are 2 queries or more; a
    fold is whole queries, dealt at random by the seed.
    """
    queries = len(train.groups)
    fold_of = np.random.default_rng(seed).permutation(queries) % min(folds, queries)
    parts = [fold_of == fold for fold in range(fold_of.max() + 1)]
    found = [fit_and_score(_queries(train, ~part), _queries(train, part)) for part in parts]
    scores = np.empty((len(train.X), *found[0].shape[1:]))
    for part, scored in zip(parts, found, strict=True):
        scores[np.repeat(part, train.groups)] = scored
    return scores


def _queries(data: Dataset, chosen: np.ndarray) -> Dataset:
    return data.take(data.query_ids.filter(pl.Series(chosen)))
