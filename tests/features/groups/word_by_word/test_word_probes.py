"""Probes against scikit-learn's ridge regression, refitted for each example left out."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import Ridge

from features.encoders.vectors import RowVectors
from features.groups.word_by_word.word_probes import Scatter, WordProbes

Example = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """Vectors (u, d), the vector of each example (n,), and its words (n, w); vectors may be shared."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n, d, w = draw(st.integers(5, 30)), draw(st.integers(1, 8)), draw(st.integers(1, 5))
    vectors = (rng.normal(size=(n + 2, d)) * 10.0 ** rng.uniform(-2, 2, d)).astype(np.float32)
    rows = rng.integers(0, n + 2, n) if draw(st.booleans()) else np.arange(n)
    return vectors, rows, (rng.random((n, w)) < rng.random(w)).astype(np.float32)


def fitted(vectors: np.ndarray, rows: np.ndarray, words: np.ndarray) -> tuple[WordProbes, Scatter]:
    scatter = Scatter.of(vectors, rows)
    return WordProbes.fit(scatter, vectors, rows, sparse.csr_array(words)), scatter


def standardised(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n, d) the examples' vectors, every dimension by its own spread."""
    X = vectors[rows].astype(np.float64)
    spread = X.std(axis=0)
    return X / np.where(spread > 1e-6 * spread.max(), spread, np.inf)


