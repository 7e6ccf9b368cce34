"""Products found by words and by vectors, the best of them together: what is ordered for a searcher."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from features.batch import QueryBatch
from features.encoders.vectors import Hits
from features.errors import InputError
from features.groups.lexical import LexicalGroup
from features.groups.protocol import Group
from features.groups.word_by_word.shown_words import ShownWordsGroup
from features.index import CatalogueIndex
from features.retrieval.fusion import fuse


class Retrieval:
    """Candidates of one catalogue, by the vectors of its index and in the ways that its groups know.

    The ways: nearest titles; nearest photos; where encoders share a space, photos for words and titles for a photo; of
    the lexical group BM25; of shown words the photos that show the query's words, those that show what its photo
    shows, and the titles nearest theirs; of both groups BM25 of the words that the query's photo shows.
    """

    def __init__(self, catalogue: CatalogueIndex, groups: Mapping[str, Group]) -> None:
        self._catalogue, self._groups = catalogue, groups
        lexical, shown = groups.get(LexicalGroup.kind), groups.get(ShownWordsGroup.kind)
        self._worded: tuple[LexicalGroup, ShownWordsGroup] | None = None
        if isinstance(lexical, LexicalGroup) and isinstance(shown, ShownWordsGroup):
            self._worded = lexical, shown

    @property
    def names(self) -> list[str]:
        """The ways by name, in the order of `ways`."""
        found = [by.name for by in self._catalogue.vectors.finding]
        for group in self._groups.values():
            found += group.finds_by
        shown = [] if self._worded is None else self._worded[1].modalities
        return [*found, *(f"BM25 of {group}.words" for group in shown)]

    def candidates(
        self, queries: QueryBatch, count: int, within: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of queries and of products: the `count` that all ways together find first; both rising.

        within: (products,) bool, only these may come back, as if there were no others; None for all. Raises
        InputError for a mask of another shape.
        """
        return fuse(self.ways(queries, count, within), len(self._catalogue), count)

    def ways(self, queries: QueryBatch, count: int, within: np.ndarray | None = None) -> list[Hits]:
        """Up to `count` products of each query by each way."""
        size = len(self._catalogue)
        if within is not None and (within.shape != (size,) or within.dtype != np.bool_):
            raise InputError(
                where="within",
                expected=f"a bool for each of the {size} products of the index",
                got=f"an array of {within.dtype}, shape {within.shape}",
                cure="make it in the order of catalogue.product_ids",
            )
        vectors = self._catalogue.vectors
        found = [vectors.nearest(queries, by, count, within) for by in vectors.finding]
        for group in self._groups.values():
            found += group.find(queries, count, within)
        if self._worded is not None:
            lexical, shown = self._worded
            found += [lexical.best_by_terms(words, count, within) for words in shown.shown_to(queries)]
        return found
