"""Rankers as scikit-learn estimators: its own checks, its pipelines and searches, and the plain ranker's scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from features.errors import InputError
from ltr.data import Dataset
from ltr.rankers import LightGBMConfig, LightGBMRanker, LogisticConfig, XGBoostConfig
from ltr.rankers.sklearn import (
    CatBoostEstimator,
    LightGBMEstimator,
    LogisticEstimator,
    MLPEstimator,
    QueryFolds,
    RankerEstimator,
    XGBoostEstimator,
    mean_ndcg_by_query,
    ndcg_scorer,
)
from tests.ltr.rankers.ridge_ranker import RidgeConfig
from tests.ltr.rankers.test_rankers import ndcg, world

SMALL: dict[str, Any] = {"trees": 20, "learning_rate": 0.2, "leaves": 7, "threads": 1, "bags": 1}
ESTIMATORS = [
    LightGBMEstimator(**SMALL, min_rows_per_leaf=5),
    XGBoostEstimator(**SMALL),
    CatBoostEstimator(**SMALL),
    LogisticEstimator(),
    MLPEstimator(epochs=10, learning_rate=0.01, threads=1, hidden=(16,)),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)


@pytest.fixture
def routed() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def shuffled(seed: int = 0) -> pl.DataFrame:
    return world(queries=40, seed=seed).sample(fraction=1, shuffle=True, seed=seed)


def parts(table: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray, pl.Series]:
    return table.drop("query_id", "product_id", "grade"), table["grade"].to_numpy(), table["query_id"]


def numbers(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y, qid = parts(shuffled(seed))
    return X.select(pl.all().to_physical().cast(pl.Float64)).to_numpy(), y, qid.to_numpy()


# Its own checks call fit(X, y) and score(X, y): here their rows are dealt to lists of five.


class _InFives(RankerEstimator):
    def fit(self, X: Any, y: Any, qid: Any = None, validation: Any = None) -> Any:
        return super().fit(X, y, _fives(X) if qid is None else qid, validation)

    def score(self, X: Any, y: Any, qid: Any = None) -> float:
        return super().score(X, y, _fives(X) if qid is None else qid)


def _fives(X: Any) -> np.ndarray:
    return np.arange(len(X) if hasattr(X, "__len__") else X.shape[0]) // 5


class LightGBMInFives(_InFives, settings=LightGBMConfig):
    pass


class XGBoostInFives(_InFives, settings=XGBoostConfig):
    pass


class LogisticInFives(_InFives, settings=LogisticConfig):
    pass


EXPECTED: dict[str, str] = {}


@parametrize_with_checks(
    [
        LightGBMInFives(trees=5, threads=1, min_rows_per_leaf=1),
        XGBoostInFives(trees=5, threads=1),
        LogisticInFives(),
    ],
    expected_failed_checks=lambda _: EXPECTED,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@every_estimator
def test_scores_come_back_in_the_callers_order(estimator: RankerEstimator) -> None:
    X, y, qid = numbers()
    model = clone(estimator).fit(X, y, qid=qid)
    held_out, grades, queries = numbers(seed=1)
    scores = model.predict(held_out)
    order = np.random.default_rng(3).permutation(len(scores))
    np.testing.assert_array_equal(model.predict(held_out[order]), scores[order])
    enough = 0.85 if "trees" in estimator.get_params() else 0.65  # codes of colours are no numbers to a line
    assert mean_ndcg_by_query(grades, scores, queries) > enough
    # Neither does the order of training rows matter.
    again = clone(estimator).fit(X[order[: len(X)]], y[order[: len(X)]], qid=qid[order[: len(X)]])
    assert mean_ndcg_by_query(grades, again.predict(held_out), queries) > enough


def test_it_is_the_ranker_itself() -> None:
    table = world(queries=40)
    ranker = LightGBMRanker(LightGBMConfig(**SMALL, min_rows_per_leaf=5))
    ranker.fit(Dataset.from_frame(table))
    X, y, qid = parts(table)
    model = LightGBMEstimator(**SMALL, min_rows_per_leaf=5).fit(X, y, qid=qid)
    test = Dataset.from_frame(world(queries=40, seed=1))
    X, y, qid = parts(test.frame)
    np.testing.assert_array_equal(model.predict(X), ranker.score(test))
    assert model.score(X, y, qid=qid) == pytest.approx(ndcg(test, ranker.score(test)))


@pytest.mark.parametrize("make", [pl.DataFrame.to_pandas, lambda table: table], ids=["pandas", "polars"])
def test_frames_and_their_categories(make: Any) -> None:
    X, y, qid = parts(shuffled())
    model = LightGBMEstimator(**SMALL, min_rows_per_leaf=5).fit(make(X), y, qid=qid)
    assert [feature.kind for feature in model.schema_.features] == ["numeric", "numeric", "categorical"]
    assert model.feature_names_in_.tolist() == X.columns
    scores = model.predict(make(X))
    # Other codes for the same words, and a word unseen in training.
    recoded = X.with_columns(pl.col("structured.colour").cast(pl.String).cast(pl.Categorical))
    np.testing.assert_array_equal(model.predict(make(recoded)), scores)
    unseen = X.with_columns(pl.lit("mauve").cast(pl.Categorical).alias("structured.colour"))
    missing = X.with_columns(pl.lit(None, X.schema["structured.colour"]).alias("structured.colour"))
    np.testing.assert_array_equal(model.predict(make(unseen)), model.predict(missing))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(make(X.rename({"lexical.noise": "lexical.other"})))


def test_pandas_polars_and_numpy_score_alike() -> None:
    X, y, qid = numbers()
    names = ["a", "b", "c"]
    frames = [X, pd.DataFrame(X, columns=names), pl.DataFrame(X, names)]
    ids = [qid, pd.Series(qid), pl.Series(qid), qid.tolist()]
    made = [LightGBMEstimator(**SMALL).fit(frame, y, qid=of).predict(frame) for frame in frames for of in ids]
    for scores in made[1:]:
        np.testing.assert_array_equal(scores, made[0])


def test_a_search_by_group(routed: None) -> None:
    X, y, qid = numbers()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LightGBMEstimator(**SMALL)),
        {"lightgbmestimator__min_rows_per_leaf": [5, 5000], "lightgbmestimator__objective": ["lambdarank"]},
        scoring=ndcg_scorer(5),
        cv=QueryFolds(3),
        error_score="raise",
    )
    search.fit(X, y, qid=qid)
    assert (
        search.best_params_["lightgbmestimator__min_rows_per_leaf"] == 5
    )  # no leaf holds five thousand rows
    best, other = search.cv_results_["mean_test_score"]
    assert best > other
    assert search.predict(X).shape == y.shape
    by_hand = []
    for train, test in QueryFolds(3).split(X, y, qid=qid):
        assert not set(qid[train]) & set(qid[test])
        model = clone(search.estimator.set_params(lightgbmestimator__min_rows_per_leaf=5))
        model.fit(X[train], y[train], qid=qid[train])
        by_hand.append(mean_ndcg_by_query(y[test], model.predict(X[test]), qid[test], k=5))
    assert best == pytest.approx(np.mean(by_hand), abs=1e-12)


def test_cross_validation_of_the_estimator_alone(routed: None) -> None:
    X, y, qid = numbers()
    estimator, folds = LightGBMEstimator(**SMALL), QueryFolds(4, seed=2)
    own, given = (
        cross_val_score(estimator, X, y, params={"qid": qid}, cv=folds, scoring=scoring)
        for scoring in (None, ndcg_scorer())
    )
    assert own.tolist() == given.tolist()
    assert (own > 0.7).all()


def test_a_validation_part_stops_the_training() -> None:
    (X, y, qid), held_out = numbers(), numbers(seed=2)
    model = LightGBMEstimator(**SMALL | {"trees": 300}, early_stopping_rounds=5)
    model.fit(X, y, qid=qid, validation=held_out)
    assert model.ranker_.best_iteration < 300
    assert model.ranker_.history.height == model.ranker_.best_iteration + 5


def test_parameters_are_the_settings() -> None:
    model = LightGBMEstimator(trees=7)
    assert model.get_params() == clone(model).get_params()
    assert model.settings == LightGBMConfig(trees=7)
    assert set(model.get_params()) == set(LightGBMConfig.model_fields) - {"kind"}
    model.set_params(params={"min_gain_to_split": 0.1}, gain={0: 0, 1: 5})
    assert model.settings == LightGBMConfig(trees=7, params={"min_gain_to_split": 0.1}, gain={0: 0, 1: 5})
    with pytest.raises(TypeError, match="no parameter 'leafs'"):
        LightGBMEstimator(leafs=3)
    with pytest.raises(
        InputError, match="LightGBMEstimator, trees: expected greater than or equal to 1, got 0"
    ):
        LightGBMEstimator(trees=0).fit(*numbers())


def test_a_plug_in_is_one_line() -> None:
    class RidgeEstimator(RankerEstimator, settings=RidgeConfig):
        pass

    X, y, qid = numbers()
    assert RidgeEstimator(l2=2.0).fit(X, y, qid=qid).score(X, y, qid=qid) > 0.7


def test_what_lacks_its_queries_is_told() -> None:
    X, y, qid = numbers()
    with pytest.raises(InputError, match="enable_metadata_routing=True"):
        LightGBMEstimator().fit(X, y)
    with pytest.raises(InputError, match="a query in every row"):
        LightGBMEstimator().fit(X, y, qid=[None, *qid[1:]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LightGBMEstimator().fit(X, y, qid=qid[:-1])
    with pytest.raises(InputError, match="2 to 40 folds"):
        list(QueryFolds(41).split(X, y, qid=qid))
