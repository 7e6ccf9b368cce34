"""The best by BM25 and the nearest by each cosine, united: what is ordered for a searcher."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from features.batch import QueryBatch
from features.errors import InputError
from features.groups.lexical import LexicalGroup
from features.groups.protocol import Group
from features.index import CatalogueIndex


class Retrieval:
    """Candidates of one catalogue, by the words that the lexical group counts and by the vectors of the index."""

    def __init__(self, catalogue: CatalogueIndex, groups: Mapping[str, Group]) -> None:
        lexical = groups.get(LexicalGroup.kind)
        self._catalogue = catalogue
        self._lexical = lexical if isinstance(lexical, LexicalGroup) else None

    def candidates(
        self, queries: QueryBatch, count: int, within: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of queries and of products: `count` by BM25 and as many by each cosine; each pair once, both rising.

        within: (products,) bool, only these may come back, as if there were no others; None for all. Raises
        InputError for a mask of another shape.
        """
        size = len(self._catalogue)
        if within is not None and (within.shape != (size,) or within.dtype != np.bool_):
            raise InputError(
                where="within",
                expected=f"a bool for each of the {size} products of the index",
                got=f"an array of {within.dtype}, shape {within.shape}",
                cure="make it in the order of catalogue.product_ids",
            )
        vectors = self._catalogue.vectors
        hits = [vectors.nearest(queries, by, count, within) for by in vectors.searched.values()]
        if self._lexical is not None:
            hits.append(self._lexical.best(queries, count, within))
        none = np.zeros(0, dtype=np.int64)
        found = [none, *(hit.queries * max(size, 1) + hit.items for hit in hits)]
        pairs = np.unique(np.concatenate(found))
        return pairs // max(size, 1), pairs % max(size, 1)
