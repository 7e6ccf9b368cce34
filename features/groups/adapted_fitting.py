"""What fits the maps of adapted similarity: graded lists, the listwise loss and its path of penalties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from features.encoders import vectors
from features.encoders.vectors import RowVectors

CUTOFF = 10  # of the nDCG by which the strength of the penalty is chosen
MOST_AXES = (
    128  # of the vectors that a map may turn: the first principal ones, with nearly all that they tell
)
MOST_ROWS = 100_000  # that a map is fitted to: further lists, drawn at random, change it little
STEPS = 20  # of the optimiser, for each strength: it starts from the map of the stronger one before
_SCALES = 2.0 ** np.arange(-1, 12, 0.5)
_LEAST_SPREAD = (
    1e-4  # of vectors about their mean: below, they are all the same, and rounding would be blown up
)
_CONSTANT = 1.0  # beside standardised vectors: what a product gains whatever is asked


@dataclass(frozen=True, eq=False)
class AdaptedMap:
    """adapted = cosine + [query, 1] · weights · [product, 1]; weights: (d + 1, d + 1) float32."""

    weights: np.ndarray

    @classmethod
    def none(cls, size: int) -> AdaptedMap:
        """The plain cosine, of vectors of this size."""
        return cls(np.zeros((size + 1, size + 1), np.float32))

    def of_pairs(self, asked: RowVectors, offered: RowVectors) -> np.ndarray:
        """The adapted cosine of each row of both, (n,) float32; NaN where either has no vector."""
        added = asked.vectors @ self.weights[:-1] + self.weights[-1]
        moved = RowVectors(asked.vectors + added[:, :-1], asked.rows)
        found = vectors.dots(moved, offered)
        return found + added[asked.rows, -1] if len(added) else found


@dataclass(frozen=True, eq=False)
class GradedLists:
    """Lists of rows laid end to end. sizes: (q,) rows of each; gains: (n,) what each grade is worth, 0 or
    more, NaN where nobody judged: such rows say nothing here, and take no place.
    """

    sizes: np.ndarray
    gains: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """(q + 1,): where each list begins, and the end of the last."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    def rows_where(self, chosen: np.ndarray) -> np.ndarray:
        """The rows, rising, of the lists (q,) that are chosen."""
        return np.flatnonzero(np.repeat(chosen, self.sizes))

    def take(self, chosen: np.ndarray) -> GradedLists:
        return GradedLists(self.sizes[chosen], self.gains[self.rows_where(chosen)])

    def ndcg(self, scores: np.ndarray) -> np.ndarray:
        """(q,) nDCG@10 of each list, rows without a score last; NaN for one without a gain."""
        of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        place = np.arange(len(of)) - self.starts[:-1][of]
        depth = np.where(place < CUTOFF, 1 / np.log2(place + 2.0), 0.0)

        gains = np.nan_to_num(self.gains)
        known = ~np.isnan(scores) & ~np.isnan(self.gains)

        def dcg(by: np.ndarray) -> np.ndarray:
            return np.bincount(of, gains[np.lexsort((-by, of))] * depth, minlength=len(self.sizes))

        found, best = dcg(np.where(known, scores, -np.inf)), dcg(gains)
        return np.divide(found, best, out=np.full(len(best), np.nan), where=best > 0)


def fit_path(
    asked: RowVectors, offered: RowVectors, lists: GradedLists, strengths: Sequence[float]
) -> dict[float, AdaptedMap]:
    """The map of each strength of the penalty, from strong to weak.

    Empty where the lists tell nothing: no row has both vectors, or no list has rows of different gains.
    """
    there = (asked.rows >= 0) & (offered.rows >= 0) & ~np.isnan(lists.gains)
    loss = _ListwiseLoss.of(asked, offered, drawn_rows(there, lists), lists)
    if loss is None:
        return {}
    found, weights = {}, np.zeros(loss.shape[0] * loss.shape[1])
    for strength in strengths:
        # One thread: small products gain nothing by two, and wait for each other on a busy machine.
        with threadpool_limits(1, "blas"):
            options = {"maxiter": STEPS, "maxcor": 6}
            weights = minimize(loss.at, weights, (strength,), "L-BFGS-B", jac=True, options=options).x
        found[strength] = loss.map_of(weights.reshape(loss.shape))
    return found


def drawn_rows(there: np.ndarray, lists: GradedLists) -> np.ndarray:
    """Of the rows that are there (n,) bool those that are fitted to: all, or lists drawn at random."""
    if there.sum() <= MOST_ROWS:
        return there
    order = np.random.default_rng(0).permutation(len(lists.sizes))
    counts = np.add.reduceat(there, lists.starts[:-1])[order]
    kept = np.zeros(len(order), dtype=bool)
    kept[order[np.cumsum(counts) <= max(MOST_ROWS, counts[0])]] = True
    return there & np.repeat(kept, lists.sizes)


