"""Which of the catalogue's brands a query names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from features.words.packed_strings import PackedStrings
from features.words.term_counts import Vocabulary
from features.words.tokens import STOP_WORDS

_NO_BRAND = -1


@dataclass(frozen=True, eq=False)
class BrandNames:
    """The brands of a catalogue as runs of tokens. Brands that read the same are one.

    names: sorted, their tokens with a blank between; of_product: (n,) the row of each product's brand in `names`,
    -1 for none.
    """

    names: PackedStrings
    of_product: np.ndarray

    @classmethod
    def of(cls, tokens: pl.Series) -> BrandNames:
        """tokens: those of each product's brand, null for none."""
        names = pl.DataFrame({"name": tokens.list.join(" ")})
        distinct = [
            name for name in names["name"].drop_nulls().unique().sort() if set(name.split()) - STOP_WORDS
        ]
        codes = {name: code for code, name in enumerate(distinct)}
        rows = names["name"].replace_strict(codes, default=_NO_BRAND, return_dtype=pl.Int64)
        return cls(PackedStrings.of(pl.Series(distinct, dtype=pl.String)), rows.to_numpy())

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of the names."""
        return Vocabulary.of(self.names.series().str.split(" "))

    @cached_property
    def counts(self) -> np.ndarray:
        """(vocabulary.size,) how many products have a brand with each word."""
        products = np.bincount(self.of_product + 1, minlength=len(self.names) + 1)[1:]
        has = self.vocabulary.counts(self.names.series().str.split(" ")) > 0
        return np.asarray(products @ has)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {self.names[row].decode(): row for row in range(len(self.names))}

    @cached_property
    def _longest(self) -> int:
        return max((len(name.split()) for name in self._codes), default=0)

    def named_in(self, tokens: Sequence[str]) -> set[int]:
        """Codes of the brands that stand in a query's tokens; of two that overlap, the first and longest."""
        found: set[int] = set()
        start = 0
        while start < len(tokens):
            length, code = self._named_at(tokens[start : start + self._longest])
            if code != _NO_BRAND:
                found.add(code)
            start += length
        return found

    def _named_at(self, tokens: Sequence[str]) -> tuple[int, int]:
        """Tokens taken and code of the longest brand that these begin with; one and none if there is none."""
        for length in range(len(tokens), 0, -1):
            code = self._codes.get(" ".join(tokens[:length]))
            if code is not None:
                return length, code
        return 1, _NO_BRAND

    def agreement(self, products: np.ndarray, queries: np.ndarray, named: Sequence[set[int]]) -> np.ndarray:
        """For each pair of a product's row and a query's place in `named`, (pairs,) float64:

        1 if the query names the product's brand, 0 if only others, NaN if it names none or the
        product has none. So 0 says that something else was asked for, which NaN does not.
        """
        brands = self.of_product[products]
        width = len(self._codes)
        keys = [place * width + brand for place, brands_named in enumerate(named) for brand in brands_named]
        same = np.isin(queries * width + brands, np.asarray(keys, dtype=np.int64)).astype(np.float64)
        asked = np.fromiter(map(bool, named), dtype=bool, count=len(named))
        return np.where(asked[queries] & (brands != _NO_BRAND), same, np.nan)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return self.names.arrays(f"{name}.names") | {f"{name}.of_product": self.of_product}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> BrandNames:
        return cls(PackedStrings.from_arrays(arrays, f"{name}.names"), arrays[f"{name}.of_product"])