def answers_left_out(X: np.ndarray, words: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """(n, w) of each example, by ridge regression fitted without it; penalties: (w,)."""
    found = np.zeros(words.shape)
    for left_out in range(len(X)):
        others = np.arange(len(X)) != left_out
        one = Ridge(alpha=penalties, solver="svd").fit(X[others], words[others])
        found[left_out] = one.predict(X[[left_out]]).ravel()
    return found


def entries(example: Example) -> tuple[RowVectors, np.ndarray, np.ndarray]:
    """Every example with every word: vectors, words and whether it has it, (n · w,)."""
    vectors, rows, words = example
    n, w = words.shape
    return RowVectors(vectors, np.repeat(rows, w)), np.tile(np.arange(w), n), words.ravel()


@settings(max_examples=40, deadline=None)
@given(examples())
def test_estimates_are_those_of_ridge_regression(example: Example) -> None:
    vectors, rows, words = example
    probes, scatter = fitted(*example)
    X = standardised(vectors, rows)
    reference = Ridge(alpha=scatter.penalties[probes.strength]).fit(X, words)
    at, word, said = entries(example)
    found = probes.chances(at, word, said, np.zeros(len(word))).reshape(words.shape)
    expected = reference.predict(X).reshape(words.shape)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(probes.spread, expected.std(axis=0), atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(examples())
def test_an_example_has_no_say_in_its_own_estimate(example: Example) -> None:
    vectors, rows, words = example
    probes, scatter = fitted(*example)
    at, word, said = entries(example)
    leverages = probes.of_words(scatter.leverages(vectors), at.rows, word)
    found = probes.chances(at, word, said, leverages).reshape(words.shape)
    expected = answers_left_out(standardised(vectors, rows), words, scatter.penalties[probes.strength])
    # Some vectors span too little for the weakest penalties: both ways then lose digits.
    np.testing.assert_allclose(found, expected, atol=2e-3, rtol=2e-3)


def test_the_penalty_is_weak_where_vectors_tell_the_word_and_strong_where_they_are_noise() -> None:
    """In one fit, whatever the other words are."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 40)).astype(np.float32)
    estimates, noise = vectors[:, 0] > 0, rng.random(400) < 0.5
    words = np.column_stack([estimates, noise]).astype(np.float32)
    probes, _ = fitted(vectors, np.arange(400), words)
    assert probes.strength[0] < probes.strength[1]


@settings(max_examples=10, deadline=None)
@given(examples())
def test_each_words_penalty_is_that_of_its_least_error_on_examples_left_out(example: Example) -> None:
    """Every penalty tried by scikit-learn, fitted without each example in turn."""
    vectors, rows, words = example
    probes, scatter = fitted(*example)
    X = standardised(vectors, rows)
    missed = [answers_left_out(X, words, np.full(words.shape[1], one)) - words for one in scatter.penalties]
    errors = np.array([(one**2).sum(axis=0) for one in missed])
    chosen = errors[probes.strength, np.arange(words.shape[1])]
    np.testing.assert_allclose(chosen, errors.min(axis=0), rtol=1e-3, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(examples())
def test_profiles_weigh_directions_by_how_far_held_out_answers_go_with_the_words(example: Example) -> None:
    """Against the same written plainly: every example's answers by scikit-learn, fitted without it."""
    vectors, rows, words = example
    probes, scatter = fitted(*example)
    X = standardised(vectors, rows)
    share, penalties = words.mean(axis=0), scatter.penalties[probes.strength]
    deviation = np.sqrt(np.maximum(share * (1 - share), 1 / len(words)))
    answers = (answers_left_out(X, words, penalties) - share) / deviation
    said = (words - share) / deviation
    together = answers.T @ said
    shared, directions = np.linalg.eigh((together + together.T) / 2)
    apart = np.abs(np.subtract.outer(shared, shared))[~np.eye(len(shared), dtype=bool)]
    assume(np.abs(shared).min() > 1e-2 and (not len(apart) or apart.min() > 1e-2))
    directions = directions[:, shared > 0]
    ours, theirs = answers @ directions, said @ directions
    close = (ours * theirs).sum(axis=0) / np.linalg.norm(ours, axis=0) / np.linalg.norm(theirs, axis=0)
    scale = np.maximum(close, 0) / np.sqrt((ours**2).mean(axis=0))
    plain = (vectors - probes.mean) @ probes.weights.T / deviation @ directions * scale
    lengths = np.linalg.norm(plain, axis=1)
    clear = lengths > 1e-2 * lengths.max(initial=0) + 1e-9
    unit = plain[clear] / lengths[clear, np.newaxis]
    found = probes.profiles(vectors)
    np.testing.assert_allclose((found @ found.T)[np.ix_(clear, clear)], unit @ unit.T, atol=2e-2)


@pytest.mark.parametrize("seed", range(4))
def test_words_by_chance_do_not_blur_what_photos_show(seed: int) -> None:
    """Two aspects of four values each, few of whose words are said, among 60 words that no photo shows."""
    rng = np.random.default_rng(seed)
    aspects = rng.integers(0, 4, size=(500, 2))
    seen = np.column_stack([np.eye(4)[aspects[:, 0]], 0.3 * np.eye(4)[aspects[:, 1]]])
    vectors = np.column_stack([seen, 0.1 * rng.normal(size=(500, 60))]).astype(np.float32)
    shown = np.column_stack([np.eye(4)[aspect] for aspect in aspects.T]) * (rng.random((500, 8)) < 0.4)
    words = np.column_stack([shown, rng.random((500, 60)) < 0.1]).astype(np.float32)
    profiles = fitted(vectors, np.arange(500), words)[0].profiles(vectors)
    alike = profiles @ profiles.T
    shared = (aspects[:, np.newaxis] == aspects).sum(axis=2)
    means = [alike[shared == count].mean() for count in range(3)]
    assert means[0] + 0.2 < means[1] < means[2] - 0.2
    assert (alike[shared == 2] > 0.5).mean() > 0.9


def test_what_has_no_vector_has_no_estimate() -> None:
    vectors = np.eye(4, dtype=np.float32)
    probes, scatter = fitted(vectors, np.arange(4), np.eye(4, 2, dtype=np.float32))
    at = RowVectors(vectors, np.array([0, -1]))
    leverages = probes.of_words(scatter.leverages(vectors), at.rows, np.array([0, 0]))
    found = probes.chances(at, np.array([0, 0]), np.array([1.0, 0.0]), leverages)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


@pytest.mark.parametrize("has", [0.0, 1.0])
def test_a_word_that_none_or_all_have_is_known_of_all(has: float) -> None:
    vectors = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    probes, scatter = fitted(vectors, np.arange(9), np.full((9, 1), has, dtype=np.float32))
    at, none = RowVectors(vectors, np.arange(9)), np.zeros(9, dtype=np.int64)
    chances = probes.chances(at, none, np.full(9, has), scatter.leverages(vectors)[:, 0])
    np.testing.assert_allclose(chances, has, atol=1e-6)
    np.testing.assert_allclose(probes.standing(chances, none), 0, atol=1e-6)


def test_without_examples_nothing_is_known() -> None:
    vectors = np.eye(3, dtype=np.float32)
    probes, _ = fitted(vectors, np.zeros(0, dtype=np.int64), np.zeros((0, 2), np.float32))
    at = RowVectors(vectors, np.arange(3))
    zeros = np.zeros(3, dtype=np.int64)
    assert probes.chances(at, zeros, np.zeros(3), np.zeros(3)).tolist() == [0, 0, 0]
    assert not probes.profiles(vectors).any()
