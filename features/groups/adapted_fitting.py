"""What fits the maps of adapted similarity: graded lists, the listwise loss and its path of penalties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.optimize import minimize

from features.encoders import vectors
from features.encoders.vectors import RowVectors

CUTOFF = 10  # of the nDCG by which the strength of the penalty is chosen
MOST_ROWS = 100_000  # that a map is fitted to: further lists, drawn at random, change it little
STEPS = 25  # of the optimiser, for each strength: it starts from the map of the stronger one before
_SCALES = 2.0 ** np.arange(-1, 7.5, 0.5)


@dataclass(frozen=True, eq=False)
class GradedLists:
    """Lists of rows laid end to end. sizes: (q,) rows of each; gains: (n,) what each row's grade is worth, 0 or more."""

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

        def dcg(by: np.ndarray) -> np.ndarray:
            return np.bincount(of, self.gains[np.lexsort((-by, of))] * depth, minlength=len(self.sizes))

        best = dcg(self.gains)
        found = dcg(np.where(np.isnan(scores), -np.inf, scores))
        return np.divide(found, best, out=np.full(len(best), np.nan), where=best > 0)


def fit_path(
    asked: RowVectors, offered: RowVectors, lists: GradedLists, strengths: Sequence[float]
) -> dict[float, np.ndarray]:
    """The map (d, d) float32 of each strength of the penalty, from strong to weak, on the scale of cosines.

    Empty where the lists tell nothing: no row has both vectors, or no list has rows of different gains.
    """
    there = (asked.rows >= 0) & (offered.rows >= 0)
    loss = _ListwiseLoss.of(asked, offered, _drawn(there, lists), lists)
    if loss is None:
        return {}
    size = asked.vectors.shape[1]
    found, weights = {}, np.zeros(size * size)
    for strength in strengths:
        options = {"maxiter": STEPS, "maxcor": 6}
        weights = minimize(loss.at, weights, (strength,), "L-BFGS-B", jac=True, options=options).x
        found[strength] = (weights.reshape(size, size) / loss.scale).astype(np.float32)
    return found


def _drawn(there: np.ndarray, lists: GradedLists) -> np.ndarray:
    """Of the rows that are there (n,) those that are fitted to: all, or lists drawn at random."""
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

    queries: (u, d) distinct; of_row: (n,) each row's; products: (n, d); starts: (lists,); target: (n,) sums to 1 in
    every list.
    """

    queries: np.ndarray
    of_row: np.ndarray
    products: np.ndarray
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
        products = offered.vectors[theirs.rows]
        return cls(asked.vectors[used], of_row, products, starts, sizes, target, cosines, float(scale))

    def at(self, weights: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
        """The loss with its penalty, and its gradient, at weights (d · d,)."""
        size = self.queries.shape[1]
        moved = self.queries @ weights.reshape(size, size).astype(np.float32)
        added = np.einsum("ij,ij->i", moved[self.of_row], self.products)
        value, slope = _entropy(self.scale * self.cosines + added, self.target, self.starts, self.sizes)
        shape = (len(self.queries), len(self.of_row))
        by_query = sparse.csr_array((slope.astype(np.float32), (self.of_row, np.arange(shape[1]))), shape)
        gradient = (self.queries.T @ (by_query @ self.products)).astype(np.float64).ravel()
        return value + strength / 2 * float(weights @ weights), gradient + strength * weights


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
