"""Cosines of query and product by frozen encoders: text–text per field, photo–photo, text–photo.

What holds of photos holds of any other modality that an encoder reads (see media): its features make a group
of its name, `audio.audio_audio`, `audio.text_audio`, `audio.audio_title`.

Which columns there are depends on the catalogue and the encoders alone, never on the queries at
hand, so a table built for one query has the columns of the table that trained the model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product as pairings
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from features.encoders import vectors
from features.encoders.vectors import RowVectors
from features.groups.pair_rows import rows_of
from features.groups.standings import rank_within, z_within
from features.media.columns import PREFIX, column_of, hash_column, media_columns, modality_of
from features.media.files import hashes_of

if TYPE_CHECKING:
    from features.encoders.cache import EmbeddingCache
    from features.encoders.protocol import Encoder

TextField = Literal["title", "description", "category", "brand"]
_TEXT_FIELDS: tuple[TextField, ...] = ("title", "description", "category", "brand")
_FOUND = {"query_id": pl.String, "product_id": pl.String, "cosine": pl.Float32}
_WORDS = {"image": "photo"}  # what features call a modality other than by its own name


class SimilarityConfig(BaseModel):
    """Which product fields a query's text is compared with; photos and the like, where encoders allow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text_fields: tuple[TextField, ...] = Field(
        default=_TEXT_FIELDS, description="fields absent from the catalogue are left out"
    )


class MediaVectors(NamedTuple):
    """Photos, or another modality than text, as the encoder that compares like with like sees them."""

    word: str  # what features call one: photo
    catalogue: Callable[[], RowVectors]  # in the order of the products
    of_queries: Callable[[pl.DataFrame], RowVectors]


@dataclass
class EncodingStats:
    """Summed over calls: distinct contents found in the cache, and those encoded.

    unreadable: by column (`product image`), the most items of one call that its encoder could not read.
    """

    reused: int = 0
    encoded: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Side:
    """A column of queries or products, seen by an encoder; equal where the vectors are equal."""

    encoder: Encoder = field(compare=False)
    fingerprint: str
    column: str

    @property
    def modality(self) -> str:
        return modality_of(self.column)


@dataclass(frozen=True)
class _Measure:
    """One cosine: a side of the query against a side of the product, in one space."""

    name: str
    query: _Side
    product: _Side

    @property
    def group(self) -> str:
        return self.name.split(".", 1)[0]

    @property
    def searches(self) -> bool:
        """Whether the nearest products of its group are those nearest by this one: title, or like by like."""
        return self.name == "text.title" or self.query.modality == self.product.modality != "text"


