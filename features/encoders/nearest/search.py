"""The nearest items of one column of a catalogue, of all or of those that pass a filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from features.encoders import vectors
from features.encoders.nearest.heads import Heads, contenders
from features.encoders.vectors import ROUNDING, Hits, Holders, RowVectors

_FEW_QUERIES = 64  # at once: times a million vectors 256 MB of bounds
_FEW_VECTORS = 4096  # passing a filter: a whole scan of them takes no time


class VectorSearch:
    """Exact: whole scans of few vectors, and of many by their heads first (see `heads`)."""

    def __init__(self, items: RowVectors, holders: Holders, heads: Heads | None) -> None:
        self._items, self._holders, self._heads = items, holders, heads

    @classmethod
    def of(cls, items: RowVectors) -> Self:
        return cls(items, Holders.of(items), Heads.of(items.vectors))

    def nearest(
        self, queries: RowVectors, n: int, within: np.ndarray | None = None, above: float = ROUNDING
    ) -> Hits:
        """As `vectors.nearest`; within: (items,) bool, those that may be found."""
        passing = np.flatnonzero(np.diff(self._holders.starts)) if len(self._holders.none) else None
        if within is not None:
            passing = self._having(within)
            if self._heads is None or len(passing) <= _FEW_VECTORS:
                return vectors.nearest(queries, self._part(passing, within), n, above=above)
        if self._heads is None:
            return vectors.nearest(queries, self._items, n, self._holders, above)
        known = np.flatnonzero(queries.rows >= 0)
        blocks = [known[at : at + _FEW_QUERIES] for at in range(0, len(known), _FEW_QUERIES)]
        found = [self._by_heads(self._heads, queries, block, n, passing, within) for block in blocks]
        hits = vectors.joined(found)
        return Hits(*(part[hits.cosines > above] for part in hits))

    def _by_heads(
        self,
        heads: Heads,
        queries: RowVectors,
        block: np.ndarray,
        n: int,
        passing: np.ndarray | None,
        within: np.ndarray | None,
    ) -> Hits:
        """Of a block of rows of queries; passing: rows of vectors that some item within has, all if None."""
        sought = queries.vectors[queries.rows[block]]
        bounds = heads.bounds(sought, passing)
        pairs = zip(bounds, sought, strict=True)
        near = [contenders(bound, query, self._items.vectors, passing, n) for bound, query in pairs]
        query = np.repeat(block, [len(found) for found in near])
        item, place = self._holders.of_vectors(np.concatenate(near))
        if within is not None:
            item, place = item[within[item]], place[within[item]]
        return vectors.best_items(queries, self._items, query[place], item, n)

    def _having(self, within: np.ndarray) -> np.ndarray:
        """Rows of the vectors that some item within has, rising."""
        marked = np.zeros(len(self._items.vectors), dtype=bool)
        rows = self._items.rows[within]
        marked[rows[rows >= 0]] = True
        return np.flatnonzero(marked)

    def _part(self, passing: np.ndarray, within: np.ndarray) -> RowVectors:
        """The items within, as items of these vectors alone."""
        place = np.full(len(self._items.vectors) + 1, -1)  # one more: the row -1 stays -1
        place[passing] = np.arange(len(passing))
        return RowVectors(self._items.vectors[passing], np.where(within, place[self._items.rows], -1))

    def arrays(self) -> dict[str, np.ndarray]:
        own = {"starts": self._holders.starts, "items": self._holders.items}
        return own | ({f"heads.{k}": v for k, v in self._heads.arrays().items()} if self._heads else {})

    @classmethod
    def from_arrays(cls, items: RowVectors, arrays: Mapping[str, np.ndarray]) -> Self:
        heads = {k.removeprefix("heads."): v for k, v in arrays.items() if k.startswith("heads.")}
        holders = Holders(arrays["starts"], arrays["items"])
        return cls(items, holders, Heads.from_arrays(heads) if heads else None)
