"""Ranking as classification: grades as classes, and a score from their probabilities.

Li, Burges and Wu, "McRank: learning to rank using multiple classification and gradient boosting" (2007).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ltr.data.gains import Gain, gains_of
from ltr.rankers.boosters.boosted import bad_data

Target = Literal["grades", "relevance"]
MOST_CLASSES = 32


def make_classes(grades: np.ndarray, target: Target, relevant_from: float) -> np.ndarray:
    """The lowest grade (k,) of each class, rising: every distinct grade, or 0 and `relevant_from`.

    Raises InputError for more grades than a class each makes sense for.
    """
    if target == "relevance":
        return np.array([0.0, relevant_from])
    classes = np.unique(grades)
    if len(classes) > MOST_CLASSES:
        raise bad_data(
            f"at most {MOST_CLASSES} distinct grades for objective grades",
            f"{len(classes):,}",
            "choose --objective relevance",
        )
    return classes


def labels_of(grades: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Class numbers (n,) int64: the highest class not above the grade, else the lowest class."""
    return (np.searchsorted(classes, grades, side="right") - 1).clip(min=0)


def expected_gain(log_odds: np.ndarray, classes: np.ndarray, target: Target, gain: Gain) -> np.ndarray:
    """Scores (n,) from log-odds (n, k): the log-odds of relevance, or the mean gain of the classes' grades.

    Log-odds, not the probability, so that sure pairs still differ.
    """
    if target == "relevance":
        return log_odds[:, 1] - log_odds[:, 0]
    return softmax(log_odds) @ gains_of(classes, gain)


def softmax(log_odds: np.ndarray) -> np.ndarray:
    """Probabilities (n, k) of log-odds known up to a constant per row."""
    raised = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
