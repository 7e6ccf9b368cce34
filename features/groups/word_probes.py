"""Ridge regressions from vectors to words, all at once, with what each leaves out its own example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from features.encoders import vectors
from features.encoders.vectors import RowVectors

_STRENGTHS = 10.0 ** np.arange(-4, 2)  # of the penalty, as shares of the mean eigenvalue
_LEVERAGE = 1 - 1e-6  # at most: an example that alone sets its own estimate says nothing when left out
_ROUNDING = 1e-6  # a spread of chances below this is rounding
_ROWS_AT_ONCE = 8192
_ARRAYS = ("weights", "offset", "share", "spread", "mean", "whitening", "root")
_TRIED_ROWS, _TRIED_WORDS = 4096, 256  # on which the strength is chosen


@dataclass(frozen=True)
class WordProbes:
    """A linear probe (Alain and Bengio, 2016) for each of w words over vectors of d dimensions.

    weights: (w, d); offset: (w,), so that vector · weights + offset estimates the chance of the word;
    share: (w,) of the examples that have the word; spread: (w,) standard deviation of the estimates
    over the examples; mean: (d,) of the examples; penalty: on the squared weights; whitening: (d, d), whitening ·
    whiteningᵀ = the inverse of the penalised scatter; root: (d, d) symmetric, root · root = Σ over words of
    weights · weightsᵀ / variance of the word; examples: how many there were, 1 if none.
    """

    weights: np.ndarray
    offset: np.ndarray
    share: np.ndarray
    spread: np.ndarray
    mean: np.ndarray
    penalty: float
    whitening: np.ndarray
    root: np.ndarray
    examples: int

    @classmethod
    def fit(
        cls, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array, scatter: Scatter | None = None
    ) -> WordProbes:
        """Least squares with a penalty (Hoerl and Kennard, 1970), its strength by leave-one-out error.

        vectors: (u, d) float32; rows: (n,) the vector of each example; words: (n, w) 1 or 0, sparse; scatter: of the
        examples, where it is at hand.
        """
        scatter = Scatter.of(vectors, rows) if scatter is None else scatter
        moments = _Moments.of(scatter, vectors, rows, words)
        penalty = moments.best_penalty(vectors, rows, words)
        along = (moments.cross @ scatter.axes) / (scatter.eigenvalues + penalty)
        weights = (along @ scatter.axes.T).astype(np.float32)
        return cls(
            weights,
            offset=moments.share - weights @ scatter.mean,
            share=moments.share,
            spread=np.sqrt(along**2 @ scatter.eigenvalues / scatter.examples),
            mean=scatter.mean,
            penalty=penalty,
            whitening=scatter.axes / np.sqrt(scatter.eigenvalues + penalty),
            root=_root(weights, moments.share, scatter.examples),
            examples=scatter.examples,
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
        root = self.root.astype(np.float32)
        for start, centred in _centred(vectors, self.mean):
            answers = centred @ root
            lengths = np.linalg.norm(answers, axis=1, keepdims=True)
            unit = np.divide(answers, lengths, out=np.zeros_like(answers), where=lengths > 0)
            found[start : start + _ROWS_AT_ONCE] = unit
        return found

    def leverages(self, vectors: np.ndarray) -> np.ndarray:
        """(u,) of each vector, were it an example; below 1."""
        found = np.empty(len(vectors))
        whitening = self.whitening.astype(np.float32)
        for start, centred in _centred(vectors, self.mean):
            white = centred @ whitening
            found[start : start + _ROWS_AT_ONCE] = np.einsum("ij,ij->i", white, white)
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
class Scatter:
    """How the vectors of the examples spread, in the axes of their scatter.

    Every dimension counts by its own spread: an encoder's may differ by orders, and those of joined encoders do.
    mean: (d,); eigenvalues: (d,) of the standardised scatter; axes: (d, d), in columns: a centred vector · axes are
    its coordinates, standardised; examples: how many there are, 1 if none.
    """

    mean: np.ndarray
    eigenvalues: np.ndarray
    axes: np.ndarray
    examples: int

    @classmethod
    def of(cls, vectors: np.ndarray, rows: np.ndarray) -> Scatter:
        """vectors: (u, d) float32; rows: (n,) the vector of each example."""
        examples = max(len(rows), 1)
        uses = np.bincount(rows, minlength=len(vectors)).astype(np.float64)
        mean = np.zeros(vectors.shape[1])
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            mean += uses[start : start + _ROWS_AT_ONCE] @ vectors[start : start + _ROWS_AT_ONCE]
        mean /= examples
        scatter = np.zeros((len(mean), len(mean)))
        roots = np.sqrt(uses).astype(np.float32)[:, np.newaxis]
        for start, centred in _centred(vectors, mean):
            # In 32 bits twice as fast; the sum of blocks is exact enough in 64 bits.
            block = centred * roots[start : start + _ROWS_AT_ONCE]
            scatter += block.T @ block
        spread = np.sqrt(np.diag(scatter) / examples)
        scale = np.divide(
            1, spread, out=np.zeros_like(spread), where=spread > _ROUNDING * spread.max(initial=0)
        )
        eigenvalues, axes = np.linalg.eigh(scatter * np.outer(scale, scale))
        return cls(mean, np.maximum(eigenvalues, 0), axes * scale[:, np.newaxis], examples)


def _centred(vectors: np.ndarray, mean: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Where each block begins, and its vectors less the mean, float32."""
    centre = mean.astype(np.float32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        yield start, vectors[start : start + _ROWS_AT_ONCE] - centre


@dataclass(frozen=True)
class _Moments:
    """Products of the examples' vectors with words. cross: (w, d), of centred vectors; share: (w,)."""

    scatter: Scatter
    cross: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, scatter: Scatter, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array) -> _Moments:
        said = np.asarray(words.sum(axis=0), dtype=np.float64).ravel()
        cross = (words.T @ vectors[rows]) - np.outer(said, scatter.mean)
        return cls(scatter, cross, said / scatter.examples)

    def best_penalty(self, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array) -> float:
        """The one whose leave-one-out error is least, on examples and words drawn evenly."""
        scatter = self.scatter
        penalties = _STRENGTHS * (scatter.eigenvalues.mean() or 1.0)
        if not len(rows) or not len(self.share):
            return 1.0
        part = np.linspace(0, len(rows) - 1, min(len(rows), _TRIED_ROWS)).astype(np.int64)
        tried = np.linspace(0, len(self.share) - 1, min(len(self.share), _TRIED_WORDS)).astype(np.int64)
        along = ((vectors[rows[part]] - scatter.mean) @ scatter.axes).astype(np.float32)
        missed = words[part][:, tried].toarray() - self.share[tried]
        targets = (scatter.axes.T @ self.cross[tried].T).astype(np.float32)
        errors = []
        for penalty in penalties:
            shrunk = (1 / (scatter.eigenvalues + penalty)).astype(np.float32)
            leverage = np.minimum(along**2 @ shrunk + 1 / scatter.examples, _LEVERAGE)[:, np.newaxis]
            residual = (missed - along @ (targets * shrunk[:, np.newaxis])) / (1 - leverage)
            errors.append((residual**2 / _variance(self.share[tried], scatter.examples)).mean())
        return float(penalties[int(np.argmin(errors))])


def _variance(share: np.ndarray, examples: int) -> np.ndarray:
    """Of words that a share of the examples has; one that all or none has counts as had by a single one."""
    return np.maximum(share * (1 - share), 1 / examples)


def _root(weights: np.ndarray, share: np.ndarray, examples: int) -> np.ndarray:
    scaled = weights / np.sqrt(_variance(share, examples))[:, np.newaxis]
    values, axes = np.linalg.eigh((scaled.T @ scaled).astype(np.float64))
    return (axes * np.sqrt(np.maximum(values, 0))) @ axes.T
