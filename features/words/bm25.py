"""BM25 of chosen document–query pairs at once, and of one query against every document.

bm25s scores a whole corpus for each query; a ranker wants some fifty candidates a query, so here
only their counts are looked up. The formula is bm25s's "lucene", and the tests hold it to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from features.words.term_counts import PairTerms, narrow

_POSTINGS = ("starts", "documents", "counts", "impacts", "peaks")
_ROUNDING = 1e-5  # more than sums of a query's weights differ by their order, and by adding 32 bits
_FEW = (
    8  # documents that pass a filter are looked up one by one where the terms' lists are so many times longer
)
_LISTED = 4  # documents with a score are listed one by one up to this part of all
_EVERY = 16
_LEAST = np.finfo(np.float32).tiny  # of any score at all


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
        whole = counts + self.saturation[documents]
        # k1 = 0 and a count of 0: 0 / 0, which is no match
        return self.idf[terms] * np.divide(counts, whole, out=np.zeros(len(whole)), where=whole > 0)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return {f"{name}.{part}": getattr(self, part) for part in ("idf", "lengths", "saturation")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> Bm25:
        return cls(*(arrays[f"{name}.{part}"] for part in ("idf", "lengths", "saturation")))


@dataclass(frozen=True, eq=False)
class Postings:
    """By term, the documents that have it and how often: those of term t are `starts[t] : starts[t + 1]`, rising.

    impacts: what each count adds to its document's score, float32; peaks: (terms,) the most of each term's.
    """

    starts: np.ndarray
    documents: np.ndarray
    counts: np.ndarray
    impacts: np.ndarray
    peaks: np.ndarray

    @classmethod
    def of(cls, counts: sparse.csr_array, bm25: Bm25) -> Postings:
        by_term = counts.tocsc()
        starts = by_term.indptr.astype(np.int64)
        terms = np.repeat(np.arange(counts.shape[1]), np.diff(starts))
        impacts = bm25.weights(by_term.data, by_term.indices, terms).astype(np.float32)
        peaks = np.zeros(counts.shape[1])
        used = np.flatnonzero(np.diff(starts))
        if len(used):
            peaks[used] = np.maximum.reduceat(impacts, starts[used])
        return cls(starts, narrow(by_term.indices), by_term.data, impacts, peaks)

    def best(
        self, bm25: Bm25, terms: np.ndarray, n: int, within: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the n best documents for these term codes, best first.

        Only documents with one of the terms; ties go to the lower row. Terms are added from the most telling to the
        least, and documents without the telling ones are not looked at once they cannot reach the n-th any more
        (MaxScore: Turtle and Flood, 1995): the answer is that of looking at all. within: (documents,) bool, those
        that may be found; their scores do not hang on it.
        """
        found = self._contenders(bm25, terms, n, within)
        scores = np.zeros(len(found))
        for term in terms.tolist():  # in the query's order, whatever was looked at: sums to the last bit
            there, entries = self._entries(term, found)
            scores[there] += bm25.weights(self.counts[entries], found[there], np.array([term]))
        order = np.argsort(-scores, kind="stable")[:n]
        order = order[scores[order] > 0]
        return found[order].astype(np.int64), scores[order]

    def _contenders(self, bm25: Bm25, terms: np.ndarray, n: int, within: np.ndarray | None) -> np.ndarray:
        """Documents, rising, among which the n best are."""
        distinct, repeats = np.unique(terms, return_counts=True)
        peaks = self.peaks[distinct] * repeats
        order = np.argsort(-peaks, kind="stable")
        to_come = np.cumsum(peaks[order][::-1])[::-1] * (1 + _ROUNDING)
        found = _Contenders(len(bm25.lengths), n)
        if within is not None and _FEW * within.sum() < np.diff(self.starts)[distinct].sum():
            found.close(np.flatnonzero(within))
        for place, most in zip(order, to_come, strict=True):
            term, times = int(distinct[place]), np.float32(repeats[place])
            found.drop_beaten(most)
            part = slice(self.starts[term], self.starts[term + 1])
            if found.closed and len(found.documents) * _FEW < part.stop - part.start:
                there, entries = self._entries(term, found.documents)
                found.scores[found.documents[there]] += times * self.impacts[entries]
                continue
            # numpy takes 64 bits as they are, and would turn 32 into them at each use
            documents, impacts = self.documents[part].astype(np.int64), self.impacts[part]
            impacts = impacts if times == 1 else times * impacts
            if within is not None and not found.closed:
                passing = within[documents]
                documents, impacts = documents[passing], impacts[passing]
            found.add(documents, impacts, peaks[place])
        return found.best()

    def _entries(self, term: int, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of these documents (m,), rising, have the term, and where in the lists."""
        having = self.documents[self.starts[term] : self.starts[term + 1]]
        if not len(having):
            return np.zeros(len(documents), dtype=bool), np.zeros(0, dtype=np.int64)
        place = np.searchsorted(having, documents)
        there = having[np.minimum(place, len(having) - 1)] == documents
        return there, self.starts[term] + place[there]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return {f"{name}.{part}": getattr(self, part) for part in _POSTINGS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> Postings:
        return cls(*(arrays[f"{name}.{part}"] for part in _POSTINGS))


class _Contenders:
    """Scores of documents while terms are added one by one, and who may still be among the n best.

    closed: nobody comes in any more; documents: (m,) rows, rising once closed. Before that they are listed as long
    as they are few, and after that whoever has a score is one.
    """

    def __init__(self, size: int, n: int) -> None:
        self.scores = np.zeros(size, dtype=np.float32)  # untouched pages cost nothing
        self.documents, self.closed = np.zeros(0, dtype=np.int64), False
        self._n, self._listed, self._most, self._least = n, True, 0.0, 0.0

    def close(self, documents: np.ndarray) -> None:
        self.documents, self.closed, self._listed = documents, True, True

    def add(self, documents: np.ndarray, impacts: np.ndarray, peak: float) -> None:
        """One term: its documents, distinct, what it adds to each, and the most of it."""
        if not self.closed and self._listed:
            new = documents[self.scores[documents] == 0] if len(self.documents) else documents
            self._listed = _LISTED * (len(self.documents) + len(new)) < len(self.scores)
            self.documents = np.concatenate([self.documents, new]) if self._listed else new[:0]
        np.add.at(self.scores, documents, impacts)  # thrice as fast as +=
        self._most += peak

    def drop_beaten(self, to_come: float) -> None:
        """Whoever cannot reach the n-th any more, given the most that the terms to come can add."""
        if self._most <= to_come and not self.closed:
            return  # nor can the n-th be so far ahead
        least = self._nth()
        if to_come < least:
            self.close(self._reaching(least - to_come))

    def best(self) -> np.ndarray:
        """Documents, rising, that score no less than the n-th."""
        if not self._listed:
            self.documents, self._listed = self._reaching(self._nth()), True
        return np.sort(self._reaching(self._nth()))

    def _reaching(self, least: float) -> np.ndarray:
        """Those, rising, with a score of at least that much (any score at all, if it is 0)."""
        if not self._listed or (not self.closed and _EVERY * len(self.documents) > len(self.scores)):
            return np.flatnonzero(self.scores >= max(np.float32(least), _LEAST))  # quicker than sorting many
        found = self.documents[self.scores[self.documents] >= np.float32(least)]
        return found if self.closed else np.sort(found)

    def _nth(self) -> float:
        """The n-th best score, to rounding; 0 where there are fewer. Of many only those near it are sorted."""
        scores = self.scores[self.documents] if self._listed else self.scores
        if len(scores) > _EVERY * self._n:
            # What some more than n should reach, by every 16th; the count below says whether they do.
            place = 2 * self._n // _EVERY + _EVERY
            some = scores[::_EVERY].copy()
            guess = np.partition(some, -place)[-place] if len(some) >= place else np.float32(0)
            some = scores[scores >= max(guess, np.float32(self._least))]
            scores = some if len(some) >= self._n else scores
        if len(scores) < self._n:
            return 0.0
        self._least = float(np.partition(scores, -self._n)[-self._n]) * (1 - _ROUNDING)
        return self._least
