"""Cosines of unit vectors: of given pairs, and of the nearest items of a whole catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

_PAIRS_AT_ONCE = 4096  # two gathered blocks of 384 floats stay within 13 MB, near the cache
_QUERIES_AT_ONCE = 256  # times 50,000 items: a 51 MB block of cosines
ROUNDING = 1e-5  # more than a matrix product of float32 differs from a pair's own sum


class RowVectors(NamedTuple):
    """Vectors of distinct items, and the item of each row: many rows may share one vector."""

    vectors: np.ndarray  # (u, d) float32, unit length
    rows: np.ndarray  # (n,) int64, -1 = no vector

    def take(self, rows: np.ndarray) -> RowVectors:
        return RowVectors(self.vectors, self.rows[rows])


def of_pairs(left: RowVectors, right: RowVectors) -> np.ndarray:
    """The cosine of each row of `left` with the same row of `right`, (n,) float32.

    NaN where either side has no vector.
    """
    return np.clip(dots(left, right), -1.0, 1.0)


def dots(left: RowVectors, right: RowVectors) -> np.ndarray:
    """Dot products row by row, (n,) float32; NaN where either side has no vector.

    Each pair is summed by itself, so that its last bit does not hang on which other pairs come with
    it; memory is bounded by a block of pairs.
    """
    found = np.full(len(left.rows), np.nan, dtype=np.float32)
    there = np.flatnonzero((left.rows >= 0) & (right.rows >= 0))
    for start in range(0, len(there), _PAIRS_AT_ONCE):
        block = there[start : start + _PAIRS_AT_ONCE]
        ours, theirs = (_gathered(side.vectors, side.rows[block]) for side in (left, right))
        found[block] = np.einsum("ij,ij->i", ours, theirs)
    return found


def each_times(vectors: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n, d) · (d, k), each vector by itself: as `dots`, no bit of a row hangs on which others come with it."""
    found = np.empty((len(vectors), matrix.shape[1]), dtype=np.result_type(vectors, matrix))
    turned = matrix.T
    for row, vector in enumerate(vectors):
        np.dot(turned, vector, out=found[row])
    return found


def _gathered(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(m, d); one vector alone, a request's query, is not copied for each row."""
    return np.broadcast_to(vectors, (len(rows), vectors.shape[1])) if len(vectors) == 1 else vectors[rows]


class Hits(NamedTuple):
    """Items found for queries: three arrays (m,), sorted by query, then from near to far."""

    queries: np.ndarray
    items: np.ndarray
    cosines: np.ndarray

    def first(self, n: int) -> Hits:
        """Of each query, the n nearest."""
        place = np.arange(len(self.queries)) - np.searchsorted(self.queries, self.queries)
        return Hits(*(part[place < n] for part in self))


@dataclass(frozen=True, eq=False)
class Holders:
    """Which items have each vector: those of vector v are `items[starts[v] : starts[v + 1]]`, rising."""

    starts: np.ndarray
    items: np.ndarray

    @classmethod
    def of(cls, items: RowVectors) -> Holders:
        there = np.flatnonzero(items.rows >= 0)
        order = there[np.argsort(items.rows[there], kind="stable")]
        return cls(np.searchsorted(items.rows[order], np.arange(len(items.vectors) + 1)), order)

    @cached_property
    def none(self) -> np.ndarray:
        """Vectors that no item has."""
        return np.flatnonzero(np.diff(self.starts) == 0)

    def of_vectors(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All items of the vectors (m,), and the place in (m,) that each is of."""
        sizes = self.starts[vectors + 1] - self.starts[vectors]
        place = np.repeat(np.arange(len(vectors)), sizes)
        within = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.items[self.starts[vectors[place]] + within], place


def nearest(
    queries: RowVectors,
    items: RowVectors,
    n: int,
    holders: Holders | None = None,
    above: float = ROUNDING,
) -> Hits:
    """The n items of highest cosine per query: rows of queries and of items, and cosines.

    Only cosines `above` count, positive ones by default (beyond rounding): of items with nothing in common
    with the query none is near, so it may have fewer than n, or none. Equal cosines go to the lower item
    row. holders: of the items, where they are at hand.
    """
    known = np.flatnonzero(queries.rows >= 0)
    holders = holders or Holders.of(items)
    blocks = [known[at : at + _QUERIES_AT_ONCE] for at in range(0, len(known), _QUERIES_AT_ONCE)]
    return joined([_nearest_of(block, queries, items, n, holders, above) for block in blocks])


def joined(found: Sequence[Hits]) -> Hits:
    """The hits of several parts of the queries, in order."""
    none = Hits(*(np.zeros(0, dtype=kind) for kind in (np.int64, np.int64, np.float32)))
    return Hits(*(np.concatenate(parts) for parts in zip(none, *found, strict=True)))


def best_items(
    queries: RowVectors,
    items: RowVectors,
    holders: Holders,
    pairs: tuple[np.ndarray, np.ndarray],
    n: int,
    within: np.ndarray | None = None,
) -> Hits:
    """Of pairs (m,) of rows of queries and vectors, the n items of highest cosine per query.

    A cosine is summed by itself, once for all items of a vector; only the vectors whose items can be among the n are
    followed to their items. within: (items,) bool, those that count.
    """
    query, vector = pairs
    exact = np.clip(dots(queries.take(query), RowVectors(items.vectors, vector)), -1.0, 1.0)
    if within is None:
        near = _reaching(query, exact, holders.starts[vector + 1] - holders.starts[vector], n)
        query, vector, exact = query[near], vector[near], exact[near]
    item, place = holders.of_vectors(vector)
    if within is not None:
        item, place = item[within[item]], place[within[item]]
    query, exact = query[place], exact[place]
    order = np.lexsort((item, -exact, query))
    return Hits(query[order], item[order], exact[order]).first(n)


def _reaching(query: np.ndarray, exact: np.ndarray, sizes: np.ndarray, n: int) -> np.ndarray:
    """(m,) bool, the vectors that the n nearest items of each query have, ties with the last included."""
    order = np.lexsort((-exact, query))
    ranked = query[order]
    before = np.cumsum(sizes[order]) - sizes[order]
    before -= before[np.searchsorted(ranked, ranked)]
    last = order[before < n]  # of each query from near to far
    least = np.zeros(int(query.max(initial=-1)) + 1, dtype=exact.dtype)
    least[query[last]] = exact[last]
    return exact >= least[query]


def _nearest_of(
    block: np.ndarray, queries: RowVectors, items: RowVectors, n: int, holders: Holders, above: float
) -> Hits:
    scores = queries.vectors[queries.rows[block]] @ items.vectors.T
    scores[:, holders.none] = -np.inf  # else they would take the places of items among the n nearest
    counted = scores > above
    if scores.shape[1] > n:  # near-ties with a row's n-th highest are in
        counted &= scores >= np.partition(scores, -n, axis=1)[:, -n, np.newaxis] - ROUNDING
    query, vector = np.nonzero(counted)
    return best_items(queries, items, holders, (block[query], vector), n)
