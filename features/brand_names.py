"""Which of the catalogue's brands a query names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.tokens import STOP_WORDS


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
        codes = pl.DataFrame(
            {"name": distinct, "code": range(len(distinct))}, schema={"name": pl.String, "code": pl.Int64}
        )
        self._of_product = (
            names.join(codes, on="name", how="left", maintain_order="left")["code"].fill_null(-1).to_numpy()
        )

    def named_in(self, tokens: Sequence[str]) -> set[int]:
        """Codes of the brands that stand in a query's tokens; the longest run wins ("polo" in "us polo")."""
        found: set[int] = set()
        start = 0
        while start < len(tokens):
            for end in range(min(start + self._longest, len(tokens)), start, -1):
                code = self._codes.get(" ".join(tokens[start:end]))
                if code is not None:
                    found.add(code)
                    start = end - 1
                    break
            start += 1
        return found

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
        return np.where(asked[queries] & (brands >= 0), same, np.nan)
