"""Ridge regressions from vectors to words, all at once, with what each leaves out its own example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from features.encoders import vectors
from features.encoders.vectors import RowVectors, each_times

_STRENGTHS = 10.0 ** np.arange(-3, 3.5, 0.5)  # of a penalty, as shares of the mean eigenvalue
_LEVERAGE = 1 - 1e-6  # at most: an example that alone sets its own estimate says nothing when left out
_ROUNDING = 1e-6  # a spread of chances below this is rounding
_ROWS_AT_ONCE = 8192
_TRIED = 8192  # examples at most by which penalties and directions are chosen
_DIRECTIONS = 1024  # words at most whose answers make directions: those that vectors tell best


@dataclass(frozen=True)
class WordProbes:
    """A linear probe (Alain and Bengio, 2016) for each of w words over vectors of d dimensions.

    weights: (w, d); offset: (w,), so that vector · weights + offset estimates the chance of the word;
    share: (w,) of the examples that have the word; spread: (w,) standard deviation of the estimates
    over the examples; mean: (d,) of the examples; strength: (w,) which of the scatter's penalties is each word's;
    root: (d, k), see `profiles`.
    """

    weights: np.ndarray
    offset: np.ndarray
    share: np.ndarray
    spread: np.ndarray
    mean: np.ndarray
    strength: np.ndarray
    root: np.ndarray

    @classmethod
    def fit(
        cls, scatter: Scatter, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array
    ) -> WordProbes:
        """Least squares with a penalty (Hoerl and Kennard, 1970), each word's the one of its least leave-one-out error.

        A penalty for all is too strong for the words that vectors tell plainly, and too weak for the others.
        scatter: of the examples; vectors: (u, d) float32; rows: (n,) the vector of each example; words: (n, w) 1 or 0,
        sparse.
        """
        moments = _Moments.of(scatter, vectors, rows, words)
        tried = _Tried.of(moments, vectors, rows, words)
        errors = tried.errors()
        strength = np.argmin(errors, axis=0)
        along = moments.along / (scatter.eigenvalues + scatter.penalties[strength][:, np.newaxis])
        weights = (along @ scatter.axes.T).astype(np.float32)
        best = np.argsort(np.min(errors, axis=0), kind="stable")[:_DIRECTIONS]
        standard = weights[best] / moments.deviation[best, np.newaxis]
        directions = tried.directions(best, strength[best])
        return cls(
            weights,
            offset=moments.share - weights @ scatter.mean,
            share=moments.share,
            spread=np.sqrt(along**2 @ scatter.eigenvalues / scatter.examples),
            mean=scatter.mean,
            strength=strength,
            root=(standard.T @ directions).astype(np.float32),
        )

    @property
    def differs(self) -> np.ndarray:
        """(w,) bool: words of which not all estimates are alike."""
        return self.spread > _ROUNDING

    def chances(
        self, at: RowVectors, words: np.ndarray, said: np.ndarray, leverages: np.ndarray
    ) -> np.ndarray:
        """Estimated chance of a word in each item, (m,), not held to 0 … 1; NaN without a vector.

        at, words: (m,) each entry's vector and row of the probes; said: whether the item has the word;
        leverages: (m,) of the item's vector for the word's penalty, from `Scatter.leverages`, where it was an example,
        else 0. An example has no say in its own estimate, which is that of probes fitted without it: by the closed form
        of ridge regression, (estimate - h · said) / (1 - h), h its leverage.
        """
        estimate = self.offset[words] + vectors.dots(at, RowVectors(self.weights, words))
        return (estimate - leverages * said) / (1 - leverages)

    def standing(self, chances: np.ndarray, words: np.ndarray) -> np.ndarray:
        """Chances (m,) of words (m,) in standard deviations above the word's mean; 0 where all are alike."""
        spread = np.where(self.differs, self.spread, np.inf)
        return (chances - self.share[words]) / spread[words]

    def looked_for(self, words: np.ndarray) -> tuple[np.ndarray, float]:
        """(d,) and a constant: vector · (d,) + constant is the mean standing of these words (m,), no leverage taken.

        Words of which all estimates are alike are left out; zeros where none is left.
        """
        words = words[self.differs[words]]
        if not len(words):
            return np.zeros(self.weights.shape[1], dtype=np.float32), 0.0
        shares = 1 / (self.spread[words] * len(words))
        return (shares @ self.weights[words]).astype(np.float32), float(
            shares @ (self.offset[words] - self.share[words])
        )

    def most_shown(self, vectors: np.ndarray, n: int) -> list[np.ndarray]:
        """Of each vector (u, d) up to n words that stand highest, and above the mean, highest first."""
        spread = np.where(self.differs, self.spread, np.inf)
        found = []
        for vector in vectors:
            standing = (self.weights @ vector + self.offset - self.share) / spread
            order = np.argsort(-standing, kind="stable")[:n]
            found.append(order[standing[order] > 0])
        return found

    def profiles(self, vectors: np.ndarray) -> np.ndarray:
        """(u, k) float32 unit vectors, whose dot products tell how alike what two vectors show is.

        The answers of the probes to a vector, along the directions in which answers and words go together, most
        together first. Each direction counts by their correlation, with no example's say in its own answers: all of
        kind, colour and pattern count, however many words a shop has for each, and chance hardly does.
        """
        found = np.empty((len(vectors), self.root.shape[1]), dtype=np.float32)
        for start, centred in _centred(vectors, self.mean):
            found[start : start + _ROWS_AT_ONCE] = units(centred @ self.root)
        return found

    def profiles_of_queries(self, vectors: np.ndarray) -> np.ndarray:
        """As `profiles`, each by itself: a query's is the same to the bit, alone and among others."""
        return units(each_times(vectors - self.mean.astype(np.float32), self.root))

    def of_words(self, leverages: np.ndarray, rows: np.ndarray, words: np.ndarray) -> np.ndarray:
        """(m,) of these vectors and words, from the `leverages` of all vectors."""
        return leverages[rows, self.strength[words]]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return {f"{name}.{part}": getattr(self, part) for part in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> WordProbes:
        return cls(**{part: arrays[f"{name}.{part}"] for part in cls.__dataclass_fields__})


def units(values: np.ndarray) -> np.ndarray:
    """(n, k) rows of unit length; zeros stay."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)


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

    @property
    def penalties(self) -> np.ndarray:
        """(s,) on the squared weights, those that probes choose from."""
        return _STRENGTHS * (self.eigenvalues.mean() or 1.0)

    def leverages(self, vectors: np.ndarray) -> np.ndarray:
        """(u, s) of each vector, were it an example, by penalty; below 1."""
        found = np.empty((len(vectors), len(_STRENGTHS)))
        shrunk = 1 / (self.eigenvalues[:, np.newaxis] + self.penalties)
        for start, centred in _centred(vectors, self.mean):
            along = (centred @ self.axes) ** 2 @ shrunk
            found[start : start + _ROWS_AT_ONCE] = np.minimum(along + 1 / self.examples, _LEVERAGE)
        return found


def _centred(vectors: np.ndarray, mean: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Where each block begins, and its vectors less the mean, float32."""
    centre = mean.astype(np.float32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        yield start, vectors[start : start + _ROWS_AT_ONCE] - centre


@dataclass(frozen=True)
class _Moments:
    """Products of the examples' vectors with words: all that probes are made of.

    along: (w, d) products of the words with the centred vectors, in the axes of the scatter; share: (w,) of the
    examples that have the word; deviation: (w,) of the word among them.
    """

    scatter: Scatter
    along: np.ndarray
    share: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, scatter: Scatter, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array) -> _Moments:
        said = np.asarray(words.sum(axis=0), dtype=np.float64).ravel()
        cross = (words.T @ vectors[rows]) - np.outer(said, scatter.mean)
        share = said / scatter.examples
        # One that all or none of the examples have counts as had by a single one.
        deviation = np.sqrt(np.maximum(share * (1 - share), 1 / scatter.examples))
        return cls(scatter, cross @ scatter.axes, share, deviation)


@dataclass(frozen=True)
class _Tried:
    """Examples drawn evenly, by which choices are made: each is estimated by probes that were fitted without it.

    along: (n, d) float32, their vectors in the axes of the scatter; leverages: (n, s) by penalty; words: (n, w) 1 or 0,
    sparse.
    """

    moments: _Moments
    along: np.ndarray
    leverages: np.ndarray
    words: sparse.csr_array

    @classmethod
    def of(cls, moments: _Moments, vectors: np.ndarray, rows: np.ndarray, words: sparse.csr_array) -> _Tried:
        part = np.linspace(0, len(rows) - 1, min(len(rows), _TRIED)).astype(np.int64)
        scatter, drawn = moments.scatter, vectors[rows[part]]
        along = ((drawn - scatter.mean) @ scatter.axes).astype(np.float32)
        return cls(moments, along, scatter.leverages(drawn), words[part])

    def errors(self) -> np.ndarray:
        """(s, w) the mean squared error of each word at each penalty, in its variance.

        An example left out misses by (m - a · b) / (1 - h): a its vector, h its leverage, b the probe, m what it has
        of the word above its share. With c = 1 / (1 - h)² the squares sum to Σ c m² - 2 b · Σ c m a + b · Σ c a aᵀ · b:
        nothing as large as examples times words is made. Products of matrices are in 32 bits, twice as fast.
        """
        scatter, share, said = self.moments.scatter, self.moments.share, self.words.T.tocsr()
        targets = self.moments.along.astype(np.float32)
        found = np.zeros((len(scatter.penalties), len(share)))
        for place, counted in enumerate((1 - self.leverages.T) ** -2):
            weighted = self.along * counted[:, np.newaxis].astype(np.float32)
            probes = targets / (scatter.eigenvalues + scatter.penalties[place]).astype(np.float32)
            found[place] = (said @ counted) * (1 - 2 * share) + share**2 * counted.sum()
            found[place] += 2 * share * (probes @ weighted.sum(axis=0))
            found[place] -= 2 * np.einsum("wd,wd->w", said @ weighted, probes)
            found[place] += np.einsum("wd,wd->w", probes @ (weighted.T @ self.along), probes)
        return np.maximum(found, 0) / self.moments.deviation**2 / max(len(self.along), 1)

    def directions(self, words: np.ndarray, strength: np.ndarray) -> np.ndarray:
        """(words, k) of answers: those in which they and the words go together, scaled by how closely.

        words: (m,) which; strength: (m,) which penalty is each one's. Words and answers count in the word's deviation.
        """
        if not len(self.along) or not len(words):
            return np.zeros((len(words), 0))
        share, deviation = self.moments.share[words], self.moments.deviation[words]
        said = ((self.words[:, words].toarray() - share) / deviation).astype(np.float32)
        answers = self._answers(words, strength, said)
        together = (answers.T @ said).astype(np.float64)
        shared, directions = np.linalg.eigh(together + together.T)
        directions = directions[:, shared > _ROUNDING * len(said)][:, ::-1]
        ours, theirs = answers @ directions, said @ directions
        lengths = np.linalg.norm(ours, axis=0) * np.linalg.norm(theirs, axis=0)
        close = (ours * theirs).sum(axis=0) / np.maximum(lengths, _ROUNDING)
        scale = np.maximum(close, 0) / np.maximum(np.sqrt((ours**2).mean(axis=0)), _ROUNDING)
        return directions * scale

    def _answers(self, words: np.ndarray, strength: np.ndarray, said: np.ndarray) -> np.ndarray:
        """(n, m) float32 of these words, in their deviations, each example left out; said: (n, m) of the words."""
        scatter = self.moments.scatter
        leverage = self.leverages.astype(np.float32)[:, strength]
        shrunk = self.moments.along[words] / (
            scatter.eigenvalues + scatter.penalties[strength][:, np.newaxis]
        )
        shrunk /= self.moments.deviation[words, np.newaxis]
        return (self.along @ shrunk.T.astype(np.float32) - leverage * said) / (1 - leverage)
