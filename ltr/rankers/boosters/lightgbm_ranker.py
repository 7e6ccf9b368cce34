"""LambdaMART by LightGBM: lambdarank or rank_xendcg, on the CPU or over OpenCL."""

# ruff: noqa: PLC0415 - LightGBM takes half a second to import, and reading a config needs none

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ltr.data.dataset import Dataset
from ltr.data.gains import gain_levels, gains_of, whole_log_levels
from ltr.rankers.boosters.boosted import (
    BoostedConfig,
    BoostedRanker,
    bad_data,
    bad_params,
    library_names,
    merge_params,
    monotone_signs,
    thread_count,
)
from ltr.rankers.boosters.lightgbm_text import checked_text
from ltr.rankers.devices import LIGHTGBM_NAMES, check_lightgbm, silent_library
from ltr.rankers.protocol import Limits, OnTree
from ltr.rankers.registry import register
from ltr.rankers.search_space import Int, Range

if TYPE_CHECKING:
    import lightgbm as lgb

OWNED = frozenset(
    {"objective", "metric", "eval_at", "label_gain", "num_iterations", "early_stopping_round", "device_type"}
    | {"seed", "num_threads", "monotone_constraints", "categorical_feature"}
)


class LightGBMConfig(BoostedConfig):
    """lambdarank: Burges, From RankNet to LambdaRank to LambdaMART, 2010. rank_xendcg: Bruch, WWW 2021."""

    weighs = True
    limits = Limits(rows=10_000, label=30, whole=True)  # rows: the length of the library's table of discounts

    kind: Literal["lightgbm"] = "lightgbm"
    objective: Literal["lambdarank", "rank_xendcg"] = "lambdarank"
    min_rows_per_leaf: int = Field(20, ge=0)
    bagging_freq: int = Field(1, ge=0, description="draw the rows anew every so many trees")

    @property
    def weighs_rows(self) -> bool:
        return True

    def search_space(self) -> dict[str, Range]:
        return super().search_space() | {"min_rows_per_leaf": Int(5, 100, log=True)}


