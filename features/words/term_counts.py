"""Lists of terms → counts per document, and the look-up of a query's terms in chosen documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from scipy import sparse

from features.words.packed_strings import PackedStrings
from features.words.tokens import STOP_WORDS
from features.words.word_hashes import word_hash

_FEW = 64  # terms looked up one by one: a request's
_ENTRIES_AT_ONCE = 1 << 15  # what is compared of them stays in the cache


class Vocabulary:
    """Distinct terms, sorted; a term's code is its place.

    All unknown terms share the last code, `size - 1`, which no document has.
    """

    def __init__(self, terms: PackedStrings) -> None:
        self.terms = terms
        self.size = len(terms) + 1

    @classmethod
    def of(cls, *lists: pl.Series) -> Vocabulary:
        """The terms of some columns of lists."""
        none = pl.Series(dtype=pl.String)
        distinct = (column.explode().drop_nulls().unique() for column in lists)
        return cls(PackedStrings.of(pl.concat([none, *distinct]).unique().sort()))

    def codes(self, terms: pl.Series | Sequence[str]) -> np.ndarray:
        """The code of each term, (n,) int64."""
        if len(terms) <= _FEW:
            found = np.fromiter(map(self.terms.find, terms), dtype=np.int64, count=len(terms))
            found[found < 0] = self.size - 1
            return found
        known = pl.Series(terms, dtype=pl.String).cast(self._enum, strict=False).to_physical()
        return known.cast(pl.Int64).fill_null(self.size - 1).to_numpy()

    def counts(self, lists: pl.Series) -> sparse.csr_array:
        """How often each document (list) has each term: documents × size, float32; null is empty."""
        long = pl.DataFrame({"term": lists}).with_row_index("document").explode("term").drop_nulls()
        where = (long["document"].to_numpy().astype(np.int64), self.codes(long["term"]))
        ones = np.ones(long.height, dtype=np.float32)
        return sparse.coo_array((ones, where), shape=(len(lists), self.size)).tocsr()

    @cached_property
    def hashes(self) -> np.ndarray:
        """(size,) uint32, see `word_hash`; 0 for stop words and for the code of unknown terms."""
        terms = self.terms.series().to_list()
        return np.array([0 if term in STOP_WORDS else word_hash(term) for term in terms] + [0], np.uint32)

    @cached_property
    def _enum(self) -> pl.Enum:
        return pl.Enum(self.terms.series())


Counts = Mapping[str, sparse.csr_array]
"""By name, documents × terms of one vocabulary."""


def merged(
    before: tuple[Vocabulary, Counts], changed: tuple[Vocabulary, Counts], rows: np.ndarray, whole: str
) -> tuple[Vocabulary, dict[str, sparse.csr_array]]:
    """Of documents that are row rows[i] of those before, and from there on of the changed ones.

    As counted from all of them: terms that no document has any more are gone. whole: the name of the counts in which
    every term in use stands.
    """
    names = pl.concat([vocabulary.terms.series() for vocabulary, _ in (before, changed)]).unique().sort()
    union = Vocabulary(PackedStrings.of(names))
    parts = [
        {name: _recoded(one, union.codes(vocabulary.terms.series()), union.size) for name, one in by.items()}
        for vocabulary, by in (before, changed)
    ]
    stacked = {
        name: sparse.csr_array(sparse.vstack([part[name] for part in parts], format="csr"))[rows]
        for name in parts[0]
    }
    used = np.bincount(stacked[whole].indices, minlength=union.size)[:-1] > 0
    vocabulary = Vocabulary(PackedStrings.of(names.filter(pl.Series(used))))
    codes = np.append(np.cumsum(used) - 1, used.sum())
    return vocabulary, {name: _recoded(one, codes, vocabulary.size) for name, one in stacked.items()}


def _recoded(counts: sparse.csr_array, codes: np.ndarray, size: int) -> sparse.csr_array:
    """The same counts where term t has the code codes[t], which rise with t."""
    shape = (counts.shape[0], size)
    return sparse.csr_array((counts.data, codes[counts.indices], counts.indptr), shape=shape)


def narrow(codes: np.ndarray) -> np.ndarray:
    """In 32 bits where they fit, which sparse arrays of other origin may not have them in."""
    return codes.astype(np.int32) if codes.max(initial=0) < 2**31 else codes


@dataclass(frozen=True, eq=False)
class FieldCounts:
    """How often each document has each term in each of several fields.

    Rows are documents; the entries of row i are `starts[i] : starts[i + 1]` of `columns` (rising; the term's
    code + the field's place × width) and `counts` (float32).
    """

    fields: int
    width: int
    starts: np.ndarray
    columns: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, fields: Sequence[sparse.csr_array]) -> FieldCounts:
        """Of at least one field: documents × terms each."""
        beside = sparse.csr_array(sparse.hstack(list(fields), format="csr"))
        beside.sum_duplicates()
        return cls(
            len(fields),
            fields[0].shape[1],
            beside.indptr.astype(np.int64),
            narrow(beside.indices),
            beside.data,
        )

    def split(self) -> list[sparse.csr_array]:
        """Field by field, documents × terms: what `of` was given."""
        shape = (len(self.starts) - 1, self.fields * self.width)
        whole = sparse.csr_array(
            (self.counts, self.columns, self.starts.astype(self.columns.dtype)), shape=shape
        )
        return [whole[:, field * self.width : (field + 1) * self.width] for field in range(self.fields)]

    def look_up(self, at: PairTerms) -> np.ndarray:
        """How often each entry's document has its term, field by field: (fields, m) float32."""
        found = np.zeros((self.fields, len(at.term)), dtype=np.float32)
        if not len(self.columns):
            return found
        fields = np.arange(self.fields)[:, np.newaxis] * self.width
        size = max(_ENTRIES_AT_ONCE // self.fields, 1)
        for start in range(0, len(at.term), size):
            part = slice(start, start + size)
            columns = (at.term[part] + fields).astype(self.columns.dtype)
            found[:, part] = self._at(at.document[part], columns)
        return found

    def terms_of(self, documents: np.ndarray, fields: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The terms that documents (m,) have in any of the fields: the place in (m,) and the code of each, (e,)."""
        start, sizes = self.starts[documents], self.starts[documents + 1] - self.starts[documents]
        place = np.repeat(np.arange(len(documents)), sizes)
        entry = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + start[place]
        field, code = np.divmod(self.columns[entry].astype(np.int64), self.width)
        wanted = np.isin(field, fields)
        return place[wanted], code[wanted]

    def _at(self, documents: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Counts of (fields, m) entries, by bisection within their rows, all at once; documents: (m,)."""
        start, end = self.starts[documents], self.starts[documents + 1]
        place = np.broadcast_to(start, columns.shape).copy()
        for bit in reversed(range(int((end - start).max(initial=0)).bit_length())):
            further = place + (1 << bit)
            lower = self.columns.take(further - 1, mode="clip") < columns
            lower &= further <= end
            place += lower * (1 << bit)
        hit = (place < end) & (self.columns.take(place, mode="clip") == columns)
        return np.where(hit, self.counts.take(place, mode="clip"), np.float32(0))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        shape = np.array([self.fields, self.width])
        parts = {"shape": shape, "starts": self.starts, "columns": self.columns, "counts": self.counts}
        return {f"{name}.{part}": array for part, array in parts.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> FieldCounts:
        fields, width = arrays[f"{name}.shape"].tolist()
        return cls(fields, width, *(arrays[f"{name}.{part}"] for part in ("starts", "columns", "counts")))


@dataclass(frozen=True)
class TermLists:
    """Term codes of several queries end to end; those of query q are `codes[starts[q] : starts[q + 1]]`."""

    codes: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, terms: Sequence[Sequence[str]], vocabulary: Vocabulary) -> TermLists:
        """One list of terms a query, repeats kept."""
        lengths = np.fromiter(map(len, terms), dtype=np.int64, count=len(terms))
        flat = [term for query in terms for term in query]
        return cls(vocabulary.codes(flat), np.concatenate([[0], np.cumsum(lengths)]))

    def __getitem__(self, query: int) -> np.ndarray:
        return self.codes[self.starts[query] : self.starts[query + 1]]

    def __len__(self) -> int:
        return len(self.starts) - 1


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
        if not len(terms.codes):
            return cls(len(queries), *(np.zeros(0, dtype=np.int64) for _ in range(3)))
        sizes = np.diff(terms.starts)[queries]
        pair = np.repeat(np.arange(len(queries)), sizes)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return cls(len(queries), pair, documents[pair], terms.codes[terms.starts[queries[pair]] + within])

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
    def size(self) -> np.ndarray:
        """How many terms each pair's query asks for, (pairs,)."""
        return np.bincount(self.pair, minlength=self.pairs)

    @property
    def empty(self) -> np.ndarray:
        """Pairs whose query asks for nothing, (pairs,) bool."""
        return self.size == 0

    def having(self, counts: np.ndarray) -> np.ndarray:
        """How many of the query's terms the document has, (pairs,); counts: (m,) of one field."""
        return np.bincount(self.pair[counts > 0], minlength=self.pairs)

    def covered(self, counts: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Share of the query's terms that the document has, (pairs,); NaN where it asks for none.

        counts: (m,) of one field; weights: worth of each entry, equal if not given.
        """
        if not len(self.pair):
            return np.full(self.pairs, np.nan)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN wanted
            if weights is None:
                return self.having(counts) / self.size
            return self.total(weights * (counts > 0)) / self.total(weights)
