"""Ridge regressions from vectors to words, all at once, with what each leaves out its own example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from features.encoders import vectors
from features.encoders.vectors import RowVectors

_STRENGTHS = 10.0 ** np.arange(-4, 2)  # of the penalty, as shares of the mean eigenvalue
_LEVERAGE = 1 - 1e-6  # at most: an example that alone sets its own estimate says nothing when left out
_ROUNDING = 1e-6  # a spread of chances below this is rounding
_ROWS_AT_ONCE = 8192
_ARRAYS = ("weights", "offset", "share", "spread", "mean", "inverse", "root")
_TRIED_ROWS, _TRIED_WORDS = 4096, 256  # on which the strength is chosen


@dataclass(frozen=True)
class WordProbes:
    """A linear probe (Alain and Bengio, 2016) for each of w words over vectors of d dimensions.

    weights: (w, d); offset: (w,), so that vector · weights + offset estimates the chance of the word;
    share: (w,) of the examples that have the word; spread: (w,) standard deviation of the estimates
    over the examples; mean: (d,) of the examples; penalty: on the squared weights; inverse: (d, d) of the
    penalised scatter; root: (d, d), root · rootᵀ = Σ over words of weights · weightsᵀ / variance of the word;
    examples: how many there were, 1 if none.
    """

    weights: np.ndarray
    offset: np.ndarray
    share: np.ndarray
    spread: np.ndarray
    mean: np.ndarray
    penalty: float
    inverse: np.ndarray
    root: np.ndarray
    examples: int

    @classmethod
    def fit(cls, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array) -> WordProbes:
        """Least squares with a penalty (Hoerl and Kennard, 1970), its strength by leave-one-out error.

        vectors: (u, d) float32; rows: (n,) the vector of each example; words: (n, w) 1 or 0, sparse.
        """
        moments = _Moments.of(vectors, rows, words)
        penalty = moments.best_penalty(vectors, rows, words)
        inverse = moments.inverse(penalty)
        along = (moments.cross @ moments.axes) / (moments.eigenvalues + penalty)
        weights = (along @ moments.axes.T).astype(np.float32)
        spread = np.sqrt(along**2 @ moments.eigenvalues / moments.examples)
        offset = moments.share - weights @ moments.mean
        root = _root(weights, moments.share, moments.examples)
        return cls(
            weights, offset, moments.share, spread, moments.mean, penalty, inverse, root, moments.examples
        )

    def chances(
        self, at: RowVectors, words: np.ndarray, said: np.ndarray, leverages: np.ndarray
    ) -> np.ndarray:
        """Estimated chance of a word in each item, (m,), not held to 0 … 1; NaN without a vector.

        at, words: (m,) each entry's vector and row of the probes; said: whether the item has the word;
        leverages: (m,) of the item's vector where it was an example, else 0. An example has no say in its own
        estimate, which is that of probes fitted without it: by the closed form of ridge regression,
        (estimate - h · said) / (1 - h), h its leverage.
        """
        estimate = self.offset[words] + vectors.dots(at, RowVectors(self.weights, words))
        return (estimate - leverages * said) / (1 - leverages)

    def standing(self, chances: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Chances (m,) of words (m,) in standard deviations above the word's mean; 0 where all are alike."""
        spread = np.where(self.spread > _ROUNDING, self.spread, np.inf)
        return (chances - self.share[words]) / spread[words]

    def looked_for(self, words: np.ndarray) -> tuple[np.ndarray, float]:
        """(d,) and a constant: vector · (d,) + constant is the mean standing of these words (m,), no leverage taken.

        Words of which all estimates are alike are left out; zeros where none is left.
        """
        words = words[self.spread[words] > _ROUNDING]
        if not len(words):
            return np.zeros(self.weights.shape[1], dtype=np.float32), 0.0
        shares = 1 / (self.spread[words] * len(words))
        return (shares @ self.weights[words]).astype(np.float32), float(
            shares @ (self.offset[words] - self.share[words])
        )

    def most_shown(self, vectors: np.ndarray, n: int) -> list[np.ndarray]:
        """Of each vector (u, d) up to n words that stand highest, and above the mean, highest first."""
        spread = np.where(self.spread > _ROUNDING, self.spread, np.inf)
        found = []
        for vector in vectors:
            standing = (self.weights @ vector + self.offset - self.share) / spread
            order = np.argsort(-standing, kind="stable")[:n]
            found.append(order[standing[order] > 0])
        return found

    def profiles(self, vectors: np.ndarray) -> np.ndarray:
        """(u, d) float32 unit vectors whose dot products are cosines of the probes' answers, all words standardised.

        The answers of w probes to a vector x are (x - mean) · weightsᵀ; products of such answers need
        only the d × d matrix weightsᵀ · weights, so they are never written out.
        """
        found = np.empty(vectors.shape, dtype=np.float32)
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            answers = (vectors[start : start + _ROWS_AT_ONCE] - self.mean) @ self.root
            lengths = np.linalg.norm(answers, axis=1, keepdims=True)
            unit = np.divide(answers, lengths, out=np.zeros_like(answers), where=lengths > 0)
            found[start : start + _ROWS_AT_ONCE] = unit
        return found

    def leverages(self, vectors: np.ndarray) -> np.ndarray:
        """(u,) of each vector, were it an example; below 1."""
        found = np.empty(len(vectors))
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            centred = vectors[start : start + _ROWS_AT_ONCE] - self.mean
            found[start : start + _ROWS_AT_ONCE] = np.einsum("ij,ij->i", centred @ self.inverse, centred)
        return np.minimum(found + 1 / self.examples, _LEVERAGE)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        found = {f"{name}.{part}": getattr(self, part) for part in _ARRAYS}
        numbers = np.array([self.penalty, self.examples], dtype=np.float64)
        return found | {f"{name}.numbers": numbers}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> WordProbes:
        penalty, examples = arrays[f"{name}.numbers"].tolist()
        parts = {part: arrays[f"{name}.{part}"] for part in _ARRAYS}
        return cls(**parts, penalty=penalty, examples=int(examples))