@dataclass(frozen=True, eq=False)
class _ListwiseLoss:
    """Cross-entropy of each list's share of gain and the softmax of scale · cosine + query · weights · product.

    Query and product are less their mean and in units of their spread about it, so that a strength of the penalty
    means the same for vectors that fill their space and for those that huddle in a corner of it.

    queries: (u, k + 1) distinct; of_row: (n,) each row's; by_query: (u, n), which row is of which; products:
    (n, k + 1); starts: (lists,); target: (n,) sums to 1 in every list.
    """

    queries: _Standardised
    of_row: np.ndarray
    by_query: sparse.csr_array
    products: _Standardised
    starts: np.ndarray
    sizes: np.ndarray
    target: np.ndarray
    cosines: np.ndarray
    scale: float

    @classmethod
    def of(
        cls, asked: RowVectors, offered: RowVectors, kept: np.ndarray, lists: GradedLists
    ) -> _ListwiseLoss | None:
        """kept: (n,) the rows to fit to; lists whose rows do not differ in gain tell nothing and are left out."""
        sizes = np.add.reduceat(kept, lists.starts[:-1], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])[sizes > 0].astype(np.int64)
        rows, sizes = np.flatnonzero(kept), sizes[sizes > 0]
        if not len(rows):
            return None
        gains = lists.gains[rows] - np.repeat(np.minimum.reduceat(lists.gains[rows], starts), sizes)
        total = np.add.reduceat(gains, starts)
        telling = np.repeat(total > 0, sizes)
        rows, sizes = rows[telling], sizes[total > 0]
        if not len(rows):
            return None
        starts = np.cumsum(sizes) - sizes
        target = gains[telling] / np.repeat(total[total > 0], sizes)
        used, of_row = np.unique(asked.rows[rows], return_inverse=True)
        ours, theirs = asked.take(rows), offered.take(rows)
        cosines = vectors.dots(ours, theirs).astype(np.float64)
        scale = min(_SCALES, key=lambda s: _entropy(s * cosines, target, starts, sizes)[0])
        queries = _Standardised.of(asked.vectors[used])
        products = _Standardised.of(offered.vectors[theirs.rows])
        places = (of_row, np.arange(len(rows)))
        by_query = sparse.csr_array((np.ones(len(rows), np.float32), places), (len(used), len(rows)))
        return cls(queries, of_row, by_query, products, starts, sizes, target, cosines, float(scale))

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weights."""
        return self.queries.vectors.shape[1], self.products.vectors.shape[1]

    def at(self, weights: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
        """The loss with its penalty, and its gradient, at weights (all in a row)."""
        queries, products = self.queries.vectors, self.products.vectors
        moved = queries @ weights.reshape(self.shape).astype(np.float32)
        added = np.einsum("ij,ij->i", moved[self.of_row], products)
        value, slope = _entropy(self.scale * self.cosines + added, self.target, self.starts, self.sizes)
        self.by_query.data = slope.astype(np.float32)[self.by_query.indices]
        gradient = (queries.T @ (self.by_query @ products)).astype(np.float64).ravel()
        return value + strength / 2 * float(weights @ weights), gradient + strength * weights

    def map_of(self, weights: np.ndarray) -> AdaptedMap:
        """What the weights (k + 1, k + 1) are on the scale of cosines and of the vectors as they come."""
        found = self.queries.standardising @ weights @ self.products.standardising.T / self.scale
        return AdaptedMap(found.astype(np.float32))


@dataclass(frozen=True, eq=False)
class _Standardised:
    """Vectors (n, k + 1): the first principal components of given ones, in units of their spread, and a constant.

    The spread is the root of the mean squared distance from the mean. standardising: (d + 1, k + 1), so that
    [given, 1] · standardising = vectors.
    """

    vectors: np.ndarray
    standardising: np.ndarray

    @classmethod
    def of(cls, given: np.ndarray) -> _Standardised:
        mean = given.mean(axis=0)
        centred = given - mean
        spread = max(float(np.sqrt((centred**2).sum(axis=1).mean())), _LEAST_SPREAD)
        axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))[1][:, -MOST_AXES:] / spread
        size, kept = axes.shape
        standardising = np.zeros((size + 1, kept + 1))
        standardising[:size, :kept] = axes
        standardising[size, :kept] = -mean @ axes
        standardising[size, kept] = _CONSTANT
        made = np.full((len(given), kept + 1), _CONSTANT, dtype=np.float32)
        made[:, :kept] = centred @ axes.astype(np.float32)
        return cls(made, standardising)


def _entropy(
    scores: np.ndarray, target: np.ndarray, starts: np.ndarray, sizes: np.ndarray
) -> tuple[float, np.ndarray]:
    """Mean cross-entropy over the lists, and its slope (n,) by the scores."""
    above = scores - np.repeat(np.maximum.reduceat(scores, starts), sizes)
    share = np.exp(above)
    total = np.add.reduceat(share, starts)
    share /= np.repeat(total, sizes)
    value = np.log(total).sum() - target @ above
    return float(value / len(sizes)), (share - target) / len(sizes)
