"""A multilayer perceptron over standardised features, pointwise: the field's older recipe."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from ltr.data.dataset import Dataset
from ltr.rankers.networks.grade_classes import expected_gain, make_classes, softmax
from ltr.rankers.networks.network import NetworkRanker
from ltr.rankers.networks.network_settings import MLPConfig
from ltr.rankers.networks.query_batches import QueryBatch


class MLPRanker(NetworkRanker[MLPConfig]):
    """See MLPConfig; trained by the log-loss of a pair's class.

    classes: (k,) the lowest grade of each class, rising.
    """

    config_class = MLPConfig

    def probabilities(self, data: Dataset) -> np.ndarray:
        """(n, k) float64, rows that sum to 1, by `classes`; the mean over bags."""
        return np.mean([softmax(outputs) for outputs in self._outputs(data)], axis=0)

    def _make_classes(self, grades: np.ndarray) -> np.ndarray:
        return make_classes(grades, self.config.objective, self.config.relevant_from)

    def _build(self) -> nn.Module:
        widths = [len(self._standardiser.sources), *self.config.hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(self.config.dropout)]
        return nn.Sequential(*layers, nn.Linear(widths[-1], len(self.classes)))

    def _loss(self, outputs: Tensor, batch: QueryBatch) -> Tensor:
        return functional.cross_entropy(outputs, batch.labels)

    def _to_scores(self, outputs: np.ndarray) -> np.ndarray:
        return expected_gain(outputs, self.classes, self.config.objective, self.config.gain)
