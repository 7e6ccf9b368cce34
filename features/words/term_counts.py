"""Lists of terms → counts per document, and the look-up of a query's terms in chosen documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from scipy import sparse


class Vocabulary:
    """The distinct terms of some columns of lists; a term's code is its place in sorted order.

    All unknown terms share the last code, `size - 1`, which no document has.
    """

    def __init__(self, *lists: pl.Series) -> None:
        none = pl.Series(dtype=pl.String)
        distinct = (column.explode().drop_nulls().unique() for column in lists)
        self._terms = pl.Enum(pl.concat([none, *distinct]).unique().sort())
        self.size = len(self._terms.categories) + 1

    def codes(self, terms: pl.Series) -> np.ndarray:
        """The code of each term, (n,) int64."""
        known = terms.cast(self._terms, strict=False).to_physical()
        return known.cast(pl.Int64).fill_null(self.size - 1).to_numpy()

    def counts(self, lists: pl.Series) -> sparse.csr_array:
        """How often each document (list) has each term: documents × size, float32; null is empty."""
        long = pl.DataFrame({"term": lists}).with_row_index("document").explode("term").drop_nulls()
        where = (long["document"].to_numpy().astype(np.int64), self.codes(long["term"]))
        ones = np.ones(long.height, dtype=np.float32)
        return sparse.coo_array((ones, where), shape=(len(lists), self.size)).tocsr()


@dataclass(frozen=True)
class TermLists:
    """Term codes of several queries end to end; those of query q are `codes[starts[q] : starts[q + 1]]`."""

    codes: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, terms: Sequence[Sequence[str]], vocabulary: Vocabulary) -> TermLists:
        """One list of terms a query, repeats kept."""
        lengths = np.fromiter(map(len, terms), dtype=np.int64, count=len(terms))
        flat = pl.Series([term for query in terms for term in query], dtype=pl.String)
        return cls(vocabulary.codes(flat), np.concatenate([[0], np.cumsum(lengths)]))

    def __getitem__(self, query: int) -> np.ndarray:
        return self.codes[self.starts[query] : self.starts[query + 1]]


@dataclass(frozen=True)
class PairTerms:
    """One entry for each pair of document and query, and each term of the query: three arrays (m,).

    pair: which pair (0 … pairs - 1) the entry belongs to; document: row of the document; term: code.
    """

    pairs: int
    pair: np.ndarray
    document: np.ndarray
    term: np.ndarray

    @classmethod
    def of(cls, documents: np.ndarray, queries: np.ndarray, terms: TermLists) -> PairTerms:
        """The pairs `(documents[i], queries[i])`, of rows of documents and places in `terms`."""
        sizes = np.diff(terms.starts)[queries]
        pair = np.repeat(np.arange(len(queries)), sizes)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return cls(len(queries), pair, documents[pair], terms.codes[terms.starts[queries[pair]] + within])

    def look_up(self, counts: sparse.csr_array) -> np.ndarray:
        """How often each entry's document has its term, (m,)."""
        if not len(self.term):
            return np.zeros(0, dtype=np.float32)
        return np.asarray(counts[self.document, self.term])

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums of entries by pair, (pairs,) float64; 0 for a pair without entries."""
        return np.bincount(self.pair, weights=values, minlength=self.pairs)

    def mean(self, values: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
        """Means of entries by pair, (pairs,), of those `among` (m,) bool if given; NaN where there are none."""
        counted = np.ones(len(self.pair)) if among is None else among.astype(np.float64)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN wanted
            return self.total(values * counted) / self.total(counted)

    def least(self, values: np.ndarray) -> np.ndarray:
        """The smallest entry of each pair, (pairs,); NaN for a pair without entries."""
        found = np.full(self.pairs, np.nan)
        starts = np.flatnonzero(np.diff(self.pair, prepend=-1))
        if len(starts):
            found[self.pair[starts]] = np.minimum.reduceat(values, starts)
        return found

    @cached_property
    def empty(self) -> np.ndarray:
        """Pairs whose query asks for nothing, (pairs,) bool."""
        return self.total(np.ones(len(self.pair))) == 0

    def covered(self, counts: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Share of the query's terms that the document has, (pairs,); NaN where it asks for none.

        counts: as from `look_up`; weights: worth of each entry, equal if not given.
        """
        worth = np.ones(len(self.pair)) if weights is None else weights
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN wanted
            return self.total(worth * (counts > 0)) / self.total(worth)
