"""BM25 of the same texts read otherwise: words as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

import numpy as np
import polars as pl

from features.encoders.vectors import Hits
from features.groups.lexical import LexicalConfig
from features.index import CatalogueIndex
from features.words.bm25 import Bm25, Postings
from features.words.term_counts import TermLists, Vocabulary
from features.words.tokens import fold


def as_they_are(texts: pl.Series) -> pl.Series:
    """Tokens as `tokenise` reads them, save that a plural stays one; of scripts with blanks between words."""
    plain = fold(pl.col("text")).str.replace_all(r"['’]s\b", "")
    plain = plain.str.replace_all(r"([\p{L}])['’]([\p{L}])", "${1}${2}")
    plain = plain.str.replace_all(r"\b([a-z])-([a-z])", "${1}${2}")
    tokens = plain.str.extract_all(r"\d+(?:\.\d+)+|[\p{L}\p{M}\p{N}]+")
    return pl.DataFrame({"text": texts.cast(pl.String)}).select(tokens=tokens)["tokens"]


class Bm25As:
    """BM25 of a catalogue's texts as a tokeniser reads them."""

    def __init__(
        self,
        catalogue: CatalogueIndex,
        fields: Sequence[str],
        settings: LexicalConfig,
        read: Callable[[pl.Series], pl.Series],
    ) -> None:
        lists = [read(catalogue.products[name]) for name in fields]
        self._vocabulary = Vocabulary.of(*lists)
        counts = reduce(add, map(self._vocabulary.counts, lists))
        present = catalogue.products.select(pl.any_horizontal(pl.col(fields).is_not_null())).to_series()
        self._bm25 = Bm25.of(counts, present.to_numpy(), k1=settings.k1, b=settings.b)
        self._postings = Postings.of(counts, self._bm25)

    def best(self, wanted: Sequence[Sequence[str]], n: int) -> Hits:
        terms = TermLists.of(wanted, self._vocabulary)
        found = [self._postings.best(self._bm25, terms[query], n) for query in range(len(terms))]
        queries = np.repeat(np.arange(len(found)), [len(rows) for rows, _ in found])
        return Hits(queries, *(np.concatenate(parts) for parts in zip(*found, strict=True)))
