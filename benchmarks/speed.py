"""python -m benchmarks.speed

Training overhead: the fitting step of `ltr.train` over a bare library call on the same arrays with the same
parameters, models checked to be equal first. The two take turns, so that a noisy machine slows both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl
import xgboost as xgb

from benchmarks import record
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.rankers import LightGBMConfig, RankerConfig, XGBoostConfig, make_ranker
from ltr.training.fused_ranker import FusedRanker

QUERIES, PER_QUERY, FEATURES, TREES, TURNS = 3_000, 40, 50, 100, 7


def main() -> None:
    data = made_up_data()
    shape = {"queries": QUERIES, "rows": len(data.X), "features": FEATURES, "trees": TREES, "turns": TURNS}
    figures = {
        "lightgbm": compare(data, LightGBMConfig(trees=TREES, bags=1, threads=2), bare_lightgbm),
        "xgboost": compare(data, XGBoostConfig(trees=TREES, bags=1, threads=2), bare_xgboost),
    }
    record.write(
        "training_overhead", "python -m benchmarks.speed", {"data": shape, "ratio_to_bare_library": figures}
    )


def made_up_data() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(QUERIES * PER_QUERY, FEATURES)).astype(np.float32)
    utility = x[:, :5].sum(axis=1) + rng.normal(size=len(x))
    keys = {
        "query_id": np.repeat([f"q{n:05}" for n in range(QUERIES)], PER_QUERY),
        "product_id": [f"p{n:06}" for n in range(len(x))],
        "grade": np.digitize(utility, [0, 2, 4]).astype(float),
    }
    columns = {f"given.f{n}": x[:, n] for n in range(FEATURES)}
    return Dataset.from_frame(pl.DataFrame(keys | columns))


def compare(
    data: Dataset, config: RankerConfig, bare: Callable[[Dataset, Any], np.ndarray]
) -> dict[str, float]:
    """Median, lowest and highest ratio over the turns; the first turn of each warms up and checks the scores."""
    ours, theirs = fit_ours(data, config), bare(data, config)
    if np.abs(ours - theirs).max() > 1e-9:
        raise SystemExit(f"{config.kind}: scores differ by {np.abs(ours - theirs).max():.2g}")
    ratios, seconds = [], []
    for _ in range(TURNS):
        mine = seconds_of(lambda: fit_ours(data, config))
        other = seconds_of(lambda: bare(data, config))
        ratios.append(mine / other)
        seconds.append(other)
    print(f"{config.kind}: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return {
        "median": round(statistics.median(ratios), 4),
        "lowest": round(min(ratios), 4),
        "highest": round(max(ratios), 4),
        "bare_seconds": round(statistics.median(seconds), 3),
    }


def seconds_of(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def fit_ours(data: Dataset, config: RankerConfig) -> np.ndarray:
    model = FusedRanker(make_ranker(config), None)
    model.fit(EmbeddedDataset(data), None)
    return model.score(EmbeddedDataset(data))


def bare_lightgbm(data: Dataset, config: LightGBMConfig) -> np.ndarray:
    params = {
        "objective": "lambdarank", "learning_rate": config.learning_rate, "num_leaves": config.leaves,
        "min_data_in_leaf": config.min_rows_per_leaf, "lambda_l2": config.l2,
        "feature_fraction": config.feature_fraction, "bagging_fraction": config.bagging_fraction,
        "bagging_freq": config.bagging_freq, "seed": config.seed, "num_threads": 2,
        "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    matrix = lgb.Dataset(data.X, data.grades, group=data.groups)
    return np.asarray(lgb.train(params, matrix, TREES).predict(data.X, num_threads=2))


def bare_xgboost(data: Dataset, config: XGBoostConfig) -> np.ndarray:
    params = {
        "objective": "rank:ndcg", "ndcg_exp_gain": False, "learning_rate": config.learning_rate,
        "grow_policy": "lossguide", "max_leaves": config.leaves, "max_depth": 0,
        "min_child_weight": config.min_child_weight, "lambda": config.l2,
        "colsample_bytree": config.feature_fraction, "subsample": config.bagging_fraction,
        "seed": config.seed, "nthread": 2,
    }  # fmt: skip
    matrix = xgb.QuantileDMatrix(data.X, 2.0**data.grades - 1, group=data.groups, nthread=2)
    booster = xgb.train(params, matrix, TREES)
    return booster.inplace_predict(data.X).astype(np.float64)


if __name__ == "__main__":
    main()
