"""The vectors of a whole catalogue, by column and encoder, and those of the queries that are held against them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from features.batch import QueryBatch
from features.encoders.cache import EmbeddingCache
from features.encoders.comparisons import Comparison, Side, compared_columns, comparisons
from features.encoders.nearest import VectorSearch
from features.encoders.protocol import Encoder
from features.encoders.vectors import Hits, RowVectors
from features.media.columns import PREFIX, hash_column
from features.media.files import hashes_of


@dataclass
class EncodingStats:
    """Summed over calls: distinct contents found in the cache, and those encoded.

    unreadable: by column (`product image`), the most items of one call that its encoder could not read.
    """

    reused: int = 0
    encoded: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)

    def count(self, label: str, reused: int, encoded: int, unreadable: int) -> None:
        self.reused += reused
        self.encoded += encoded
        if unreadable:
            self.unreadable[label] = max(unreadable, self.unreadable.get(label, 0))


class CatalogueVectors:
    """Vectors of the products, one `RowVectors` a side, rows in the order of the index; queries' on demand.

    compared: every cosine that catalogue and encoders allow, of which a group takes those it is set to.
    """

    def __init__(
        self, compared: Sequence[Comparison], products: Mapping[Side, RowVectors], cache: EmbeddingCache
    ) -> None:
        self.compared = compared
        self.stats = EncodingStats()
        self._products, self._cache = products, cache
        self.searches: dict[Side, VectorSearch] = {}

    @property
    def fingerprints(self) -> set[str]:
        """Of the encoders that take part in a cosine."""
        return {side.fingerprint for one in self.compared for side in (one.query, one.product)}

    @classmethod
    def of(
        cls,
        products: pl.DataFrame,
        rows: np.ndarray,
        encoders: Collection[Encoder],
        cache: EmbeddingCache,
        text_fields: Collection[str],
        without: Collection[str] = (),
    ) -> CatalogueVectors:
        """Read by the encoders, or from the cache; texts of the chosen fields, and the title for searches.

        products: in the catalogue's own order; rows: (n,) the row of it that each row of the index is; without:
        groups of cosines that are left out.
        """
        compared = [one for one in compare(encoders, products, text_fields) if one.group not in without]
        made = cls(compared, {}, cache)
        sides = dict.fromkeys(one.product for one in compared)
        made._products = {side: made._embed(side, products, "product").take(rows) for side in sides}
        return made

    @property
    def sides(self) -> list[Side]:
        return list(self._products)

    @property
    def searched(self) -> dict[str, Comparison]:
        """By group, the cosine that finds its nearest products: by title (text), by photo (image), by sound."""
        return {one.group: one for one in self.compared if one.searches}

    @property
    def finding(self) -> list[Comparison]:
        """The cosines by which products are looked for: those `searched`, and words against photos and back."""
        return [one for one in self.compared if one.searches or one.query.modality != one.product.modality]

    def of_products(self, side: Side) -> RowVectors:
        return self._products[side]

    def of_queries(self, queries: QueryBatch, side: Side) -> RowVectors:
        """Rows in the order of the queries; read once a batch."""
        return queries.once(side, lambda: self._embed_queries(side, queries))

    def of_words(self, side: Side, words: pl.Series) -> RowVectors:
        """Words of the catalogue, each by itself, as the side's encoder reads a text; they are counted nowhere."""
        made = self._cache.embed(side.encoder, words, side.modality, "words")
        return RowVectors(made.vectors, made.rows)

    def nearest(self, queries: QueryBatch, by: Comparison, n: int, within: np.ndarray | None = None) -> Hits:
        """The n products of the whole catalogue nearest each query by one cosine.

        Only positive cosines count; ties go to the lower row. Asked again for fewer, it does not look again.
        within: (products,) bool, those that may be found.
        """
        sought = self.of_queries(queries, by.query)
        if within is not None:
            return self.search(by.product).nearest(sought, n, within)
        known: list[tuple[int, Hits]] = queries.once(("nearest", by), list)
        if not known or known[0][0] < n:
            known[:] = [(n, self.search(by.product).nearest(sought, n))]
        found = known[0][1]
        return found if known[0][0] == n else found.first(n)

    def search(self, side: Side) -> VectorSearch:
        """The search among the products' vectors of one side, made or opened once."""
        if side not in self.searches:
            self.searches[side] = VectorSearch.of(self._products[side])
        return self.searches[side]

    def take_searches(
        self, before: CatalogueVectors, same: Callable[[RowVectors, RowVectors], np.ndarray]
    ) -> None:
        """The searches of an earlier state of the catalogue, changed by what changed.

        same: of vectors now and before, the earlier row of each that is as it was, -1 for others.
        """
        for side, search in before.searches.items():
            if side in self._products and side not in self.searches:
                now = self._products[side]
                self.searches[side] = search.changed(now, same(now, before.of_products(side)))

    def _embed(self, side: Side, table: pl.DataFrame, what: str) -> RowVectors:
        label = f"{what} {side.column.removeprefix(PREFIX)}"
        items = table[side.column]
        if side.modality == "text":
            items = items.cast(pl.String)  # a column of nothing but nulls may have no type yet
        carried = {}
        if hash_column(side.column) in table.columns:
            carried["hashes"] = hashes_of(table, side.column)
        made = self._cache.embed(side.encoder, items, side.modality, label, **carried)
        self.stats.count(label, made.reused, made.encoded, made.unreadable)
        return RowVectors(made.vectors, made.rows)

    def _embed_queries(self, side: Side, queries: QueryBatch) -> RowVectors:
        column = queries.column(side.column)
        if len(queries) != 1:
            return self._embed(side, queries.frame.with_columns(column), "query")
        item = column[0]
        if item is None:
            # As wide as products' vectors, where there are any: an encoder not needed is not made.
            known = (
                found for other, found in self._products.items() if other.fingerprint == side.fingerprint
            )
            like = next(known, None)
            dimensions = side.encoder.dimensions if like is None else int(like.vectors.shape[1])
            return RowVectors(np.zeros((0, dimensions), dtype=np.float32), np.array([-1]))
        vector = self._cache.encode_one(side.encoder, item, side.modality)
        there = not np.isnan(vector).any()
        self.stats.count(f"query {side.column.removeprefix(PREFIX)}", 0, 1, int(not there))
        return RowVectors(vector[np.newaxis], np.array([0 if there else -1]))


def compare(
    encoders: Collection[Encoder], products: pl.DataFrame, text_fields: Collection[str]
) -> list[Comparison]:
    """The cosines that these encoders take of this catalogue."""
    columns = compared_columns(products)
    wanted = {*text_fields, "title"}
    return [
        one
        for one in comparisons(list(encoders))
        if one.product.column in columns and (one.group != "text" or one.product.column in wanted)
    ]
