"""Products joined by what was done with both: shares of edges, and personalised PageRank from any starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ItemGraph:
    """edges: (m, m) counts of people, symmetric, nothing on the diagonal; degrees: (m,) their sums."""

    edges: sp.csr_matrix
    degrees: FloatArray
    onward: sp.csr_matrix
    """(m, m): row j holds the chances of a step to j, so that `onward @ masses` is one step of all."""

    @classmethod
    def of(cls, edges: sp.csr_matrix) -> Self:
        degrees = np.asarray(edges.sum(axis=1), dtype=np.float64).ravel()
        out = np.divide(1.0, degrees, out=np.zeros_like(degrees), where=degrees > 0)
        return cls(edges, degrees, (sp.diags(out) @ edges).T.tocsr())

    @classmethod
    def of_histories(cls, seen: sp.csr_matrix) -> Self:
        """seen: (histories, m) 1 where a history has a product."""
        edges = (seen.T @ seen).tocsr()
        edges.setdiag(0)
        edges.eliminate_zeros()
        return cls.of(edges)

    def walk(self, starts: FloatArray, restart: float, rounds: int) -> FloatArray:
        """(m, q) where walkers from `starts` (m, q; columns that sum to 1) are, but for what has just begun anew.

        Personalised PageRank (Page, Brin, Motwani and Winograd, 1999) by so many rounds of power iteration.
        """
        found = starts
        for _ in range(rounds):
            found = restart * starts + (1 - restart) * (self.onward @ found)
        return np.asarray(found - restart * starts).clip(min=0)


def weights_by_last(history: npt.NDArray[np.int64], reach: int, count: int) -> FloatArray:
    """(count,) the last products of a history, oldest first: the n-th last by 1 / n; they sum to 1, or nothing."""
    start = np.zeros(count)
    last = history[::-1][:reach]
    if len(last):
        np.add.at(start, last, 1 / np.arange(1, len(last) + 1))
        start /= start.sum()
    return start