class LightGBMRanker(BoostedRanker[LightGBMConfig, "lgb.Booster"]):
    """See LightGBMConfig; the same seed gives the same model, byte for byte, on the same machine."""

    config_class = LightGBMConfig
    suffix = ".txt"

    def _check(self, train: Dataset, validation: Dataset | None) -> None:
        super()._check(train, validation)
        for part in _present(train, validation):
            _check_lengths(part, self.config.limits)
        check_lightgbm(self.config.device)

    def _train(
        self, train: Dataset, validation: Dataset | None
    ) -> tuple[list[lgb.Booster], list[list[float]]]:
        gains = [gains_of(part.grades, self.config.gain) for part in _present(train, validation)]
        labels, label_gain = self._labels(gains)
        params = self._params(train, label_gain)
        matrix = _matrix(train, labels[0])
        held_out = [] if validation is None else [_matrix(validation, labels[1], matrix)]
        seeds = range(self.config.seed, self.config.seed + self.config.bags)
        runs = [self._train_one(params | {"seed": seed}, matrix, held_out) for seed in seeds]
        return [booster for booster, _ in runs], [ndcg for _, ndcg in runs]

    def _labels(self, gains: list[np.ndarray]) -> tuple[list[np.ndarray], list[float]]:
        """Whole labels for each part, and the gain of every label: LightGBM takes no others.

        For lambdarank a label is the place of its gain among all gains, so any grades will do.
        """
        if self.config.objective == "rank_xendcg":
            labels = [whole_log_levels(part) for part in gains]
            top = int(max(part.max() for part in labels))
            return labels, [2.0**label - 1 for label in range(top + 1)]
        levels = gain_levels(*gains)
        return [np.searchsorted(levels, part) for part in gains], levels.tolist()

    def _params(self, train: Dataset, label_gain: list[float]) -> dict[str, Any]:
        config = self.config
        params: dict[str, Any] = {
            "objective": config.objective,
            "metric": "ndcg",
            "eval_at": [config.stop_at],
            "label_gain": label_gain,
            "learning_rate": config.learning_rate,
            "num_leaves": config.leaves,
            "min_data_in_leaf": config.min_rows_per_leaf,
            "lambda_l2": config.l2,
            "feature_fraction": config.feature_fraction,
            "bagging_fraction": self._rows_of_a_tree(train),
            "bagging_freq": config.bagging_freq,
            "device_type": LIGHTGBM_NAMES[config.device],
            "num_threads": thread_count(config.threads, train.X),
            "seed": config.seed,
            "deterministic": True,
            "force_row_wise": True,  # else it times both layouts and picks one: not the same each time
            "verbosity": -1,
        }
        signs = monotone_signs(train.schema, config.monotone)
        if any(signs):
            params["monotone_constraints"] = signs
        return merge_params(params, self.config.params, _main_names(), OWNED)

    def _train_one(
        self, params: dict[str, Any], train: lgb.Dataset, held_out: list[lgb.Dataset]
    ) -> tuple[lgb.Booster, list[float]]:
        import lightgbm as lgb

        seen: dict[str, Any] = {}
        callbacks: list[Callable[..., Any]] = [lgb.record_evaluation(seen)]
        if held_out and self.on_tree:
            callbacks.append(_Watch(self.on_tree))
        if held_out and self.config.early_stopping_rounds:
            callbacks.append(lgb.early_stopping(self.config.early_stopping_rounds, verbose=False))
        names = ["validation"] * len(held_out)
        try:
            booster = lgb.train(params, train, self.config.trees, held_out, names, callbacks=callbacks)
        except lgb.basic.LightGBMError as error:
            if not self.config.params:
                raise
            cure = "see LightGBM's documentation of parameters"
            raise bad_params("values that LightGBM accepts", str(error).split("\n")[0], cure) from error
        ndcg = seen["validation"][f"ndcg@{self.config.stop_at}"] if held_out else []
        return booster, [float(value) for value in ndcg]

    def _predict(self, booster: lgb.Booster, X: np.ndarray, threads: int) -> np.ndarray:
        return np.asarray(booster.predict(X, num_threads=threads))

    def _contribute(self, booster: lgb.Booster, X: np.ndarray, threads: int) -> np.ndarray:
        import lightgbm as lgb

        try:
            with silent_library():
                return np.asarray(booster.predict(X, pred_contrib=True, num_threads=threads))
        except lgb.basic.LightGBMError as error:
            cure = "train without ranker.params.linear_tree"
            raise bad_params("trees that LightGBM can explain", str(error).rstrip("."), cure) from error

    @staticmethod
    def _cut(booster: lgb.Booster, trees: int) -> lgb.Booster:
        booster.best_iteration = trees
        return booster

    def _count_trees(self, booster: lgb.Booster) -> int:
        return booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()

    @staticmethod
    def _write(booster: lgb.Booster, path: Path) -> None:
        # Up to the best iteration only; by Python, since the library does not say when the disk is full.
        path.write_text(booster.model_to_string(), encoding="utf-8")

    @staticmethod
    def _checked(path: Path, features: int, /) -> bytes:
        return checked_text(path.read_bytes(), features)

    @classmethod
    def _read(cls, path: Path, features: int) -> lgb.Booster:
        import lightgbm as lgb

        text = cls._checked(path, features).decode()
        try:
            with silent_library():
                return lgb.Booster(model_str=text)
        except lgb.basic.LightGBMError as error:
            raise ValueError(str(error)) from error


class _Watch:
    def __init__(self, on_tree: OnTree) -> None:
        self._on_tree = on_tree
        self.order = 25  # after the value is recorded, before early stopping may end the training

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        from lightgbm.callback import EarlyStopException

        results = env.evaluation_result_list or []
        if self._on_tree(env.iteration + 1, results[0][2]):
            raise EarlyStopException(env.iteration, results)


def _present(train: Dataset, validation: Dataset | None) -> list[Dataset]:
    return [train] if validation is None else [train, validation]


def _check_lengths(data: Dataset, limits: Limits) -> None:
    longest = int(np.argmax(data.groups))
    if limits.rows and data.groups[longest] > limits.rows:
        raise bad_data(
            f"at most {limits.rows:,} products a query for LightGBM",
            f"{data.groups[longest]:,} for query {data.query_ids[longest]!r}",
            "choose ranker xgboost, or keep fewer products of that query",
        )


def _matrix(data: Dataset, labels: np.ndarray, train: lgb.Dataset | None = None) -> lgb.Dataset:
    import lightgbm as lgb

    return lgb.Dataset(
        data.X,
        labels,
        reference=train,
        group=data.groups,
        position=data.positions if train is None else None,  # the library takes none of a validation part
        # By row: the lambdas and hessians of a query's pairs are multiplied by it.
        weight=data.row_weights,
        feature_name=library_names(data.schema) or "auto",
        categorical_feature=data.categorical,
    )


@functools.cache
def _main_names() -> dict[str, str]:
    """Main name by alias, of every parameter that this version of LightGBM knows.

    Given a parameter under two names LightGBM takes the main one, and an unknown one it ignores:
    a user's setting would be lost without a word.
    """
    import lightgbm as lgb

    known = lgb.basic._ConfigAliases._get_all_param_aliases()
    return {alias: name for name, aliases in known.items() for alias in (name, *aliases)}


register(LightGBMConfig, LightGBMRanker)
