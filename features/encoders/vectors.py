"""Cosines of unit vectors: of given pairs, and of the nearest items of a whole catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

_PAIRS_AT_ONCE = 4096  # two gathered blocks of 384 floats stay within 13 MB, near the cache
_QUERIES_AT_ONCE = 256  # times 50,000 items: a 51 MB block of cosines
_ROUNDING = 1e-5  # more than a matrix product of float32 differs from a pair's own sum


class RowVectors(NamedTuple):
    """Vectors of distinct items, and the item of each row: many rows may share one vector."""

    vectors: np.ndarray  # (u, d) float32, unit length
    rows: np.ndarray  # (n,) int64, -1 = no vector

    def take(self, rows: np.ndarray) -> RowVectors:
        return RowVectors(self.vectors, self.rows[rows])


def of_pairs(left: RowVectors, right: RowVectors) -> pl.Series:
    """The cosine of each row of `left` with the same row of `right`, (n,) Float32.

    Null where either side has no vector.
    """
    found = dots(left, right)
    return pl.Series(np.clip(found, -1.0, 1.0)).fill_nan(None)


def dots(left: RowVectors, right: RowVectors) -> np.ndarray:
    """Dot products row by row, (n,) float32; NaN where either side has no vector.

    Each pair is summed by itself, so that its last bit does not hang on which other pairs come with
    it; memory is bounded by a block of pairs.
    """
    found = np.full(len(left.rows), np.nan, dtype=np.float32)
    there = np.flatnonzero((left.rows >= 0) & (right.rows >= 0))
    for start in range(0, len(there), _PAIRS_AT_ONCE):
        block = there[start : start + _PAIRS_AT_ONCE]
        ours, theirs = left.vectors[left.rows[block]], right.vectors[right.rows[block]]
        found[block] = np.einsum("ij,ij->i", ours, theirs)
    return found


def nearest(queries: RowVectors, items: RowVectors, n: int) -> pl.DataFrame:
    """The n items of highest cosine per query: columns query, item (row numbers) and cosine.

    Only positive cosines count (above rounding, 1e-5): of items with nothing in common with the
    query none is near, so it may have fewer than n, or none. Equal cosines go to the lower item
    row. Sorted by query, then from near to far.
    """
    known = np.flatnonzero(queries.rows >= 0)
    blocks = [known[at : at + _QUERIES_AT_ONCE] for at in range(0, len(known), _QUERIES_AT_ONCE)]
    schema = {"query": pl.Int64, "item": pl.Int64, "cosine": pl.Float32}
    return pl.concat([pl.DataFrame(schema=schema), *_nearest_of_blocks(blocks, queries, items, n)])


def _nearest_of_blocks(
    blocks: list[np.ndarray], queries: RowVectors, items: RowVectors, n: int
) -> Iterator[pl.DataFrame]:
    holders = pl.DataFrame({"vector": items.rows, "item": np.arange(len(items.rows))})
    of_no_item = np.setdiff1d(np.arange(len(items.vectors)), items.rows)
    for block in blocks:
        scores = queries.vectors[queries.rows[block]] @ items.vectors.T
        scores[:, of_no_item] = -1.0  # else they would take the places of items among the n nearest
        query, vector = np.nonzero(_contenders(scores, n))
        hits = pl.DataFrame({"query": block[query], "vector": vector}).join(holders, on="vector")
        exact = of_pairs(queries.take(hits["query"].to_numpy()), items.take(hits["item"].to_numpy()))
        yield (
            hits.select("query", "item", exact.alias("cosine"))
            .sort("query", "cosine", "item", descending=[False, True, False])
            .group_by("query", maintain_order=True)
            .head(n)
        )


def _contenders(scores: np.ndarray, n: int) -> np.ndarray:
    """Mask of the positive scores that reach a row's n-th highest, near-ties with it included."""
    positive = scores > _ROUNDING
    if scores.shape[1] <= n:
        return positive
    last = np.partition(scores, -n, axis=1)[:, -n, np.newaxis]
    return positive & (scores >= last - _ROUNDING)