class SimilarityIndex:
    """Cosine features of one catalogue; products and queries are encoded when a pair first asks.

    encoders: by role, in order of preference. Text is compared by the first that reads text, photos
    by the first that reads photos; text with photos by the first two that share a `space` (often
    one joint encoder), and where none do those columns are absent. Other modalities are as photos.
    stats: what the cache gave and what had to be encoded, summed over all calls.
    """

    def __init__(
        self,
        products: pl.DataFrame,
        config: SimilarityConfig,
        encoders: Mapping[str, Encoder],
        cache: EmbeddingCache,
    ) -> None:
        self.stats = EncodingStats()
        self._cache = cache
        present = _present(products)
        carried = [hash_column(name) for name in present if hash_column(name) in products.columns]
        self._products = products.select("product_id", *present, *carried)
        possible = [
            m for m in _measures(list(encoders.values())) if m.product.column in self._products.columns
        ]
        wanted = {f"text.{column}" for column in config.text_fields}
        self._measures = [m for m in possible if m.name in wanted or m.group != "text"]
        self._nearest_by = [m for m in possible if m.searches]
        self._catalogue: dict[_Side, RowVectors] = {}

    @property
    def columns(self) -> list[str]:
        return [measure.name + suffix for measure in self._measures for suffix in ("", "_rank", "_z")]

    def features(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        """Cosine of each pair, with its rank share and z-score among the query's candidates.

        Row-aligned with `pairs`, Float32. Null where the query or the product lacks what is
        compared, or it cannot be read. Raises InputError for pairs of unknown queries or products.
        """
        of_query, of_product = self._pair_vectors(queries, pairs)
        found = {m.name: vectors.of_pairs(of_query[m.query], of_product[m.product]) for m in self._measures}
        standings = [within(name) for name in found for within in (rank_within, z_within)]
        return pairs.select("query_id").with_columns(**found).with_columns(standings).select(self.columns)

    def embeddings(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, RowVectors]:
        """The vectors behind the cosines, row-aligned with `pairs`, for `projection.EmbeddingFeatures`.

        By column: title, description, category, brand, image (or another modality) of the product;
        query_text and query_image. A column that two encoders read comes from the first.
        """
        of_query, of_product = self._pair_vectors(queries, pairs)
        named = [(f"query_{side.modality}", vectors) for side, vectors in of_query.items()]
        named += [
            (side.column if side.modality == "text" else side.modality, vectors)
            for side, vectors in of_product.items()
        ]
        return dict(reversed(named))

    def nearest(self, queries: pl.DataFrame, n: int) -> pl.DataFrame:
        """The products of the whole catalogue nearest each query: query_id, product_id, cosine.

        The n best by title, for queries with text, and the n best by photo, for queries with one,
        or by what else they have; a product found in several ways stands once, with the highest
        cosine, which is of no meaning beyond the order of one way. Fewer where fewer cosines
        are positive; ties go to the lower product_id. Encodes the catalogue at the first call and
        keeps its vectors in memory.
        """
        found = [self._nearest_by_measure(measure, queries, n) for measure in self._nearest_by]
        return (
            pl.concat([pl.DataFrame(schema=_FOUND), *found])
            .group_by("query_id", "product_id")
            .agg(pl.col("cosine").max())
            .sort("query_id", "cosine", "product_id", descending=[False, True, False])
        )

    @property
    def searches(self) -> dict[str, Callable[[pl.DataFrame, int], pl.DataFrame]]:
        """By group: the n products nearest each query by title (text), by photo (image), by sound."""
        return {m.group: partial(self._nearest_by_measure, m) for m in self._nearest_by}

    @property
    def media(self) -> dict[str, MediaVectors]:
        """By modality: the vectors of its like-with-like cosine, of the whole catalogue and of queries."""
        return {
            m.group: MediaVectors(
                _WORDS.get(m.group, m.group),
                partial(self._whole_catalogue, m.product),
                partial(self._embed, m.query, what="query"),
            )
            for m in self._nearest_by
            if m.group != "text"
        }

    def _nearest_by_measure(self, measure: _Measure, queries: pl.DataFrame, n: int) -> pl.DataFrame:
        sought = self._embed(measure.query, queries, "query")
        if (sought.rows < 0).all():
            return pl.DataFrame(schema=_FOUND)  # and the catalogue is not encoded for nothing
        by_id = self._products["product_id"].arg_sort().to_numpy()
        items = self._whole_catalogue(measure.product).take(by_id)
        hits = vectors.nearest(sought, items, n)
        return hits.select(
            queries["query_id"].gather(hits["query"]),
            self._products["product_id"].gather(by_id[hits["item"].to_numpy()]),
            "cosine",
        )

    def _whole_catalogue(self, side: _Side) -> RowVectors:
        if side not in self._catalogue:
            self._catalogue[side] = self._embed(side, self._products, "product")
        return self._catalogue[side]

    def _pair_vectors(
        self, queries: pl.DataFrame, pairs: pl.DataFrame
    ) -> tuple[dict[_Side, RowVectors], dict[_Side, RowVectors]]:
        """Vectors of each pair's query and product, by side; only those in use are encoded, once each."""
        query_rows = rows_of(pairs["query_id"], queries)
        product_rows = rows_of(pairs["product_id"], self._products)
        of_query = {
            side: self._embed_used(side, queries, query_rows, "query")
            for side in dict.fromkeys(m.query for m in self._measures)
        }
        of_product = {
            side: self._catalogue[side].take(product_rows)
            if side in self._catalogue
            else self._embed_used(side, self._products, product_rows, "product")
            for side in dict.fromkeys(m.product for m in self._measures)
        }
        return of_query, of_product

    def _embed_used(self, side: _Side, table: pl.DataFrame, rows: np.ndarray, what: str) -> RowVectors:
        used, place = np.unique(rows, return_inverse=True)
        return self._embed(side, table[used], what).take(place)

    def _embed(self, side: _Side, table: pl.DataFrame, what: str) -> RowVectors:
        label = f"{what} {side.column.removeprefix(PREFIX)}"
        items = _column(table, side.column)
        if side.modality == "text":
            items = items.cast(pl.String)  # a column of nothing but nulls may have no type yet
        carried = (
            {"hashes": hashes_of(table, side.column)} if hash_column(side.column) in table.columns else {}
        )
        made = self._cache.embed(side.encoder, items, side.modality, label, **carried)
        self.stats.reused += made.reused
        self.stats.encoded += made.encoded
        if made.unreadable:
            self.stats.unreadable[label] = max(made.unreadable, self.stats.unreadable.get(label, 0))
        return RowVectors(made.vectors, made.rows)


def _present(products: pl.DataFrame) -> list[str]:
    """The comparable columns of which some product has a value."""
    fields = (*_TEXT_FIELDS, "image", *media_columns(products.columns))
    columns = [name for name in fields if name in products.columns]
    return [name for name in columns if products[name].null_count() < products.height]


def _measures(encoders: Collection[Encoder]) -> Iterator[_Measure]:
    """Every cosine these encoders can take, by a catalogue that has every column."""
    readers = [encoder for encoder in encoders if "text" in encoder.modalities]
    for reader in readers[:1]:
        for column in _TEXT_FIELDS:
            yield _Measure(f"text.{column}", _side(reader, "text"), _side(reader, column))
    for modality in sorted({name for encoder in encoders for name in encoder.modalities} - {"text"}):
        viewers = [encoder for encoder in encoders if modality in encoder.modalities]
        yield from _measures_of(modality, readers, viewers)


def _measures_of(modality: str, readers: list[Encoder], viewers: list[Encoder]) -> Iterator[_Measure]:
    """Of photos, or another modality than text: like with like, and with text where a space is shared."""
    word, column = _WORDS.get(modality, modality), column_of(modality)
    like = _side(viewers[0], column)
    yield _Measure(f"{modality}.{word}_{word}", like, like)
    joint = [
        (reader, viewer) for reader, viewer in pairings(readers, viewers) if reader.space == viewer.space
    ]
    for reader, viewer in joint[:1]:
        yield _Measure(f"{modality}.text_{word}", _side(reader, "text"), _side(viewer, column))
        yield _Measure(f"{modality}.{word}_title", _side(viewer, column), _side(reader, "title"))


def _column(table: pl.DataFrame, name: str) -> pl.Series:
    """The column, or nulls: queries need not have every modality that the products have."""
    return (
        table[name] if name in table.columns else pl.repeat(None, table.height, dtype=pl.String, eager=True)
    )


def _side(encoder: Encoder, column: str) -> _Side:
    return _Side(encoder, encoder.fingerprint, column)
