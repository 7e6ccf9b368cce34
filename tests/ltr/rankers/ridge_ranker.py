"""A ranker from outside the package: ridge regression of the gains, weights of queries heeded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data import Dataset, gains_of
from ltr.rankers import Float, Limits, Range, RankerSettings
from ltr.rankers.model_files import read_models, write_models


class RidgeConfig(RankerSettings):
    """What the tests know beside the package's own kinds."""

    weighs = True
    limits = Limits(rows=700)

    kind: Literal["ridge"] = "ridge"
    objective: Literal["gains"] = "gains"
    l2: float = Field(1.0, gt=0)
    seed: int = 0

    def search_space(self) -> dict[str, Range]:
        return {"l2": Float(0.01, 100, log=True)}


class RidgeRanker:
    """Numbers clipped to five standard deviations, 0 where missing; a column for each category."""

    def __init__(self, config: RidgeConfig) -> None:
        self.config = config
        self.schema = FeatureSchema(())
        self.history = pl.DataFrame(schema={"bag": pl.Int64, "iteration": pl.Int64, "ndcg": pl.Float64})
        self._weights = np.empty(0)
        self._scale = np.empty((2, 0))

    @property
    def best_iteration(self) -> int:
        return 1

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None:
        if not train.X.size:
            raise InputError(
                where="training data",
                expected="pairs with features to train on",
                got=f"{len(train.X)} pairs with {train.X.shape[1]} features",
                cure="judge some",
            )
        gains = gains_of(train.grades, self.config.gain)
        self.schema = train.schema
        X = train.X.astype(np.float64)
        X[np.isnan(X)] = 0
        self._scale = np.stack([X.mean(axis=0), np.maximum(X.std(axis=0), 1e-9)])
        inputs = self._inputs(train.X)
        weights = np.ones(len(train.groups)) if train.weights is None else train.weights
        by_row = np.repeat(weights, train.groups)[:, None]
        squares = inputs.T @ (inputs * by_row) + self.config.l2 * np.eye(inputs.shape[1])
        self._weights = np.linalg.solve(squares, (inputs * by_row).T @ gains)

    def score(self, data: Dataset) -> np.ndarray:
        if data.schema != self.schema:
            self.schema.check(data.frame, "table to score")
        return (self._inputs(data.X) * self._weights).sum(axis=1)

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        columns = [np.ones(len(X))]
        for place, feature in enumerate(self.schema.features):
            values = X[:, place].astype(np.float64)
            if feature.kind == "categorical":
                columns += [values == code for code in range(len(feature.categories))]
            else:
                mean, spread = self._scale[:, place]
                columns.append(np.clip(np.nan_to_num((values - mean) / spread), -5, 5))
        return np.stack(columns, axis=1).astype(np.float64)

    def save(self, folder: Path) -> None:
        about = {
            "config": self.config.model_dump(mode="json"),
            "features": json.loads(self.schema.to_json()),
        }
        write_models(folder, about, [{"weights": self._weights, "scale": self._scale}])

    @classmethod
    def load(cls, folder: Path) -> Self:
        about, models = read_models(folder)
        ranker = cls(RidgeConfig.model_validate(about["config"]))
        ranker.schema = FeatureSchema.from_json(json.dumps(about["features"]))
        ranker._weights, ranker._scale = models[0]["weights"], models[0]["scale"]
        return ranker
