"""What a ranker is, what its settings say of it, and what it may add: classes, contributions, being watched.

To add one: a class of settings, a class that keeps this protocol, and one call of `register` with both, in this
package or outside; then a line in the contract suite, tests/ltr/rankers/test_rankers.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import polars as pl

from features.feature_schema import FeatureSchema
from features.kinds import KindSettings
from ltr.data.dataset import Dataset
from ltr.data.gains import Gain
from ltr.data.limits import Limits
from ltr.rankers.search_space import Range

# Given a tree's number (from 1, in each bag) and its validation nDCG, it says whether to stop the training there.
OnTree = Callable[[int, float], bool]


class RankerSettings(KindSettings):
    """The parent of every ranker's settings: what commands, the doctor and the search ask of a kind.

    A subclass narrows `kind` to one literal word and `objective` to its own; every setting has a default. Settings
    that two kinds call alike mean the same to both: choosing another kind keeps them.
    """

    objective: str
    gain: Gain = "exp"

    weighs: ClassVar[bool] = False
    """Whether `fit` heeds the weights of queries; without, ltr.train refuses to learn from other sets too."""
    limits: ClassVar[Limits] = Limits()
    """What its library refuses, for the data doctor."""

    @property
    def weighs_rows(self) -> bool:
        """Whether `fit` heeds `Dataset.row_weights`; one that does not gets so many fewer rows of assumed grades."""
        return False

    def search_space(self) -> dict[str, Range]:
        """What ltr.tune tries by default, by setting; empty: it cannot be tuned."""
        return {}

    def check(self, schema: FeatureSchema) -> None:
        """Raise InputError, before anything is fitted, for settings that the whole table's features do not bear."""


class Ranker(Protocol):
    """Learns from graded pairs, then scores pairs that it has not seen.

    schema: the features that it was fitted on. history: bag, iteration (both from 1) and
    ndcg of the validation part, without rows where nothing was watched.
    """

    schema: FeatureSchema
    history: pl.DataFrame

    @property
    def config(self) -> RankerSettings:
        """Its settings."""

    @property
    def best_iteration(self) -> int:
        """Trees, epochs or steps kept; of several bags the rounded mean."""

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None:
        """Learn the order of each query's pairs; the validation part, where there is one, only stops it early.

        Every row has a grade; one that is assumed, not judged (`Dataset.assumed`), counts less where it weighs rows.

        The same data, settings and seed give the same scores, whatever the order of rows. Any finite grades from
        0 up will do, features may be missing (NaN), and categories are codes. Raises InputError for data,
        settings or a device that it cannot train with.
        """

    def score(self, data: Dataset) -> np.ndarray:
        """Finite scores (n,) float64 in the order of `data.frame`: higher is better, within a query.

        That frame is sorted; `data.as_given(scores)` has the order of the frame that the dataset was made from.

        A query's scores do not hang on the queries beside it. Raises InputError where the features are not those
        of training.
        """

    def save(self, folder: Path) -> None:
        """Write ranker.json, which holds the settings under `config`, and model files that no reader runs."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; scores are equal to the last bit.

        Raises InputError or ValueError for files that are not whole, and for ones that changed since.
        """


@runtime_checkable
class Classifier(Protocol):
    """A pointwise ranker that also says how sure it is of each class.

    classes: (k,) the lowest grade of each class, rising; the first also takes what lies below it.
    """

    classes: np.ndarray

    def probabilities(self, data: Dataset) -> np.ndarray:
        """(n, k) float64, rows that sum to 1, in the order of `data.frame`."""


@runtime_checkable
class Bagged(Protocol):
    """A ranker whose score is the mean of several models', fitted alike by other seeds: how far chance moves it."""

    def score_bags(self, data: Dataset) -> np.ndarray:
        """Scores (n, bags), as `score`, of each model."""


@runtime_checkable
class Explainable(Protocol):
    """A ranker whose score is a sum over its features."""

    schema: FeatureSchema

    @property
    def trees(self) -> int:
        """Trees in all bags together: what explaining a row costs."""

    def contributions(self, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """What each feature adds to each score, (n, f), and what is there before any feature, (n,); float64."""


@runtime_checkable
class Widening(Protocol):
    """An explainable ranker whose contributions are of more than it is given: of scores that it makes first."""

    def widened(self, data: Dataset) -> Dataset:
        """The same rows, with the features that `contributions` speaks of, in their order."""


@runtime_checkable
class Watchable(Protocol):
    """A ranker whose training ltr.tune can end early: it asks `on_tree` after each tree, where that is set."""

    on_tree: OnTree | None
