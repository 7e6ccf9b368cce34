"""YetiRank by CatBoost, an optional extra of the installation; on the CPU."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.rankers.boosters.boosted import (
    BoostedConfig,
    BoostedRanker,
    bad_params,
    library_names,
    merge_params,
    monotone_signs,
    thread_count,
)
from ltr.rankers.protocol import Limits, OnTree
from ltr.rankers.registry import register

ALIASES = {
    "eta": "learning_rate",
    "reg_lambda": "l2_leaf_reg",
    "colsample_bylevel": "rsm",
    "max_depth": "depth",
    "n_estimators": "iterations",
    "num_trees": "iterations",
    "num_boost_round": "iterations",
    "random_state": "random_seed",
    "objective": "loss_function",
    "num_leaves": "max_leaves",
    "min_child_samples": "min_data_in_leaf",
}
OWNED = frozenset(
    {"loss_function", "eval_metric", "custom_metric", "iterations", "task_type", "devices", "thread_count"}
    | {"random_seed", "monotone_constraints", "cat_features", "use_best_model", "od_type", "od_wait"}
    | {"early_stopping_rounds", "allow_writing_files", "train_dir", "verbose", "silent", "logging_level"}
)


class CatBoostConfig(BoostedConfig):
    """yetirank: Gulin, Kuralenok and Pavlov, Winning the Transfer Learning Track of Yahoo!'s Challenge, 2011.

    Its trees are symmetric, of depth log2(leaves): all nodes of a level ask the same question. CatBoost's own
    LambdaMART is not offered: on a toy world its scores grew without bound, and nDCG fell, tree after tree.
    """

    limits = Limits(rows=1_023, only_on=" on a GPU")

    kind: Literal["catboost"] = "catboost"
    objective: Literal["yetirank"] = "yetirank"


class CatBoostRanker(BoostedRanker[CatBoostConfig, Any]):
    """See CatBoostConfig; the same seed gives the same scores on the same machine."""

    config_class = CatBoostConfig
    suffix = ".cbm"

    def _check(self, train: Dataset, validation: Dataset | None) -> None:
        super()._check(train, validation)
        _library()
        if self.config.device != "cpu":
            raise InputError(
                where="ranker.device",
                expected="cpu for ranker catboost",
                got=self.config.device,
                cure="choose ranker xgboost for CUDA, lightgbm for OpenCL",
            )

    def _train(self, train: Dataset, validation: Dataset | None) -> tuple[list[Any], list[list[float]]]:
        params = self._params(train)
        matrix = self._matrix(train)
        held_out = [] if validation is None else [self._matrix(validation)]
        seeds = range(self.config.seed, self.config.seed + self.config.bags)
        try:
            runs = [self._train_one(params | {"random_seed": seed}, matrix, held_out) for seed in seeds]
        except _library().CatBoostError as error:
            if not self.config.params:
                raise
            reason = str(error).rsplit(": ", maxsplit=1)[-1].split("\n")[0]
            cure = "see CatBoost's documentation of parameters"
            raise bad_params("values that CatBoost accepts", reason, cure) from error
        return [booster for booster, _ in runs], [ndcg for _, ndcg in runs]

    def _params(self, train: Dataset) -> dict[str, Any]:
        config = self.config
        params: dict[str, Any] = {
            "loss_function": "YetiRank:mode=NDCG;type=Base",
            "eval_metric": self._metric,
            "iterations": config.trees,
            "learning_rate": config.learning_rate,
            "depth": min(16, max(1, round(math.log2(config.leaves)))),
            "l2_leaf_reg": config.l2,
            "rsm": config.feature_fraction,
            "bootstrap_type": "Bernoulli",
            "subsample": self._rows_of_a_tree(train),
            "one_hot_max_size": 255,  # no statistics of grades by category: each value for itself
            "thread_count": thread_count(config.threads, train.X),
            "allow_const_label": True,
            "allow_writing_files": False,
            "verbose": False,
        }
        signs = monotone_signs(train.schema, config.monotone)
        if any(signs):
            params["monotone_constraints"] = signs
        return merge_params(params, config.params, _main_names(), OWNED)

    @property
    def _metric(self) -> str:
        return f"NDCG:top={self.config.stop_at};type=Base"

    def _matrix(self, data: Dataset) -> Any:
        """Labels are gains, as for XGBoost, so that any grades will do."""
        return _pool(
            data.X,
            data.categorical,
            label=gains_of(data.grades, self.config.gain),
            group_id=np.repeat(np.arange(len(data.groups)), data.groups),
            feature_names=library_names(data.schema),
        )

    def _train_one(
        self, params: dict[str, Any], train: Any, held_out: Sequence[Any]
    ) -> tuple[Any, list[float]]:
        booster = _library().CatBoost(params)
        stops = bool(held_out and self.config.early_stopping_rounds)
        booster.fit(
            train,
            eval_set=held_out[0] if held_out else None,
            use_best_model=stops and not self._keeps_all,
            early_stopping_rounds=self.config.early_stopping_rounds if stops else None,
            callbacks=[_Watch(self.on_tree, self._metric)] if held_out and self.on_tree else None,
        )
        return booster, booster.get_evals_result()["validation"][self._metric] if held_out else []

    def _predict(self, booster: Any, X: np.ndarray, threads: int) -> np.ndarray:
        rows = _pool(X, self._categorical)
        return np.asarray(booster.predict(rows, thread_count=threads))

    def _contribute(self, booster: Any, X: np.ndarray, threads: int) -> np.ndarray:
        rows = _pool(X, self._categorical)
        return booster.get_feature_importance(rows, type="ShapValues", thread_count=threads)

    @property
    def _categorical(self) -> list[int]:
        return [i for i, feature in enumerate(self.schema.features) if feature.kind == "categorical"]

    @staticmethod
    def _cut(booster: Any, trees: int) -> Any:
        booster.shrink(trees)
        return booster

    def _count_trees(self, booster: Any) -> int:
        return booster.tree_count_

    @staticmethod
    def _write(booster: Any, path: Path) -> None:
        about = booster.get_metadata()
        for name in set(about.keys()) - {
            "catboost_version_info"
        }:  # times and such: the same model is the same file
            del about[name]
        booster.save_model(str(path))

    @staticmethod
    def _checked(path: Path, _features: int, /) -> bytes:
        """Its form is the library's own secret: that it is whole is told by its head, the rest by a trial."""
        data = path.read_bytes()
        if data[:4] != b"CBM1" or int.from_bytes(data[4:8], "little") > len(data) - 8:
            raise ValueError("not a whole CatBoost model")
        return data

    @classmethod
    def _read(cls, path: Path, features: int) -> Any:
        booster = _library().CatBoost().load_model(blob=cls._checked(path, features))
        if len(booster.feature_names_) != features:
            raise ValueError(f"a model over {len(booster.feature_names_)} features, not {features}")
        return booster


