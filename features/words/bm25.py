"""BM25 of chosen document–query pairs at once, and of one query against every document.

bm25s scores a whole corpus for each query; a ranker wants some fifty candidates a query, so here
only their counts are looked up. The formula is bm25s's "lucene", and the tests hold it to that.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from features.words.term_counts import PairTerms


class Bm25:
    """Lucene's BM25 (Kamphuis et al., ECIR 2020): sum over query terms, repeats included, of

    idf · tf / (tf + k1 · (1 - b + b · length / mean length)), idf = ln(1 + (N - df + ½) / (df + ½)).

    counts: documents × terms; `present`: which rows are documents (N and the mean length are
    theirs; the other rows, of products without this text, must be empty).
    """

    def __init__(self, counts: sparse.csr_array, present: np.ndarray, *, k1: float, b: float) -> None:
        self.counts = counts
        having = np.bincount(counts.indices, minlength=counts.shape[1])
        documents = present.sum()
        self.idf = np.log1p((documents - having + 0.5) / (having + 0.5))
        self.lengths = np.asarray(counts.sum(axis=1), dtype=np.float64)
        mean = self.lengths.sum() / max(documents, 1)
        self._saturation = k1 * (1 - b + b * self.lengths / (mean or 1.0))

    def of_pairs(self, at: PairTerms, counts: np.ndarray) -> np.ndarray:
        """Score of each pair, (pairs,); `counts` as `at.look_up(self.counts)` gives them."""
        return at.total(self._weights(counts, at.document, at.term))

    def top(self, terms: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the n best documents for these term codes, best first.

        Only documents with one of the terms; ties go to the lower row.
        """
        scores = np.asarray(self._by_term[:, terms].sum(axis=1))
        found = np.flatnonzero(scores)
        if len(found) > n:
            threshold = np.partition(scores[found], -n)[-n]
            found = found[scores[found] >= threshold]
        best = found[np.argsort(-scores[found], kind="stable")][:n]
        return best, scores[best]

    @cached_property
    def _by_term(self) -> sparse.csc_array:
        """The weight of each term in each document, by term; made at the first search."""
        counts = self.counts.tocoo()
        weights = self._weights(counts.data, counts.row, counts.col)
        return sparse.coo_array((weights, (counts.row, counts.col)), shape=counts.shape).tocsc()

    def _weights(self, counts: np.ndarray, documents: np.ndarray, terms: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # k1 = 0 and a count of 0: 0 / 0, which is no match
            return self.idf[terms] * np.nan_to_num(counts / (counts + self._saturation[documents]))
