"""A catalogue read once: the order of its products, and their vectors; groups of features add their own arrays.

Rows of an index are the products in the order of product_id, so that a tie in a search does not hang on the
order of the catalogue's file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

import numpy as np
import polars as pl

from features.batch import rows_of
from features.encoders.cache import EmbeddingCache
from features.encoders.catalogue_vectors import CatalogueVectors
from features.encoders.protocol import Encoder
from features.words.tokens import TokenisedColumns


class CatalogueIndex:
    """product_ids: sorted; catalogue_rows: (n,) where each stood in the catalogue's own order."""

    def __init__(
        self,
        product_ids: pl.Series,
        catalogue_rows: np.ndarray,
        vectors: CatalogueVectors,
        products: pl.DataFrame | None,
    ) -> None:
        """products: in the order of the index; None where it is opened, and all that was read of them is at hand."""
        self.product_ids, self.catalogue_rows, self.vectors = product_ids, catalogue_rows, vectors
        self._products = products

    @classmethod
    def of(
        cls,
        products: pl.DataFrame,
        encoders: Mapping[str, Encoder],
        cache: EmbeddingCache,
        text_fields: Collection[str],
    ) -> CatalogueIndex:
        """Every product's texts and photos by the encoders, by role, in order of preference."""
        rows = products["product_id"].arg_sort().to_numpy()
        vectors = CatalogueVectors.of(products, rows, list(encoders.values()), cache, text_fields)
        in_order = products[rows]
        return cls(in_order["product_id"], rows, vectors, in_order)

    @property
    def products(self) -> pl.DataFrame:
        """The products' columns, in the order of the index; there while it is made, not once it is opened."""
        if self._products is None:
            raise RuntimeError(
                "an opened index has arrays only: keep in `arrays` what is needed of the products"
            )
        return self._products

    @cached_property
    def tokens(self) -> TokenisedColumns:
        """The products' texts as tokens, each column read once for all groups."""
        return TokenisedColumns(self.products)

    def rows_of(self, product_ids: pl.Series) -> np.ndarray:
        """Rows of these products, (n,) int64; InputError for one that is not in the catalogue."""
        return rows_of(product_ids.alias("product_id"), self.product_ids)

    def __len__(self) -> int:
        return len(self.product_ids)
