"""How well a pointwise ranker tells grades apart: accuracy, confusion matrix and log-loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ltr.evaluation.metrics import accuracy, confusion_matrix, log_loss
from ltr.rankers.networks.grade_classes import labels_of


@dataclass(frozen=True)
class Classification:
    """classes: (k,) the lowest grade of each; confusion: (k, k) pairs, true class down, predicted across."""

    classes: np.ndarray
    confusion: np.ndarray
    accuracy: float
    log_loss: float

    @property
    def pairs(self) -> int:
        return int(self.confusion.sum())

    @property
    def floor(self) -> float:
        """Log-loss of one who knows only how frequent each class is: what telling them apart has to beat."""
        shares = self.confusion.sum(axis=1) / self.pairs
        return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def classification(grades: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> Classification:
    """Measure a Classifier's probabilities (n, k) of pairs with these grades (n,); n is 1 or more.

    The predicted class is the likeliest one, the lower of two that are equally so. A pair whose grade
    training never saw counts to the class below it. Log-loss is in nats per pair.
    """
    labels = labels_of(grades, classes)
    predicted = probabilities.argmax(axis=1)
    return Classification(
        classes,
        confusion_matrix(labels, predicted, len(classes)),
        accuracy(labels, predicted),
        log_loss(labels, probabilities),
    )


def pooled(parts: Sequence[Classification]) -> Classification:
    """Of test parts that different models predicted: the figures of all their pairs together."""
    classes = np.unique(np.concatenate([part.classes for part in parts]))
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for part in parts:
        places = np.searchsorted(classes, part.classes)
        confusion[np.ix_(places, places)] += part.confusion
    weights = [part.pairs for part in parts]
    right = np.average([part.accuracy for part in parts], weights=weights)
    loss = np.average([part.log_loss for part in parts], weights=weights)
    return Classification(classes, confusion, float(right), float(loss))
