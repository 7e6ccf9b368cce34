"""How well a pointwise ranker tells grades apart: accuracy, confusion matrix and log-loss."""

from __future__ import annotations

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
