"""Nearest vectors of very many: only the cells around the query are looked into, by faiss (extra `ann`).

The vectors are dealt to about 2 √u cells by their nearest centroid, and kept there in a byte a dimension; what the
bytes find is scored again by the vectors themselves. So a cosine is never wrong, and the nearest are missed only where
their cell was not looked into. Under a filter cells are opened until enough passing vectors were met: a filter that
leaves a hundredth, or that turns away just what lies nearest, opens more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Self

import numpy as np

_CELLS = 2.0  # times the square root of the number of vectors
_SAMPLE = 40  # vectors a cell, on which the centroids are fitted
_ROUNDS, _SEED = 6, 1
_OPENED = 48  # cells, at least
_MET = 8000  # passing vectors, at least, in the cells that are opened
_COUNTED = 125_000  # vectors of which it is looked up whether they pass, to see how many do in each cell
_SPARE = 100  # found by bytes beyond those asked for, to be scored again
_GROWN = 2.0  # times as many, or as few, vectors as the centroids were fitted on: they are fitted anew
_ROWS_AT_ONCE = 16_384


def available() -> bool:
    return find_spec("faiss") is not None


@dataclass(frozen=True, eq=False)
class Cells:
    """centroids: (k, d) float32; cell: (u,) int32 of each vector; packed: faiss's own bytes, uint8.

    fitted: how many vectors there were when the centroids were fitted.
    """

    centroids: np.ndarray
    cell: np.ndarray
    packed: np.ndarray
    fitted: int

    @classmethod
    def of(cls, vectors: np.ndarray) -> Self:
        """Centroids by spherical k-means on a sample drawn evenly: the same every time."""
        faiss = _faiss()
        count = max(int(_CELLS * len(vectors) ** 0.5), 1)
        sample = np.ascontiguousarray(vectors[:: max(len(vectors) // (count * _SAMPLE), 1)], dtype=np.float32)
        means = faiss.Kmeans(
            vectors.shape[1],
            min(count, len(sample)),
            niter=_ROUNDS,
            spherical=True,
            seed=_SEED,
            min_points_per_centroid=1,
            max_points_per_centroid=2 * _SAMPLE,
        )
        means.train(sample)
        index = _empty(means.centroids)
        index.train(sample)
        cell, every = _assigned(vectors, means.centroids), np.arange(len(vectors))
        return cls._filled(index, means.centroids, cell, vectors, every, len(vectors))

    def changed(self, vectors: np.ndarray, same: np.ndarray) -> Self:
        """Of other vectors; same: (u,) the row here that each is the vector of, -1 for new ones.

        Only new ones are dealt to cells, by the centroids there are, unless there are by now so many more or fewer;
        the bytes of the others stay.
        """
        if not 1 / _GROWN <= len(vectors) / max(self.fitted, 1) <= _GROWN:
            return type(self).of(vectors)
        cell = np.where(same >= 0, self.cell[np.maximum(same, 0)], -1).astype(np.int32)
        unlike = np.flatnonzero(same < 0)
        cell[unlike] = _assigned(vectors[unlike], self.centroids)
        earlier, kept = np.unique(same, return_index=True)  # of equal vectors, one has the bytes
        kept = kept[earlier >= 0]
        now = np.full(len(self.cell), -1)
        now[same[kept]] = kept
        index = self._opened
        del self.__dict__["_opened"]
        _renumber(index, now)
        new = np.ones(len(vectors), dtype=bool)
        new[kept] = False
        return type(self)._filled(index, self.centroids, cell, vectors, np.flatnonzero(new), self.fitted)

    def near(self, query: np.ndarray, n: int, passing: np.ndarray | None, allowed: Any = None) -> np.ndarray:
        """Rows, rising, of vectors among which the n nearest of those passing are, as good as always.

        query: (d,); passing: (k,) about how many pass in each cell, None for all; allowed: see `selector`.
        """
        worth = self.centroids @ query
        if passing is None:
            chosen = np.argpartition(-worth, min(_OPENED, len(worth)) - 1)[:_OPENED]
        else:
            order = np.argsort(-worth, kind="stable")
            met = int(np.searchsorted(np.cumsum(passing[order]), _MET)) + 1
            chosen = order[: max(_OPENED, met)]
        faiss, count = _faiss(), 2 * n + _SPARE
        sought = np.ascontiguousarray(query, dtype=np.float32)
        cells, theirs = chosen.astype(np.int64), worth[chosen].astype(np.float32)
        scores, found = np.empty(count, dtype=np.float32), np.empty(count, dtype=np.int64)
        pointer = faiss.swig_ptr
        self._opened.search_preassigned_c(
            *(1, pointer(sought), count, pointer(cells), pointer(theirs), pointer(scores), pointer(found)),
            *(False, faiss.SearchParametersIVF(nprobe=len(cells), sel=allowed)),
        )
        return np.sort(found[found >= 0])

    def selector(self, passing: np.ndarray) -> tuple[np.ndarray, Any]:
        """About how many of (u,) bool pass in each cell, and faiss's word for them."""
        step = max(len(passing) // _COUNTED, 1)
        counts = np.bincount(self.cell[::step][passing[::step]], minlength=len(self.centroids)) * step
        return counts, _faiss().IDSelectorBitmap(np.packbits(passing, bitorder="little"))

    def arrays(self) -> dict[str, np.ndarray]:
        fitted = np.array([self.fitted], dtype=np.int64)
        return {"centroids": self.centroids, "cell": self.cell, "packed": self.packed, "fitted": fitted}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        fitted = int(arrays["fitted"][0])
        return cls(arrays["centroids"], arrays["cell"], arrays["packed"], fitted)

    @cached_property
    def _opened(self) -> Any:
        """faiss's index; read when it is first asked."""
        return _faiss().deserialize_index(np.asarray(self.packed))

    @classmethod
    def _filled(
        cls,
        index: Any,
        centroids: np.ndarray,
        cell: np.ndarray,
        vectors: np.ndarray,
        new: np.ndarray,
        fitted: int,
    ) -> Self:
        """new: (m,) rows of vectors that the index does not hold yet."""
        faiss = _faiss()
        for start in range(0, len(new), _ROWS_AT_ONCE):
            rows = new[start : start + _ROWS_AT_ONCE].astype(np.int64)
            part = np.ascontiguousarray(vectors[rows], dtype=np.float32)
            cells = cell[rows].astype(np.int64)
            index.add_core(len(part), *(faiss.swig_ptr(array) for array in (part, rows, cells)))
        return cls(np.ascontiguousarray(centroids), cell, faiss.serialize_index(index), fitted)


def _renumber(index: Any, now: np.ndarray) -> None:
    """In faiss's lists, the row that each vector has now; those of -1 go."""
    faiss, lists = _faiss(), index.invlists
    for place in range(lists.nlist):
        size = lists.list_size(place)
        if not size:
            continue
        rows = faiss.rev_swig_ptr(lists.get_ids(place), size)
        codes = faiss.rev_swig_ptr(lists.get_codes(place), size * lists.code_size).reshape(size, -1)
        left = np.flatnonzero(now[rows] >= 0)
        rows[: len(left)] = now[rows[left]]
        codes[: len(left)] = codes[left]
        lists.resize(place, len(left))
    index.ntotal = int(np.count_nonzero(now >= 0))


def _empty(centroids: np.ndarray) -> Any:
    faiss = _faiss()
    dimensions = centroids.shape[1]
    quantizer = faiss.IndexFlatIP(dimensions)
    quantizer.add(centroids)
    return faiss.IndexIVFScalarQuantizer(
        quantizer,
        dimensions,
        len(centroids),
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        True,
    )


def _assigned(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """(u,) int32, the centroid of highest dot product with each vector."""
    found = np.empty(len(vectors), dtype=np.int32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        part = vectors[start : start + _ROWS_AT_ONCE]
        found[start : start + len(part)] = np.argmax(part @ centroids.T, axis=1)
    return found


def _faiss() -> ModuleType:
    import faiss  # noqa: PLC0415 - an extra, and a catalogue of fewer products needs none

    return faiss
