"""Model files of both libraries read as trees, on generated models: the libraries' own scores, and Treelite's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from features.errors import InputError
from ltr.serving.exports import trees as forests
from ltr.serving.exports.lightgbm_trees import least_right, read_lightgbm
from ltr.serving.exports.trees import Forest
from ltr.serving.exports.xgboost_trees import read_xgboost

CATEGORIES, WIDTH = 40, 6


def made(seed: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Features, the last a code, with gaps, ties, zeros and numbers of every size; grades."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, WIDTH)) * 10.0 ** rng.integers(-6, 7, WIDTH)
    X[:, 1] = rng.integers(0, 4, rows)
    X[:, 2] = np.where(rng.random(rows) < 0.5, 0, X[:, 2])
    X[:, -1] = rng.integers(0, CATEGORIES, rows)
    y = np.digitize(X[:, 1] + np.sin(X[:, -1] * 7) + rng.normal(size=rows), [0, 1, 2])
    X[rng.random(X.shape) < 0.15] = np.nan
    X[:, 3] = np.nan_to_num(X[:, 3])  # one without gaps in training, which later rows have
    return X.astype(np.float32), y.astype(float)


def hard(X: np.ndarray, edges: np.ndarray, seed: int) -> np.ndarray:
    """Rows with numbers at and beside thresholds, gaps anywhere, and codes that training had not."""
    rng = np.random.default_rng(seed)
    rows = X[rng.integers(len(X), size=600)].copy()
    edges = edges[np.abs(edges) < np.finfo(np.float32).max]  # stands for infinity
    near = rng.choice(edges, rows.shape) if len(edges) else np.zeros(rows.shape)
    near = np.nextafter(near, rng.choice([-np.inf, np.inf, 0], rows.shape).astype(np.float32))
    rows[:, :-1] = np.where(rng.random(rows.shape) < 0.4, near, rows)[:, :-1]
    rows[:, -1] = rng.integers(0, CATEGORIES + 3, len(rows))
    rows[rng.random(rows.shape) < 0.15] = np.nan
    return rows.astype(np.float32)


def lightgbm_model(seed: int, **params: Any) -> tuple[str, lgb.Booster]:
    X, y = made(seed)
    given = {"objective": "lambdarank", "verbosity": -1, "num_threads": 1, "num_leaves": 15, "seed": seed,
             "min_data_in_leaf": 3, "min_data_per_group": 5, "max_cat_to_onehot": 1, "cat_smooth": 1}  # fmt: skip
    data = lgb.Dataset(X, y, group=[20] * (len(X) // 20), categorical_feature=[WIDTH - 1])
    booster = lgb.train(given | params, data, 25)
    return booster.model_to_string(), booster


def xgboost_model(seed: int, **params: Any) -> tuple[str, xgb.Booster]:
    X, y = made(seed)
    given = {"objective": "rank:ndcg", "nthread": 1, "max_leaves": 15, "max_depth": 0, "seed": seed,
             "grow_policy": "lossguide", "max_cat_to_onehot": 1, "tree_method": "hist"}  # fmt: skip
    data = xgb.QuantileDMatrix(
        X, y, group=[20] * (len(X) // 20), feature_types=["q"] * (WIDTH - 1) + ["c"], enable_categorical=True
    )
    booster = xgb.train(given | params, data, 25)
    return bytes(booster.save_raw("json")).decode(), booster


LIGHTGBM: list[dict[str, Any]] = [{}, {"num_leaves": 2}, {"boosting": "dart", "drop_rate": 0.5}, {"use_missing": False},
            {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, {"max_bin": 3}, {"max_cat_to_onehot": 64},
            {"extra_trees": True}]  # fmt: skip
XGBOOST: list[dict[str, Any]] = [{}, {"max_leaves": 2}, {"booster": "dart", "rate_drop": 0.5}, {"gamma": 5.0},
           {"base_score": 3.25}, {"max_cat_to_onehot": 64}, {"num_parallel_tree": 3, "subsample": 0.5}]  # fmt: skip


def scores(forest: Forest, X: np.ndarray) -> np.ndarray:
    return sum((leaf for leaf in forest.leaves(X)), np.full(len(X), forest.base, dtype=np.float32))


@pytest.mark.parametrize("params", LIGHTGBM, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_lightgbm_s_trees_score_as_the_library_does(seed: int, params: dict[str, Any]) -> None:
    text, booster = lightgbm_model(seed, **params)
    forest = read_lightgbm(text, WIDTH)
    edges = np.concatenate([tree.threshold[tree.splits] for tree in forest.trees])
    X = np.concatenate([made(seed + 9)[0], hard(made(seed)[0], edges, seed)])
    ours = sum((tree.leaves(X) for tree in forest.trees), np.zeros(len(X)))
    np.testing.assert_allclose(ours, booster.predict(X, num_threads=1), rtol=1e-12, atol=1e-15)
    numeric = forest.without_categories()
    assert not numeric.categorical_splits
    np.testing.assert_array_equal(scores(numeric, X), scores(forest, X))


@pytest.mark.parametrize("params", XGBOOST, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_xgboost_s_trees_score_as_the_library_does_to_the_last_bit(seed: int, params: dict[str, Any]) -> None:
    text, booster = xgboost_model(seed, **params)
    forest = read_xgboost(text, WIDTH)
    edges = np.concatenate([tree.threshold[tree.splits] for tree in forest.trees])
    X = np.concatenate([made(seed + 9)[0], hard(made(seed)[0], edges, seed)])
    theirs = booster.inplace_predict(X, validate_features=False)
    if params.get("booster") == "dart":  # it weighs leaves as it adds them
        np.testing.assert_allclose(scores(forest, X), theirs, atol=1e-6)
    else:
        np.testing.assert_array_equal(scores(forest, X), theirs)
    np.testing.assert_array_equal(scores(forest.without_categories(), X), scores(forest, X))


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
def test_a_second_oracle_reads_the_files_alike(kind: str, tmp_path: Path) -> None:
    treelite = pytest.importorskip("treelite", reason="needs the extra export")
    text, _ = lightgbm_model(1) if kind == "lightgbm" else xgboost_model(1)
    path = tmp_path / "model.txt"
    path.write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load = (
            treelite.frontend.load_lightgbm_model
            if kind == "lightgbm"
            else treelite.frontend.load_xgboost_model
        )
        model = load(path, **({} if kind == "lightgbm" else {"format_choice": "json"}))
    forest = (read_lightgbm if kind == "lightgbm" else read_xgboost)(text, WIDTH)
    X, _ = made(4)
    theirs = treelite.gtil.predict(model, X.astype(np.float64 if kind == "lightgbm" else np.float32)).reshape(
        -1
    )
    np.testing.assert_allclose(scores(forest, X), theirs, atol=1e-6)


def test_the_next_number_above_a_threshold_keeps_what_is_equal_left() -> None:
    rng = np.random.default_rng(0)
    edges = np.concatenate([rng.normal(size=2000) * 10.0 ** rng.integers(-30, 38, 2000), [5.0, -5.0]])
    exact = rng.normal(size=500).astype(np.float32).astype(np.float64)
    for edge in (edges, exact):
        above = least_right(edge)
        around = [np.nextafter(above, np.float32(to)) for to in (-np.inf, np.inf)]
        for x in (edge.astype(np.float32), above, *around):
            np.testing.assert_array_equal(x.astype(np.float64) <= edge, x < above)
    tiny = np.float32(1e-35)
    assert least_right(np.array([-1e-36, -float(tiny)])).tolist() == [-tiny, -tiny]
    assert least_right(np.array([-0.0, 1e-36])).tolist() == [np.nextafter(tiny, np.float32(1))] * 2
    assert least_right(np.array([np.inf])) == np.finfo(np.float32).max


@pytest.mark.parametrize(("params", "message"), [({"linear_tree": True}, "linear leaves"),
                                              ({"zero_as_missing": True}, "zeros that count as missing")])  # fmt: skip
def test_what_no_engine_can_hold_is_refused(params: dict[str, Any], message: str) -> None:
    X, y = made(0)
    data = lgb.Dataset(X, y, group=[20] * 20, params={"linear_tree": params.get("linear_tree", False)})
    text = lgb.train({"objective": "lambdarank", "verbosity": -1, **params}, data, 5).model_to_string()
    with pytest.raises(InputError, match=message):
        read_lightgbm(text, WIDTH)


def test_categories_that_would_grow_beyond_use_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    forest = read_lightgbm(lightgbm_model(0)[0], WIDTH)
    assert forest.categorical_splits
    monkeypatch.setattr(forests, "MOST_NODES", forest.nodes)
    with pytest.raises(InputError, match="max_categories"):
        forest.without_categories()


def test_bags_are_averaged() -> None:
    parts = [read_xgboost(xgboost_model(seed)[0], WIDTH) for seed in range(3)]
    X, _ = made(5)
    mean = np.mean([scores(part, X) for part in parts], axis=0)
    np.testing.assert_allclose(scores(Forest.mean(parts), X), mean, atol=1e-6)
