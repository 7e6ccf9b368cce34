"""Products found in several ways → one order: reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.encoders.vectors import Hits

_SMOOTHING = (
    60.0  # the authors': how little the first ranks of one way count against the middle ranks of several
)


def fuse(found: Sequence[Hits], size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each query the `count` products of highest Σ over ways of 1 / (60 + rank), ties to the lower row.

    found: a way each, best first within a query; size: of the catalogue. Rows of queries and products, both rising.
    """
    none = np.zeros(0, dtype=np.int64)
    keys = np.concatenate([none, *(hits.queries * np.int64(size) + hits.items for hits in found)])
    worth = np.concatenate([np.zeros(0), *(1 / (_SMOOTHING + _ranks(hits.queries)) for hits in found)])
    pairs, place = np.unique(keys, return_inverse=True)
    total = np.bincount(place, weights=worth, minlength=len(pairs))
    queries = pairs // max(size, 1)
    order = np.lexsort((pairs, -total, queries))
    kept = np.sort(order[_ranks(queries[order]) <= count])
    return queries[kept], pairs[kept] % max(size, 1)


def _ranks(queries: np.ndarray) -> np.ndarray:
    """From 1, of entries sorted by query."""
    return np.arange(len(queries)) - np.searchsorted(queries, queries) + 1