class _Watch:
    def __init__(self, on_tree: OnTree, metric: str) -> None:
        self._on_tree, self._metric = on_tree, metric

    def after_iteration(self, info: Any) -> bool:
        """Whether to go on: what CatBoost asks its callbacks."""
        return not self._on_tree(info.iteration, info.metrics["validation"][self._metric][-1])


def _pool(X: np.ndarray, categorical: list[int], **settings: Any) -> Any:
    """X with whole category codes, -1 for missing: CatBoost takes no float for a category."""
    rows: np.ndarray = X
    if categorical:
        rows = X.astype(object)
        codes = np.where(np.isnan(X[:, categorical]), -1, X[:, categorical])
        rows[:, categorical] = codes.astype(np.int64)
    return _library().Pool(rows, cat_features=categorical, **settings)


def _library() -> Any:
    """The package; InputError where the installation has none."""
    try:
        return importlib.import_module("catboost")
    except ImportError as error:
        raise InputError(
            where="ranker.kind",
            expected="the package catboost for ranker catboost",
            got="an installation without it",
            cure="run pip install 'shop-ltr[catboost]'",
        ) from error


@functools.cache
def _main_names() -> dict[str, str]:
    """Main name by alias, of every parameter that this version of CatBoost knows."""
    known = inspect.signature(_library().CatBoostClassifier.__init__).parameters
    return {name: name for name in known if name not in {"self", "kwargs"}} | ALIASES


register(CatBoostConfig, CatBoostRanker)
