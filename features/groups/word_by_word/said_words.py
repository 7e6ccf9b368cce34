"""Which words of a catalogue each product's texts say: read from the texts, or where few products changed from those
and what was read before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import Self

import numpy as np
import polars as pl
from scipy import sparse

from features.batch import has_values
from features.groups.protocol import Arrays
from features.index import CatalogueIndex, Change
from features.words.packed_strings import PackedStrings
from features.words.term_counts import FieldCounts, Vocabulary, merged
from features.words.tokens import STOP_WORDS, TokenisedColumns

_NUMBER = r"^[\d.]+$"


@dataclass(frozen=True, eq=False)
class SaidWords:
    """Stop words and numbers, which no photo shows, are left out.

    vocabulary: all words of the fields; says: of each product which of them any field says, 1, as `look_up` reads
    them; fields: the columns that have any text.
    """

    vocabulary: Vocabulary
    says: FieldCounts
    fields: tuple[str, ...]

    @classmethod
    def of(cls, catalogue: CatalogueIndex, fields: Collection[str]) -> Self:
        """fields: those without any text in this catalogue are left out."""
        used = _filled(catalogue.products, fields)
        vocabulary, says = _read(catalogue.tokens, used, len(catalogue))
        return cls(vocabulary, FieldCounts.of([says]), used)

    def changed(self, catalogue: CatalogueIndex, fields: Collection[str], change: Change) -> Self:
        """As `of` a catalogue of which this is an earlier state; only texts of products that changed are read."""
        used = _filled(catalogue.products, fields)
        if used != self.fields:
            return self.of(catalogue, fields)
        new, rows = change.rows_of_both(used)
        part = catalogue.products.select(used)[new]
        vocabulary, read = _read(TokenisedColumns(part), used, len(new))
        before = (self.vocabulary, {"says": self.matrix})
        vocabulary, says = merged(before, (vocabulary, {"says": read}), rows, "says")
        return type(self)(vocabulary, FieldCounts.of([says["says"]]), used)

    def present(self, products: pl.DataFrame) -> np.ndarray:
        """(n,) bool, which of the products have a text in any of the fields."""
        there = (products[name].is_not_null().to_numpy() for name in self.fields)
        return reduce(np.logical_or, there, np.zeros(products.height, dtype=bool))

    @property
    def matrix(self) -> sparse.csr_array:
        """products × vocabulary.size, 1 or 0, float32."""
        return self.says.split()[0]

    @cached_property
    def counts(self) -> np.ndarray:
        """(vocabulary.size,) how many products say each word."""
        return np.bincount(self.says.columns, minlength=self.vocabulary.size)

    def arrays(self) -> dict[str, np.ndarray]:
        names = PackedStrings.of(pl.Series(self.fields, dtype=pl.String)).arrays("fields")
        return names | self.vocabulary.terms.arrays("vocabulary") | self.says.arrays("says")

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        fields, terms = (PackedStrings.from_arrays(arrays, name) for name in ("fields", "vocabulary"))
        says = FieldCounts.from_arrays(arrays, "says")
        return cls(Vocabulary(terms), says, tuple(fields.series().to_list()))


def _filled(products: pl.DataFrame, fields: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in fields if has_values(products, name))


def _read(
    columns: TokenisedColumns, fields: Collection[str], products: int
) -> tuple[Vocabulary, sparse.csr_array]:
    """The words of these columns, and which product says each, 1 or 0."""
    tokens = [columns[name] for name in fields]
    terms = Vocabulary.of(*tokens).terms.series()
    vocabulary = Vocabulary(
        PackedStrings.of(terms.filter(~terms.is_in(sorted(STOP_WORDS)) & ~terms.str.contains(_NUMBER)))
    )
    none = sparse.csr_array((products, vocabulary.size), dtype=np.float32)
    found = reduce(add, (vocabulary.counts(column) for column in tokens), none)
    known = np.ones(vocabulary.size, dtype=np.float32)
    known[-1] = 0  # the code of those left out
    says = sparse.csr_array((found > 0).astype(np.float32).multiply(known))
    says.eliminate_zeros()
    return vocabulary, says
