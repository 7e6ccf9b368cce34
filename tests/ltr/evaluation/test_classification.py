"""Pointwise rankers as classifiers: figures as scikit-learn has them, and probabilities worth the name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.evaluation.classification import classification
from ltr.rankers import (
    Classifier,
    LightGBMConfig,
    LogisticConfig,
    MLPConfig,
    NeuralConfig,
    load_ranker,
    make_ranker,
)
from ltr.rankers.networks.grade_classes import MOST_CLASSES, labels_of, make_classes
from tests.ltr.rankers.test_rankers import dataset, world

FAST: dict[str, Any] = {"epochs": 6, "learning_rate": 0.01, "batch_rows": 128, "hidden": (32,), "threads": 1}
CLASSIFIERS = [
    LogisticConfig(),
    LogisticConfig(objective="relevance", relevant_from=2),
    MLPConfig(**FAST),
    MLPConfig(**FAST, objective="relevance", relevant_from=2, bags=2),
]
every_classifier = pytest.mark.parametrize(
    "config", CLASSIFIERS, ids=lambda config: f"{config.kind}-{config.objective}"
)


@given(labels=st.lists(st.integers(0, 2), min_size=1, max_size=30), seed=st.integers(0, 1000))
def test_figures_agree_with_scikit_learn(labels: list[int], seed: int) -> None:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), len(labels))
    classes = np.array([0.0, 1.5, 4.0])
    found = classification(classes[labels], probabilities, classes)
    predicted = probabilities.argmax(axis=1)
    assert found.accuracy == accuracy_score(labels, predicted)
    assert found.log_loss == pytest.approx(log_loss(labels, probabilities, labels=[0, 1, 2]))
    np.testing.assert_array_equal(found.confusion, confusion_matrix(labels, predicted, labels=[0, 1, 2]))


@every_classifier
def test_probabilities_tell_grades_apart(config: Any, tmp_path) -> None:
    ranker: Any = make_ranker(config)
    ranker.fit(dataset(), dataset(seed=2))
    assert isinstance(ranker, Classifier)
    test = dataset(seed=1)
    probabilities = ranker.probabilities(test)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    found = classification(test.grades, probabilities, ranker.classes)
    rates = np.bincount(labels_of(test.grades, ranker.classes)) / len(test.X)
    assert found.accuracy > rates.max() + 0.2
    assert found.log_loss < -(rates * np.log(rates)).sum() - 0.2  # knowing the rates alone
    ranker.save(tmp_path)
    loaded: Any = load_ranker(tmp_path)
    np.testing.assert_array_equal(loaded.classes, ranker.classes)
    np.testing.assert_array_equal(loaded.probabilities(test), probabilities)


@pytest.mark.parametrize("config", [LightGBMConfig(), NeuralConfig()], ids=lambda config: config.kind)
def test_listwise_rankers_are_no_classifiers(config: Any) -> None:
    assert not isinstance(make_ranker(config), Classifier)


@pytest.mark.parametrize("kind", [LogisticConfig, MLPConfig])
def test_relevance_is_scored_by_its_log_odds(kind: Any) -> None:
    ranker: Any = make_ranker(
        kind(objective="relevance", relevant_from=2, **({} if kind is LogisticConfig else FAST))
    )
    ranker.fit(dataset())
    test = dataset(seed=1)
    odds = ranker.probabilities(test)
    np.testing.assert_allclose(ranker.score(test), np.log(odds[:, 1] / odds[:, 0]), atol=1e-5)


def test_grades_are_scored_by_their_expected_gain() -> None:
    ranker: Any = make_ranker(LogisticConfig(gain={0: 0, 1: 10, 2: 11, 3: 50}))
    ranker.fit(dataset())
    test = dataset(seed=1)
    np.testing.assert_allclose(ranker.score(test), ranker.probabilities(test) @ [0, 10, 11, 50], rtol=1e-6)


def test_a_class_that_training_lacks_is_hardly_ever_expected() -> None:
    flat = Dataset.from_frame(world().with_columns(grade=world()["grade"].clip(0, 1)))
    ranker: Any = make_ranker(LogisticConfig(objective="relevance", relevant_from=2))
    ranker.fit(flat)
    assert ranker.probabilities(dataset(seed=1))[:, 1].max() < 1e-9


def test_grades_between_classes_count_to_the_one_below() -> None:
    classes = np.array([0.5, 1.0, 3.0])
    assert labels_of(np.array([0.0, 0.5, 0.9, 1.0, 2.9, 3.0, 9.0]), classes).tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_too_many_grades_for_a_class_each_are_told() -> None:
    with pytest.raises(InputError, match="--objective relevance"):
        make_classes(np.arange(MOST_CLASSES + 1.0), "grades", 1.0)
