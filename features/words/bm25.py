"""BM25 of chosen document–query pairs at once, and of one query against every document.

bm25s scores a whole corpus for each query; a ranker wants some fifty candidates a query, so here
only their counts are looked up. The formula is bm25s's "lucene", and the tests hold it to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from features.words.term_counts import PairTerms


@dataclass(frozen=True, eq=False)
class Bm25:
    """Lucene's BM25 (Kamphuis et al., ECIR 2020): sum over query terms, repeats included, of

    idf · tf / (tf + k1 · (1 - b + b · length / mean length)), idf = ln(1 + (N - df + ½) / (df + ½)).

    idf: (terms,); lengths, saturation (all that is added to tf): (documents,); float64 all.
    """

    idf: np.ndarray
    lengths: np.ndarray
    saturation: np.ndarray

    @classmethod
    def of(cls, counts: sparse.csr_array, present: np.ndarray, *, k1: float, b: float) -> Bm25:
        """counts: documents × terms; `present`: which rows are documents (N and the mean length are
        theirs; the other rows, of products without this text, must be empty).
        """
        having = np.bincount(counts.indices, minlength=counts.shape[1])
        documents = present.sum()
        idf = np.log1p((documents - having + 0.5) / (having + 0.5))
        lengths = np.asarray(counts.sum(axis=1), dtype=np.float64)
        mean = lengths.sum() / max(documents, 1)
        return cls(idf, lengths, k1 * (1 - b + b * lengths / (mean or 1.0)))

    def of_pairs(self, at: PairTerms, counts: np.ndarray) -> np.ndarray:
        """Score of each pair, (pairs,); counts: (m,) of each entry's term in its document."""
        return at.total(self.weights(counts, at.document, at.term))

    def weights(self, counts: np.ndarray, documents: np.ndarray, terms: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # k1 = 0 and a count of 0: 0 / 0, which is no match
            return self.idf[terms] * np.nan_to_num(counts / (counts + self.saturation[documents]))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return {f"{name}.{part}": getattr(self, part) for part in ("idf", "lengths", "saturation")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> Bm25:
        return cls(*(arrays[f"{name}.{part}"] for part in ("idf", "lengths", "saturation")))


@dataclass(frozen=True, eq=False)
class Postings:
    """By term, the documents that have it and how often: those of term t are `starts[t] : starts[t + 1]`."""

    starts: np.ndarray
    documents: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, counts: sparse.csr_array) -> Postings:
        by_term = counts.tocsc()
        return cls(by_term.indptr.astype(np.int64), by_term.indices, by_term.data)

    def best(
        self, bm25: Bm25, terms: np.ndarray, n: int, within: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the n best documents for these term codes, best first.

        Only documents with one of the terms, and no others are looked at; ties go to the lower row.
        within: (documents,) bool, those that may be found; their scores do not hang on it.
        """
        scores = np.zeros(len(bm25.lengths))  # pages of it that no document needs are never touched
        met = [np.zeros(0, dtype=self.documents.dtype)]
        for term in terms.tolist():
            part = slice(self.starts[term], self.starts[term + 1])
            documents = self.documents[part]
            met.append(documents[scores[documents] == 0])
            scores[documents] += bm25.weights(self.counts[part], documents, np.full(1, term))
        found = np.concatenate(met)
        if within is not None:
            found = found[within[found]]
        reached = scores[found]
        if len(found) > n:
            found = found[reached >= np.partition(reached, -n)[-n]]
        found = np.sort(found)
        best = found[np.argsort(-scores[found], kind="stable")][:n]
        return best.astype(np.int64), scores[best]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return {f"{name}.{part}": getattr(self, part) for part in ("starts", "documents", "counts")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> Postings:
        return cls(*(arrays[f"{name}.{part}"] for part in ("starts", "documents", "counts")))
