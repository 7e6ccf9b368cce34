"""Logistic regression over standardised features: pointwise, on grades or on relevance."""

# ruff: noqa: PLC0415 - scikit-learn takes a second to import, and the boosters need none

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field

from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.rankers.boosters.boosted import HISTORY, bad_data
from ltr.rankers.model_files import read_models, write_models
from ltr.rankers.networks.grade_classes import expected_gain, labels_of, make_classes, softmax
from ltr.rankers.networks.standardiser import Standardiser
from ltr.rankers.protocol import RankerSettings
from ltr.rankers.registry import register


class LogisticConfig(RankerSettings):
    """grades: one class per grade, scored by expected gain; relevance: `relevant_from` or not, by log-odds."""

    kind: Literal["logistic"] = "logistic"
    objective: Literal["grades", "relevance"] = "grades"
    relevant_from: float = Field(1.0, gt=0, description="the lowest grade that objective relevance calls so")
    l2: float = Field(10.0, gt=0, description="pull of the squared weights, against the sum over all pairs")
    steps: int = Field(200, ge=1, description="of L-BFGS, at most")

    @property
    def weighs_rows(self) -> bool:
        return True


class LogisticRanker:
    """See LogisticConfig. The fit is convex: no seed, nothing to stop early, and no history.

    classes: (k,) the lowest grade of each class, rising.
    """

    def __init__(self, config: LogisticConfig | None = None) -> None:
        self.config = config or LogisticConfig()
        self.schema = FeatureSchema(())
        self.history = pl.DataFrame(schema=HISTORY)
        self.classes = np.empty(0)
        self._standardiser = Standardiser((), (), (), (), ())
        self._weights = np.empty((0, 0))
        self._steps = 0

    @property
    def best_iteration(self) -> int:
        """Steps of L-BFGS taken."""
        return self._steps

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None:  # noqa: ARG002 - the protocol's
        """Train on graded pairs; InputError for none, no feature, or too many distinct grades."""
        if not train.X.size:
            got = f"{len(train.X)} pairs with {train.X.shape[1]} features"
            raise bad_data(
                "pairs with features to train on", got, "check the judgements and the feature groups"
            )
        config = self.config
        gains_of(train.grades, config.gain)
        self.classes = make_classes(train.grades, config.objective, config.relevant_from)
        self.schema = train.schema
        self._standardiser = Standardiser.fit(train.X, train.schema)
        labels = labels_of(train.grades, self.classes)
        self._weights = self._fit_weights(self._standardiser.transform(train.X), labels, train.row_weights)

    def _fit_weights(
        self, inputs: np.ndarray, labels: np.ndarray, row_weights: np.ndarray | None
    ) -> np.ndarray:
        """(classes, inputs) float64 log-odds per unit; a class without pairs keeps very low odds."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        present = np.unique(labels)
        weights = np.zeros((len(self.classes), inputs.shape[1]))
        if len(present) < len(self.classes):
            weights[:, -1] = np.where(np.isin(np.arange(len(self.classes)), present), 0.0, -30.0)
        if len(present) == 1:
            self._steps = 0
            return weights
        # The last input is 1 everywhere, so the constant term is among the weights.
        model = LogisticRegression(C=1 / self.config.l2, fit_intercept=False, max_iter=self.config.steps)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # steps are a setting; the rest is fine detail
            model.fit(inputs.astype(np.float64), labels, row_weights)
        self._steps = int(model.n_iter_.max())
        weights[present] = (
            model.coef_ if len(present) > 2 else np.vstack([np.zeros_like(model.coef_), model.coef_])
        )
        return weights

    def score(self, data: Dataset) -> np.ndarray:
        """Scores (n,) float64 in the order of `data.frame`; InputError for other features than training's."""
        config = self.config
        scores = expected_gain(self._log_odds(data), self.classes, config.objective, config.gain)
        return scores.astype(np.float32).astype(
            np.float64
        )  # sums differ in the last bits with the rows beside

    def probabilities(self, data: Dataset) -> np.ndarray:
        """(n, k) float64, rows that sum to 1, by `classes`."""
        return softmax(self._log_odds(data))

    def _log_odds(self, data: Dataset) -> np.ndarray:
        if data.schema != self.schema:
            self.schema.check(data.frame, "table to score")
        return self._standardiser.transform(data.X).astype(np.float64) @ self._weights.T

    def save(self, folder: Path) -> None:
        """Write ranker.json and the weights."""
        about = {
            "config": self.config.model_dump(mode="json"),
            "features": json.loads(self.schema.to_json()),
            "classes": self.classes.tolist(),
            "standardiser": self._standardiser.to_json(),
            "steps": self._steps,
        }
        write_models(folder, about, [{"weights": self._weights}])

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; scores are equal to the last bit. InputError for a file that changed."""
        about, models = read_models(folder)
        ranker = cls(LogisticConfig.model_validate(about["config"]))
        ranker.schema = FeatureSchema.from_json(json.dumps(about["features"]))
        ranker.classes = np.array(about["classes"])
        ranker._standardiser = Standardiser.from_json(about["standardiser"])
        ranker._weights, ranker._steps = models[0]["weights"], about["steps"]
        return ranker


register(LogisticConfig, LogisticRanker)
