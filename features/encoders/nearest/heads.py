"""Exact nearest vectors at a third of the reading: most are ruled out by their first principal coordinates.

With |q| = |v| = 1, and both cut into a head (their coordinates along m orthonormal axes) and a tail, Cauchy and
Schwarz give q · v ≤ head · head + |tail| |tail|. What cannot reach the n-th best by that bound is not looked at.
Whatever the axes the answer is exact; the principal ones make the bound tight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from features.encoders.vectors import ROUNDING

_ENERGY = 0.93  # of the squared lengths, that heads must hold: with less, too few vectors are ruled out
_MOST = 0.5  # of the dimensions: above, a whole scan is as quick
_FEWEST = 4096  # vectors: below, a whole scan takes no time
_SAMPLE = 20_000
_EVERY = 16


@dataclass(frozen=True, eq=False)
class Heads:
    """axes: (d, m) float32, orthonormal; table: (m + 1, u) float32, each vector's head and the length of its tail.

    A row a coordinate: a query times such rows reads them one after the other, twice as fast as a short row a vector.
    """

    axes: np.ndarray
    table: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Self | None:
        """None where they would not help: few vectors, vectors that spread evenly over all dimensions, or zeros."""
        if len(vectors) < _FEWEST:
            return None
        part = vectors[:: -(-len(vectors) // _SAMPLE)]
        values, axes = np.linalg.eigh((part.T @ part).astype(np.float64))
        if values.sum() <= 0:
            return None
        share = np.cumsum(values[::-1]) / values.sum()
        size = int(np.searchsorted(share, _ENERGY)) + 1
        if size > _MOST * vectors.shape[1]:
            return None
        return cls.along(np.ascontiguousarray(axes[:, ::-1][:, :size], dtype=np.float32), vectors)

    @classmethod
    def along(cls, axes: np.ndarray, vectors: np.ndarray) -> Self:
        """By axes that are known."""
        return cls(axes, np.ascontiguousarray(_cut(vectors, axes).T))

    def changed(self, vectors: np.ndarray, same: np.ndarray) -> Self:
        """Of other vectors, by the same axes; same: (u,) the row here that each is the vector of, -1 for new ones."""
        table = self.table[:, np.maximum(same, 0)]
        table[:, same < 0] = _cut(vectors[same < 0], self.axes).T
        return type(self)(self.axes, table)

    def bounds(self, queries: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """(q, u) that no dot product with the vectors, or with those rows of them, exceeds by more than rounding."""
        found = _cut(queries, self.axes) @ self.table
        return found if rows is None else found[:, rows]

    def arrays(self) -> dict[str, np.ndarray]:
        return {"axes": self.axes, "table": self.table}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(arrays["axes"], arrays["table"])


def contenders(
    bounds: np.ndarray, query: np.ndarray, vectors: np.ndarray, rows: np.ndarray | None, n: int
) -> np.ndarray:
    """Rows of `vectors` that may be among the n of highest dot product with one query, rising.

    bounds: (u,) of all vectors, or of those `rows` (rising); query: (d,).
    """
    if len(bounds) <= 2 * n:
        return np.arange(len(bounds)) if rows is None else rows
    first = _highest(bounds, n)
    reached = vectors[first if rows is None else rows[first]] @ query
    kept = np.flatnonzero(bounds >= np.partition(reached, -n)[-n] - ROUNDING)
    kept = kept if rows is None else rows[kept]
    reached = vectors[kept] @ query
    return kept[reached >= np.partition(reached, -n)[-n] - ROUNDING]


def _highest(bounds: np.ndarray, n: int) -> np.ndarray:
    """Places of some 2n of the highest bounds, n at least: those above what every 16th says, where that holds."""
    place = 2 * n // _EVERY + _EVERY // 4
    some = bounds[::_EVERY]
    if len(some) > place:
        found = np.flatnonzero(bounds >= np.partition(some, -place)[-place])
        if n <= len(found) <= 8 * n:
            return found
    return np.argpartition(bounds, -2 * n)[-2 * n :]


def _cut(vectors: np.ndarray, axes: np.ndarray) -> np.ndarray:
    made = np.empty((len(vectors), axes.shape[1] + 1), dtype=np.float32)
    np.matmul(vectors, axes, out=made[:, :-1])
    heads = np.einsum("ij,ij->i", made[:, :-1], made[:, :-1], dtype=np.float64)
    lengths = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    made[:, -1] = np.sqrt(np.maximum(lengths - heads, 0))
    return made
