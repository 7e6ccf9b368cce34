"""What a ranker refuses, and how it says so."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.rankers import LightGBMConfig, RankerConfig, XGBoostConfig, load_ranker, make_ranker

SMALL: dict[str, Any] = {"trees": 10, "leaves": 7, "threads": 1, "bags": 1, "feature_fraction": 1}
LIGHTGBM = LightGBMConfig(**SMALL, min_rows_per_leaf=5)
XGBOOST = XGBoostConfig(**SMALL)


def dataset(queries: int = 40, rows: int = 12, step: float = 1.0) -> Dataset:
    """One feature that gives the grades 0, step, 2 step, 3 step."""
    good = np.random.default_rng(0).normal(size=queries * rows)
    columns = {
        "query_id": np.repeat([f"q{i:03d}" for i in range(queries)], rows),
        "product_id": np.tile([f"p{i:05d}" for i in range(rows)], queries),
        "grade": np.digitize(good, [-0.7, 0, 0.7]) * step,
        "lexical.good": good,
    }
    return Dataset.from_frame(pl.DataFrame(columns))


def fitted_scores(config: RankerConfig, data: Dataset) -> np.ndarray:
    ranker = make_ranker(config)
    ranker.fit(data)
    return ranker.score(data)


@pytest.mark.parametrize("step", [1 / 3, 12], ids=["thirds", "up to 36"])
def test_xendcg_refuses_the_grades_it_would_misread(step: float) -> None:
    config = LightGBMConfig(objective="rank_xendcg", threads=1)
    with pytest.raises(InputError, match="choose --objective lambdarank"):
        make_ranker(config).fit(dataset(step=step))


@pytest.mark.parametrize("config", [LIGHTGBM, XGBOOST], ids=lambda config: config.kind)
@pytest.mark.parametrize(
    ("gain", "message"),
    [("exp", "grades up to 127"), ({0.0: 0.0, 200.0: 1.0, 400.0: 3.0}, "got 600; add it to ranker.gain")],
)
def test_grades_without_a_gain_are_told(config: RankerConfig, gain: Any, message: str) -> None:
    data = dataset(step=200)
    with pytest.raises(InputError, match=message):
        make_ranker(config.model_copy(update={"gain": gain})).fit(data)


def test_lightgbms_limit_of_rows_is_told_before_training() -> None:
    long = dataset(queries=1, rows=10_001)
    with pytest.raises(InputError, match="10,001 for query 'q000'; choose ranker xgboost"):
        make_ranker(LIGHTGBM).fit(long)
    assert np.isfinite(fitted_scores(XGBOOST.model_copy(update={"trees": 2}), long)).all()


@pytest.mark.parametrize(
    ("config", "params", "message"),
    [
        (LIGHTGBM, {"num_leafs": 3}, "did you mean 'num_leaf'"),
        (LIGHTGBM, {"label_gain": [0.0, 1.0]}, "'label_gain'; use the ranker's own settings"),
        (LIGHTGBM, {"device": "gpu"}, "'device'; use the ranker's own settings"),
        (LIGHTGBM, {"max_bin": 1}, "values that LightGBM accepts"),
        (XGBOOST, {"max_leafs": 3}, "did you mean 'max_leaves'"),
        (XGBOOST, {"random_state": 3}, "'random_state'; use the ranker's own settings"),
        (XGBOOST, {"eta": "fast"}, "values that XGBoost accepts"),
    ],
)
def test_library_parameters_are_checked(config: RankerConfig, params: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_ranker(config.model_copy(update={"params": params})).fit(dataset())


@pytest.mark.parametrize(
    ("config", "params", "settings"),
    [
        (LIGHTGBM, {"max_leaf": 3, "shrinkage_rate": 0.1}, {"leaves": 3, "learning_rate": 0.1}),
        (XGBOOST, {"max_leaves": 3, "eta": 0.1}, {"leaves": 3, "learning_rate": 0.1}),
    ],
)
def test_library_parameters_win_under_any_name(
    config: RankerConfig, params: dict[str, Any], settings: dict[str, Any]
) -> None:
    by_params, by_settings, neither = (
        fitted_scores(config.model_copy(update=update), dataset())
        for update in ({"params": params}, settings, {})
    )
    np.testing.assert_array_equal(by_params, by_settings)
    assert not np.array_equal(neither, by_settings)


def test_settings_are_strict() -> None:
    with pytest.raises(ValidationError):
        LightGBMConfig(num_leaves=3)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="at least 1 item"):
        LightGBMConfig(gain={})
    with pytest.raises(ValidationError):
        XGBoostConfig(gain={-1.0: 1.0})
    with pytest.raises(ValidationError):
        XGBoostConfig(objective="rank_xendcg")  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["no folder", "no model", "no JSON", "unknown kind", "cut model"])
@pytest.mark.parametrize("config", [LIGHTGBM, XGBOOST], ids=lambda config: config.kind)
def test_damaged_folders_are_told(config: RankerConfig, damage: str, tmp_path: Path) -> None:
    ranker = make_ranker(config)
    ranker.fit(dataset())
    ranker.save(tmp_path)
    (model,) = tmp_path.glob("model_0.*")
    about = tmp_path / "ranker.json"
    match damage:
        case "no folder":
            shutil.rmtree(tmp_path)
        case "no model":
            model.unlink()
        case "no JSON":
            about.write_text("{")
        case "unknown kind":
            about.write_text(about.read_text().replace(f'"{config.kind}"', '"__import__"'))
        case "cut model":
            model.write_text(model.read_text()[:100])
    with pytest.raises(InputError, match="a saved ranker"):
        load_ranker(tmp_path)
