"""LambdaMART by XGBoost: rank:ndcg, rank:map or rank:pairwise, on the CPU or on CUDA."""

# ruff: noqa: PLC0415 - XGBoost takes half a second to import, and reading a config needs none

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

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
from ltr.rankers.boosters.xgboost_json import checked_json
from ltr.rankers.devices import check_xgboost
from ltr.rankers.protocol import Limits, OnTree
from ltr.rankers.registry import register
from ltr.rankers.search_space import Float, Range

if TYPE_CHECKING:
    import xgboost as xgb

ALIASES = {
    "eta": "learning_rate",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
    "min_split_loss": "gamma",
    "n_jobs": "nthread",
    "random_state": "seed",
}
# Setting the number of threads undoes a model's configuration: another thread that predicts just then would fail.
_ONE_AT_A_TIME = threading.Lock()
OWNED = frozenset(
    {"objective", "eval_metric", "ndcg_exp_gain", "device", "nthread", "seed", "monotone_constraints"}
)
# A setting makes the booster configure itself anew, and another thread that is predicting then fails.
_ONE_AT_A_TIME = threading.Lock()


class XGBoostConfig(BoostedConfig):
    """lambdarank is another name of rank:ndcg: Burges, From RankNet to LambdaRank to LambdaMART, 2010."""

    weighs = True
    limits = Limits(label=31)

    kind: Literal["xgboost"] = "xgboost"
    objective: Literal["lambdarank", "rank:ndcg", "rank:map", "rank:pairwise"] = "lambdarank"
    min_child_weight: float = Field(1.0, ge=0, description="least sum of second derivatives in a leaf")
    relevant_from: float = Field(1.0, gt=0, description="the lowest grade that rank:map calls relevant")

    def search_space(self) -> dict[str, Range]:
        return super().search_space() | {"min_child_weight": Float(0.01, 100, log=True)}


