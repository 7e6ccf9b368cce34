"""Probes against scikit-learn's ridge regression, refitted for each example left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import Ridge

from features.encoders.vectors import RowVectors
from features.groups.word_probes import WordProbes

Example = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """Vectors (u, d), the vector of each example (n,), and its words (n, w); vectors may be shared."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n, d, w = draw(st.integers(5, 30)), draw(st.integers(1, 8)), draw(st.integers(1, 5))
    vectors = (rng.normal(size=(n + 2, d)) * 10.0 ** rng.uniform(-2, 2, d)).astype(np.float32)
    rows = rng.integers(0, n + 2, n) if draw(st.booleans()) else np.arange(n)
    return vectors, rows, (rng.random((n, w)) < rng.random(w)).astype(np.float32)


def fitted(example: Example) -> WordProbes:
    vectors, rows, words = example
    return WordProbes.fit(vectors, rows, sparse.csr_array(words))


def standardised(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n, d) the examples' vectors, every dimension by its own spread."""
    X = vectors[rows].astype(np.float64)
    spread = X.std(axis=0)
    return X / np.where(spread > 1e-6 * spread.max(), spread, np.inf)


def entries(example: Example) -> tuple[RowVectors, np.ndarray, np.ndarray]:
    """Every example with every word: vectors, words and whether it has it, (n · w,)."""
    vectors, rows, words = example
    n, w = words.shape
    return RowVectors(vectors, np.repeat(rows, w)), np.tile(np.arange(w), n), words.ravel()


@settings(max_examples=40, deadline=None)
@given(examples())
def test_estimates_are_those_of_ridge_regression(example: Example) -> None:
    vectors, rows, words = example
    probes = fitted(example)
    X = standardised(vectors, rows)
    reference = Ridge(alpha=probes.penalty).fit(X, words)
    at, word, said = entries(example)
    found = probes.chances(at, word, said, np.zeros(len(word))).reshape(words.shape)
    expected = reference.predict(X).reshape(words.shape)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(probes.spread, expected.std(axis=0), atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(examples())
def test_an_example_has_no_say_in_its_own_estimate(example: Example) -> None:
    vectors, rows, words = example
    probes = fitted(example)
    at, word, said = entries(example)
    found = probes.chances(at, word, said, probes.leverages(vectors)[at.rows]).reshape(words.shape)
    X = standardised(vectors, rows)
    for left_out in range(len(rows)):
        others = np.arange(len(rows)) != left_out
        # Some vectors span too little for the weakest penalties: both ways then lose digits.
        reference = Ridge(alpha=probes.penalty, solver="svd").fit(X[others], words[others])
        expected = reference.predict(X[[left_out]]).ravel()
        np.testing.assert_allclose(found[left_out], expected, atol=2e-3, rtol=2e-3)


def test_the_penalty_is_weak_where_vectors_tell_the_word_and_strong_where_they_are_noise() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 40)).astype(np.float32)
    told = sparse.csr_array((vectors[:, :1] > 0).astype(np.float32))
    noise = sparse.csr_array((rng.random((400, 1)) < 0.5).astype(np.float32))
    rows = np.arange(400)
    weak = WordProbes.fit(vectors, rows, told).penalty
    strong = WordProbes.fit(vectors, rows, noise).penalty
    assert weak < strong


@settings(max_examples=40, deadline=None)
@given(examples())
def test_profiles_are_cosines_of_all_the_standardised_answers(example: Example) -> None:
    vectors, _, words = example
    probes = fitted(example)
    variance = np.maximum(probes.share * (1 - probes.share), 1 / len(words))
    answers = (vectors - probes.mean) @ probes.weights.T / np.sqrt(variance)
    found = probes.profiles(vectors)
    lengths = np.linalg.norm(answers, axis=1)
    clear = lengths > 1e-3 * lengths.max() + 1e-12
    unit = answers[clear] / lengths[clear, np.newaxis]
    np.testing.assert_allclose((found @ found.T)[np.ix_(clear, clear)], unit @ unit.T, atol=1e-2)


def test_what_has_no_vector_has_no_estimate() -> None:
    vectors = np.eye(4, dtype=np.float32)
    probes = WordProbes.fit(vectors, np.arange(4), sparse.csr_array(np.eye(4, 2, dtype=np.float32)))
    at = RowVectors(vectors, np.array([0, -1]))
    found = probes.chances(at, np.array([0, 0]), np.array([1.0, 0.0]), probes.leverages(vectors)[at.rows])
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


@pytest.mark.parametrize("has", [0.0, 1.0])
def test_a_word_that_none_or_all_have_is_known_of_all(has: float) -> None:
    vectors = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    probes = WordProbes.fit(vectors, np.arange(9), sparse.csr_array(np.full((9, 1), has, dtype=np.float32)))
    at, none = RowVectors(vectors, np.arange(9)), np.zeros(9, dtype=np.int64)
    chances = probes.chances(at, none, np.full(9, has), probes.leverages(vectors))
    np.testing.assert_allclose(chances, has, atol=1e-6)
    np.testing.assert_allclose(probes.standing(chances, none), 0, atol=1e-6)


def test_without_examples_nothing_is_known() -> None:
    vectors = np.eye(3, dtype=np.float32)
    probes = WordProbes.fit(
        vectors, np.zeros(0, dtype=np.int64), sparse.csr_array(np.zeros((0, 2), np.float32))
    )
    at = RowVectors(vectors, np.arange(3))
    zeros = np.zeros(3, dtype=np.int64)
    assert probes.chances(at, zeros, np.zeros(3), np.zeros(3)).tolist() == [0, 0, 0]
    assert not probes.profiles(vectors).any()