@dataclass(frozen=True)
class _Moments:
    """Sums over the examples: the scatter of the vectors, in its axes, and their products with words.

    Every dimension counts by its own spread: an encoder's may differ by orders, and those of joined encoders do.
    """

    mean: np.ndarray  # (d,)
    eigenvalues: np.ndarray  # (d,) of the standardised scatter
    axes: np.ndarray  # (d, d), in columns: a centred vector · axes are its coordinates, standardised
    cross: np.ndarray  # (w, d), of centred vectors
    share: np.ndarray  # (w,)
    examples: int

    @classmethod
    def of(cls, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array) -> _Moments:
        examples = max(len(rows), 1)
        uses = np.bincount(rows, minlength=len(vectors)).astype(np.float64)
        mean = uses @ vectors / examples
        scatter = np.zeros((vectors.shape[1], vectors.shape[1]))
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            rows_used = uses[start : start + _ROWS_AT_ONCE, np.newaxis]
            block = (vectors[start : start + _ROWS_AT_ONCE] - mean) * np.sqrt(rows_used)
            block = block.astype(np.float32)  # twice as fast; the sum of blocks is exact enough in 64 bits
            scatter += block.T @ block
        said = np.asarray(words.sum(axis=0), dtype=np.float64).ravel()
        cross = (words.T @ vectors[rows]) - np.outer(said, mean)
        spread = np.sqrt(np.diag(scatter) / examples)
        scale = np.divide(
            1, spread, out=np.zeros_like(spread), where=spread > _ROUNDING * spread.max(initial=0)
        )
        eigenvalues, axes = np.linalg.eigh(scatter * np.outer(scale, scale))
        axes *= scale[:, np.newaxis]
        return cls(mean, np.maximum(eigenvalues, 0), axes, cross, said / examples, examples)

    def inverse(self, penalty: float) -> np.ndarray:
        return (self.axes / (self.eigenvalues + penalty)) @ self.axes.T

    def best_penalty(self, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array) -> float:
        """The one whose leave-one-out error is least, on examples and words drawn evenly."""
        penalties = _STRENGTHS * (self.eigenvalues.mean() or 1.0)
        if not len(rows) or not len(self.share):
            return 1.0
        part = np.linspace(0, len(rows) - 1, min(len(rows), _TRIED_ROWS)).astype(np.int64)
        tried = np.linspace(0, len(self.share) - 1, min(len(self.share), _TRIED_WORDS)).astype(np.int64)
        along = ((vectors[rows[part]] - self.mean) @ self.axes).astype(np.float32)
        missed = words[part][:, tried].toarray() - self.share[tried]
        targets = (self.axes.T @ self.cross[tried].T).astype(np.float32)
        errors = []
        for penalty in penalties:
            shrunk = (1 / (self.eigenvalues + penalty)).astype(np.float32)
            leverage = np.minimum(along**2 @ shrunk + 1 / self.examples, _LEVERAGE)[:, np.newaxis]
            residual = (missed - along @ (targets * shrunk[:, np.newaxis])) / (1 - leverage)
            errors.append((residual**2 / _variance(self.share[tried], self.examples)).mean())
        return float(penalties[int(np.argmin(errors))])


def _variance(share: np.ndarray, examples: int) -> np.ndarray:
    """Of words that a share of the examples has; one that all or none has counts as had by a single one."""
    return np.maximum(share * (1 - share), 1 / examples)


def _root(weights: np.ndarray, share: np.ndarray, examples: int) -> np.ndarray:
    scaled = weights / np.sqrt(_variance(share, examples))[:, np.newaxis]
    values, axes = np.linalg.eigh((scaled.T @ scaled).astype(np.float64))
    return axes * np.sqrt(np.maximum(values, 0))