class XGBoostRanker(BoostedRanker[XGBoostConfig, "xgb.Booster"]):
    """See XGBoostConfig; the same seed gives the same model, byte for byte, on the same machine."""

    config_class = XGBoostConfig
    suffix = ".json"

    def _check(self, train: Dataset, validation: Dataset | None) -> None:
        super()._check(train, validation)
        check_xgboost(self.config.device)

    def _train(
        self, train: Dataset, validation: Dataset | None
    ) -> tuple[list[xgb.Booster], list[list[float]]]:
        import xgboost as xgb

        params = self._params(train)
        try:
            matrix = self._matrix(train, self._labels(train), params)
            held_out = []
            if validation is not None:
                # The metric reads labels as gains, so gains they are, even where rank:map trains on 0 and 1.
                held_out = [self._matrix(validation, self._gains(validation), params, matrix)]
            seeds = range(self.config.seed, self.config.seed + self.config.bags)
            runs = [self._train_one(params | {"seed": seed}, matrix, held_out) for seed in seeds]
        except xgb.core.XGBoostError as error:
            if not self.config.params:
                raise
            cure = "see XGBoost's documentation of parameters"
            raise bad_params("values that XGBoost accepts", str(error).split("\n")[0], cure) from error
        return [booster for booster, _ in runs], [ndcg for _, ndcg in runs]

    def _gains(self, data: Dataset) -> np.ndarray:
        return gains_of(data.grades, self.config.gain)

    def _labels(self, data: Dataset) -> np.ndarray:
        """Gains, with the library's own exponential switched off, so that any grades will do."""
        if self.config.objective == "rank:map":
            return (data.grades >= self.config.relevant_from).astype(np.float64)
        return self._gains(data)

    def _params(self, train: Dataset) -> dict[str, Any]:
        config = self.config
        params: dict[str, Any] = {
            "objective": "rank:ndcg" if config.objective == "lambdarank" else config.objective,
            "eval_metric": f"ndcg@{config.stop_at}",
            "ndcg_exp_gain": False,
            "learning_rate": config.learning_rate,
            "grow_policy": "lossguide",  # best leaf first, as LightGBM grows
            "max_leaves": config.leaves,
            "max_depth": 0,
            "min_child_weight": config.min_child_weight,
            "lambda": config.l2,
            "colsample_bytree": config.feature_fraction,
            "subsample": config.bagging_fraction,
            "device": config.device,
            "nthread": thread_count(config.threads, train.X),
            "seed": config.seed,
        }
        signs = monotone_signs(train.schema, config.monotone)
        if any(signs):
            params["monotone_constraints"] = tuple(signs)
        return merge_params(params, config.params, _main_names(), OWNED)

    def _matrix(
        self, data: Dataset, labels: np.ndarray, params: dict[str, Any], train: xgb.DMatrix | None = None
    ) -> xgb.QuantileDMatrix:
        import xgboost as xgb

        return xgb.QuantileDMatrix(
            data.X,
            labels,
            ref=train,
            group=data.groups,
            weight=data.query_weights,  # by query, and scaled by the library to a mean of 1
            feature_names=library_names(data.schema),
            feature_types=["c" if feature.kind == "categorical" else "q" for feature in data.schema.features],
            enable_categorical=True,
            max_bin=params.get("max_bin"),
            nthread=params["nthread"],
        )

    def _train_one(
        self, params: dict[str, Any], train: xgb.DMatrix, held_out: Sequence[xgb.DMatrix]
    ) -> tuple[xgb.Booster, list[float]]:
        import xgboost as xgb

        seen: dict[str, Any] = {}
        stops = held_out and self.config.early_stopping_rounds
        booster = xgb.train(
            params,
            train,
            self.config.trees,
            evals=[(part, "validation") for part in held_out],
            early_stopping_rounds=self.config.early_stopping_rounds if stops else None,
            evals_result=seen,
            verbose_eval=False,
            callbacks=[_watch(self.on_tree, params["eval_metric"])] if held_out and self.on_tree else None,
        )
        if stops and not self._keeps_all:
            booster = booster[: booster.best_iteration + 1]
        booster.set_param({"device": "cpu"})
        return booster, seen["validation"][params["eval_metric"]] if held_out else []

    def _predict(self, booster: xgb.Booster, X: np.ndarray, threads: int) -> np.ndarray:
        with _ONE_AT_A_TIME:
            booster.set_param({"nthread": threads})
            return booster.inplace_predict(X, validate_features=False)

    def _contribute(self, booster: xgb.Booster, X: np.ndarray, threads: int) -> np.ndarray:
        import xgboost as xgb

        types = ["c" if feature.kind == "categorical" else "q" for feature in self.schema.features]
        rows = xgb.DMatrix(X, feature_types=types, enable_categorical=True, nthread=threads)
        with _ONE_AT_A_TIME:
            booster.set_param({"nthread": threads})
            return booster.predict(rows, pred_contribs=True, validate_features=False)

    @staticmethod
    def _cut(booster: xgb.Booster, trees: int) -> xgb.Booster:
        kept = booster[:trees]
        kept.set_param({"device": "cpu"})
        return kept

    def _count_trees(self, booster: xgb.Booster) -> int:
        return booster.num_boosted_rounds()

    @staticmethod
    def _write(booster: xgb.Booster, path: Path) -> None:
        path.write_bytes(booster.save_raw("json"))  # by Python, which says when the disk is full

    @staticmethod
    def _checked(path: Path, features: int, /) -> bytes:
        return checked_json(path.read_bytes(), features)

    @classmethod
    def _read(cls, path: Path, features: int) -> xgb.Booster:
        import xgboost as xgb

        return xgb.Booster(model_file=bytearray(cls._checked(path, features)))


def _watch(on_tree: OnTree, metric: str) -> xgb.callback.TrainingCallback:
    from xgboost.callback import TrainingCallback

    class Watch(TrainingCallback):
        def after_iteration(self, _: xgb.Booster, epoch: int, evals_log: dict[str, Any]) -> bool:
            return on_tree(epoch + 1, evals_log["validation"][metric][-1])

    return Watch()


@functools.cache
def _main_names() -> dict[str, str]:
    """Main name by alias, of every parameter that this version of XGBoost knows (it only warns of others).

    The library lists them itself, in the resolved configuration of a toy model.
    """
    import xgboost as xgb

    toy = xgb.DMatrix(np.zeros((2, 1)), [0, 1], group=[2], nthread=1)
    booster = xgb.train(
        {"objective": "rank:ndcg", "tree_method": "hist", "nthread": 1}, toy, num_boost_round=1
    )
    names = dict(_leaves(json.loads(booster.save_config())["learner"]))
    return {name: name for name in names} | ALIASES


def _leaves(tree: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, dict | list):
            yield from _leaves(value)
        else:
            yield str(key), value


register(XGBoostConfig, XGBoostRanker)
