"""The toolkit adds nothing to what the libraries learn, and takes nothing away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
import xgboost as xgb
from sklearn.datasets import load_svmlight_file

from ltr.data.dataset import Dataset
from ltr.rankers import LightGBMConfig, RankerConfig, XGBoostConfig, make_ranker

SHARED = Path(os.environ.get("LTR_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
SMALL: dict[str, Any] = {"trees": 30, "learning_rate": 0.2, "leaves": 7, "threads": 1, "bags": 1}
LIGHTGBM = LightGBMConfig(**SMALL, min_rows_per_leaf=5)
XGBOOST = XGBoostConfig(**SMALL)


def constructed(seed: int, queries: int = 60, rows: int = 12) -> Dataset:
    """Grades 0 to 4 from a number, often missing, and a category."""
    random = np.random.default_rng(seed)
    n = queries * rows
    good, kind = random.normal(size=n), random.integers(0, 6, n)
    columns = {
        "query_id": np.repeat([f"q{i:03d}" for i in range(queries)], rows),
        "product_id": np.tile([f"p{i:03d}" for i in range(rows)], queries),
        "grade": np.digitize(good + np.sin(kind) + random.normal(scale=0.3, size=n), [-1, 0, 1, 2]).astype(
            float
        ),
        "lexical.good": pl.Series(np.where(random.random(n) < 0.2, np.nan, good)).fill_nan(None),
        "structured.kind": pl.Series(np.array(list("abcdef"))[kind], dtype=pl.Enum(list("abcdef"))),
    }
    return Dataset.from_frame(pl.DataFrame(columns))


def fitted_scores(config: RankerConfig, train: Dataset, test: Dataset) -> np.ndarray:
    ranker = make_ranker(config)
    ranker.fit(train)
    return ranker.score(test)


def bare_lightgbm(config: LightGBMConfig, train: Dataset, labels: np.ndarray) -> lgb.Booster:
    params = {
        "objective": "lambdarank", "learning_rate": config.learning_rate, "num_leaves": config.leaves,
        "min_data_in_leaf": config.min_rows_per_leaf, "lambda_l2": config.l2,
        "feature_fraction": config.feature_fraction, "bagging_fraction": config.bagging_fraction,
        "bagging_freq": config.bagging_freq, "seed": config.seed, "num_threads": 1, "deterministic": True,
        "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    matrix = lgb.Dataset(train.X, labels, group=train.groups, categorical_feature=train.categorical)
    return lgb.train(params, matrix, config.trees)


def bare_xgboost(config: XGBoostConfig, train: Dataset) -> xgb.Booster:
    params = {
        "objective": "rank:ndcg", "learning_rate": config.learning_rate, "max_leaves": config.leaves,
        "max_depth": 0, "grow_policy": "lossguide", "min_child_weight": config.min_child_weight,
        "lambda": config.l2, "colsample_bytree": config.feature_fraction,
        "subsample": config.bagging_fraction, "seed": config.seed, "nthread": 1,
    }  # fmt: skip
    return xgb.train(params, bare_matrix(train), config.trees)


def bare_matrix(data: Dataset) -> xgb.DMatrix:
    types = ["c" if column in data.categorical else "q" for column in range(data.X.shape[1])]
    return xgb.DMatrix(data.X, data.grades, group=data.groups, feature_types=types, enable_categorical=True)


def lightgbm_example(part: str) -> Dataset:
    folder = SHARED / "lightgbm_rank"
    if not folder.is_dir():
        pytest.skip("needs LightGBM's ranking example in ../shared/data/lightgbm_rank")
    X, grades = load_svmlight_file(str(folder / f"rank.{part}.gz"), n_features=301)[:2]
    sizes = np.loadtxt(folder / f"rank.{part}.query", dtype=int)
    keys = {
        "query_id": np.repeat([f"{i:04d}" for i in range(len(sizes))], sizes),
        "product_id": [f"{i:05d}" for i in range(len(grades))],
        "grade": grades,
    }
    return Dataset.from_frame(
        pl.DataFrame(keys).hstack(pl.DataFrame(X.toarray(), schema=[f"given.f{i}" for i in range(301)]))
    )


@pytest.fixture(params=["constructed", "lightgbm_rank"])
def train_and_test(request: pytest.FixtureRequest) -> tuple[Dataset, Dataset]:
    if request.param == "constructed":
        return constructed(seed=0), constructed(seed=1)
    return lightgbm_example("train"), lightgbm_example("test")


def test_lightgbm_is_lightgbm(train_and_test: tuple[Dataset, Dataset]) -> None:
    train, test = train_and_test
    bare = bare_lightgbm(LIGHTGBM, train, train.grades)
    np.testing.assert_allclose(fitted_scores(LIGHTGBM, train, test), bare.predict(test.X), rtol=0, atol=1e-9)


def test_xgboost_is_xgboost(train_and_test: tuple[Dataset, Dataset]) -> None:
    train, test = train_and_test
    bare = bare_xgboost(XGBOOST, train).predict(bare_matrix(test))
    np.testing.assert_allclose(fitted_scores(XGBOOST, train, test), bare, rtol=0, atol=1e-9)
