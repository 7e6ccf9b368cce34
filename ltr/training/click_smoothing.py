"""What a pair's views earned, drawn to what pairs of like features earn: few views say little, the features more.

An empirical Bayes estimate whose prior mean is a regression on the features, fitted without the pair's query: Fay and
Herriot, JASA 1979; for clicks the regression EM of Wang, Golbandi, Bendersky, Metzler and Najork, WSDM 2018, is akin.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from ltr.clicks.lists import FloatArray
from ltr.data.dataset import Dataset
from ltr.rankers.out_of_fold import out_of_fold

FOLDS = 5
TREES = 100
SETTINGS = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "seed": 0,
}
_LEAST, _MOST = 1.0, 1000.0  # views that the prior may weigh as much as


def smoothed(rates: FloatArray, views: FloatArray, data: Dataset) -> FloatArray:
    """(n,) the rates of the dataset's rows, each drawn to what its features say; rates are cut to [0, 1].

    views: (n,) what each rate rests on. There are 2 queries or more; with fewer the rates stay as they are.
    """
    if len(data.groups) < 2:
        return rates
    import lightgbm as lgb  # noqa: PLC0415 - half a second, and few commands learn from clicks

    seen = rates.clip(0.0, 1.0)
    number = np.arange(len(rates), dtype=np.int64)
    carried = Dataset(
        data.frame.with_columns(pl.Series("number", number)), data.schema, data.X, data.query_ids, data.groups
    )

    def fit_and_score(kept: Dataset, left_out: Dataset) -> FloatArray:
        rows = kept.frame["number"].to_numpy()
        matrix = lgb.Dataset(kept.X, seen[rows], weight=views[rows], categorical_feature=kept.categorical)
        return np.asarray(lgb.train(SETTINGS, matrix, TREES).predict(left_out.X, num_threads=1))

    prior = out_of_fold(carried, FOLDS, 0, fit_and_score).clip(1e-3, 1.0)
    weight = prior_views(seen, views, prior)
    return np.asarray((seen * views + weight * prior) / (views + weight))


def prior_views(rates: FloatArray, views: FloatArray, prior: FloatArray) -> float:
    """How many views the prior weighs as much as: by how far rates lie from it beyond chance (moments)."""
    chance = np.maximum(prior * (1 - prior), 1e-3)
    spread = float((views * (rates - prior) ** 2 / chance).sum())
    room = float((views - 1).clip(min=0).sum())
    alike = (spread - len(rates)) / room if room > 0 else 0.0
    return float(np.clip(1 / alike - 1, _LEAST, _MOST)) if alike > 0 else _MOST
