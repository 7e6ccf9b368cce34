"""The nearest items of one column of a catalogue, of all or of those that pass a filter."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Self

import numpy as np

from features.encoders import vectors
from features.encoders.nearest.cells import Cells, available
from features.encoders.nearest.heads import Heads, contenders
from features.encoders.vectors import ROUNDING, Hits, Holders, RowVectors

log = logging.getLogger(__name__)

_FEW_QUERIES = 64  # at once: times 100,000 vectors 26 MB of bounds
_FEW_VECTORS = 10_000  # passing a filter: a whole scan of them takes no time
_MANY_VECTORS = 100_000  # more than so many are looked for in cells


class VectorSearch:
    """Exact: whole scans of few vectors, and of many by their heads first; of very many by cells (see `cells`)."""

    def __init__(
        self, items: RowVectors, holders: Holders, heads: Heads | None = None, cells: Cells | None = None
    ) -> None:
        self._items, self._holders, self._heads, self._cells = items, holders, heads, cells

    @classmethod
    def of(cls, items: RowVectors) -> Self:
        holders = Holders.of(items)
        if len(items.vectors) > _MANY_VECTORS:
            if available():
                return cls(items, holders, cells=Cells.of(items.vectors))
            log.info(
                "%s vectors are searched one by one, exactly: pip install 'shop-ltr[ann]' makes it quicker",
                f"{len(items.vectors):,}",
            )
        return cls(items, holders, Heads.of(items.vectors))

    def changed(self, items: RowVectors, same: np.ndarray) -> Self:
        """Among other items; same: (u,) the row in the vectors here that each of theirs equals, -1 for new ones."""
        cells, heads = self._cells, self._heads
        if cells is not None and len(items.vectors) > _MANY_VECTORS and available():
            return type(self)(items, Holders.of(items), cells=cells.changed(items.vectors, same))
        if heads is not None and cells is None and len(items.vectors) <= _MANY_VECTORS:
            return type(self)(items, Holders.of(items), heads.changed(items.vectors, same))
        return type(self).of(items)

    def refilled(self, items: RowVectors) -> Self:
        """Among other vectors altogether, that lie much as those here do: cells keep their centroids."""
        if self._cells is None:
            return type(self).of(items)
        return self.changed(items, np.full(len(items.vectors), -1))

    def nearest(
        self, queries: RowVectors, n: int, within: np.ndarray | None = None, above: float = ROUNDING
    ) -> Hits:
        """As `vectors.nearest`; within: (items,) bool, those that may be found."""
        whole = self._heads is None and self._cells is None
        if whole and within is None:
            return vectors.nearest(queries, self._items, n, self._holders, above)
        passing = self._passing(within)
        known = np.flatnonzero(queries.rows >= 0)
        sought = queries.vectors[queries.rows[known]]
        if passing is not None and (whole or np.count_nonzero(passing) <= _FEW_VECTORS):
            found = self._by_scan(sought, n, np.flatnonzero(passing))
        elif self._cells is not None:
            counts, allowed = (None, None) if passing is None else self._cells.selector(passing)
            found = [self._cells.near(query, n, counts, allowed) for query in sought]
        else:
            found = self._by_heads(sought, n, None if passing is None else np.flatnonzero(passing))
        query = np.repeat(known, [len(rows) for rows in found])
        pairs = query, np.concatenate([np.zeros(0, dtype=np.int64), *found])
        hits = vectors.best_items(queries, self._items, self._holders, pairs, n, within)
        return Hits(*(part[hits.cosines > above] for part in hits))

    def _by_scan(self, sought: np.ndarray, n: int, rows: np.ndarray) -> list[np.ndarray]:
        """Of these rows of vectors those among which the n nearest to each of (q, d) are, rising."""
        part = self._items.vectors[rows]
        if len(rows) <= n:
            return [rows] * len(sought)
        scores = [part @ query for query in sought]
        return [rows[one >= np.partition(one, -n)[-n] - ROUNDING] for one in scores]

    def _by_heads(self, sought: np.ndarray, n: int, passing: np.ndarray | None) -> list[np.ndarray]:
        """Rows of vectors among which the nearest to each of (q, d) are; of those passing, if given."""
        if self._heads is None:
            raise ValueError("no heads were taken of these vectors")
        found = []
        for start in range(0, len(sought), _FEW_QUERIES):
            block = sought[start : start + _FEW_QUERIES]
            bounds = self._heads.bounds(block, passing)
            pairs = zip(bounds, block, strict=True)
            found += [contenders(bound, query, self._items.vectors, passing, n) for bound, query in pairs]
        return found

    def _passing(self, within: np.ndarray | None) -> np.ndarray | None:
        """(u,) bool, the vectors that some item has, of those within; None where that is all."""
        if self._plain:
            return within
        if within is None:
            return np.diff(self._holders.starts) > 0 if len(self._holders.none) else None
        marked = np.zeros(len(self._items.vectors), dtype=bool)
        rows = self._items.rows[within]
        marked[rows[rows >= 0]] = True
        return marked

    @cached_property
    def _plain(self) -> bool:
        """Whether each item has the vector of its own row, as where no two are alike."""
        rows = self._items.rows
        return len(rows) == len(self._items.vectors) and bool((rows == np.arange(len(rows))).all())

    def arrays(self) -> dict[str, np.ndarray]:
        own = {"starts": self._holders.starts, "items": self._holders.items}
        for name, part in (("heads", self._heads), ("cells", self._cells)):
            own |= {f"{name}.{key}": array for key, array in part.arrays().items()} if part else {}
        return own

    @classmethod
    def from_arrays(cls, items: RowVectors, arrays: Mapping[str, np.ndarray]) -> Self:
        heads, cells = (
            {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
            for prefix in ("heads.", "cells.")
        )
        return cls(
            items,
            Holders(arrays["starts"], arrays["items"]),
            Heads.from_arrays(heads) if heads else None,
            Cells.from_arrays(cells) if cells else None,
        )
