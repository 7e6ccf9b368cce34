"""Which of the catalogue's brands a query names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.words.tokens import STOP_WORDS

_NO_BRAND = -1


class BrandNames:
    """The brands of a catalogue as runs of tokens.

    tokens: those of each product's brand, null for none. Brands that read the same are one.
    """

    def __init__(self, tokens: pl.Series) -> None:
        names = pl.DataFrame({"name": tokens.list.join(" ")})
        distinct = [
            name for name in names["name"].drop_nulls().unique().sort() if set(name.split()) - STOP_WORDS
        ]
        self._codes = {name: code for code, name in enumerate(distinct)}
        self._longest = max((len(name.split()) for name in distinct), default=0)
        codes = names["name"].replace_strict(self._codes, default=_NO_BRAND, return_dtype=pl.Int64)
        self._of_product = codes.to_numpy()

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
        brands = self._of_product[products]
        width = len(self._codes)
        keys = [place * width + brand for place, brands_named in enumerate(named) for brand in brands_named]
        same = np.isin(queries * width + brands, np.asarray(keys, dtype=np.int64)).astype(np.float64)
        asked = np.fromiter(map(bool, named), dtype=bool, count=len(named))
        return np.where(asked[queries] & (brands != _NO_BRAND), same, np.nan)
