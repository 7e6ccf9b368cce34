"""Feature groups in order → one table of features per query–product pair.

The same `FeatureBuilder.build` makes the training rows and serves a single query, so the two cannot
drift apart.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, field_validator

from features.encoders.cache import EmbeddingCache
from features.encoders.registry import Encoder, default_encoders
from features.encoders.vectors import RowVectors
from features.feature_schema import FeatureSchema
from features.groups.lexical import LexicalConfig, LexicalIndex
from features.groups.shown_words import ShownWordsConfig, ShownWordsIndex
from features.groups.similarity import SimilarityConfig, SimilarityIndex
from features.groups.structured import StructuredConfig, StructuredIndex
from features.words.tokens import TokenisedColumns


class FeaturesConfig(BaseModel):
    """Feature groups: a section of settings, or `false` to leave the group out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lexical: LexicalConfig | None = LexicalConfig()
    similarity: SimilarityConfig | None = SimilarityConfig()
    shown_words: ShownWordsConfig | None = ShownWordsConfig()
    structured: StructuredConfig | None = StructuredConfig()

    @field_validator("*", mode="before")
    @classmethod
    def _on_or_off(cls, value: Any) -> Any:
        return None if value is False else {} if value is True else value


@dataclass(frozen=True)
class FeatureTable:
    """`frame`: query_id, product_id, (grade,) features, in the order of the pairs asked for."""

    frame: pl.DataFrame
    seconds: dict[str, float]
    reused_vectors: int = 0
    encoded_vectors: int = 0
    unreadable: Mapping[str, int] = field(default_factory=dict)
    """By column (`product image`): items that an encoder could not read, whose features are null."""

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


class FeatureBuilder:
    """The feature groups of one catalogue, each indexed once.

    encoders: by role; similarity pairs a query with a product field whenever both can be encoded. Without,
    TF-IDF of the products' own texts. cache: without, vectors are kept in memory.
    schema: of a run being scored; then exactly its features are made, in its order and with its category
    codes, null where this catalogue has nothing for them.
    """

    def __init__(
        self,
        products: pl.DataFrame,
        config: FeaturesConfig | None = None,
        encoders: Mapping[str, Encoder] | None = None,
        cache: EmbeddingCache | None = None,
        schema: FeatureSchema | None = None,
    ) -> None:
        config = config or FeaturesConfig()
        encoders = default_encoders(products) if encoders is None else encoders
        cache = EmbeddingCache() if cache is None else cache
        self.seconds: dict[str, float] = {}
        self._config = config
        self._schema = schema
        self.lexical = self.similarity = self.shown_words = self.structured = None
        tokens = TokenisedColumns(products)
        if config.lexical:
            with self._timed("lexical"):
                self.lexical = LexicalIndex(products, config.lexical, tokens)
        if config.similarity:
            with self._timed("similarity"):
                self.similarity = SimilarityIndex(products, config.similarity, encoders, cache)
        if config.shown_words and self.similarity:
            with self._timed("shown words"):
                self.shown_words = ShownWordsIndex(
                    products, config.shown_words, self.similarity.media, tokens
                )
        if config.structured:
            with self._timed("structured"):
                self.structured = self._structured(products, config.structured)

    def _structured(self, products: pl.DataFrame, config: StructuredConfig) -> StructuredIndex:
        nearest = self.similarity.searches if self.similarity else {}
        if self._schema is None:
            return StructuredIndex(products, config, nearest)
        codes = {f.name: f.categories for f in self._schema.features if f.kind == "categorical"}
        return StructuredIndex(products, config, nearest, codes, self._schema.names)

    def with_numbers(self, products: pl.DataFrame) -> FeatureBuilder:
        """The same groups over the same products, some of whose numbers (price, rating, …) are others.

        As a builder made anew, at a small part of its time: texts and photos are not read again.
        """
        other = copy.copy(self)
        other.seconds = {}
        if self.lexical:
            other.lexical = self.lexical.with_prices(products)
        if self._config.structured:
            other.structured = other._structured(products, self._config.structured)
        return other

    def build(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> FeatureTable:
        """Features of `pairs` (query_id, product_id, further columns kept), row-aligned with them."""
        blocks = [pairs]
        if self.lexical:
            with self._timed("lexical"):
                blocks.append(self.lexical.features(queries, pairs))
        if self.similarity:
            with self._timed("similarity"):
                blocks.append(self.similarity.features(queries, pairs))
        if self.shown_words:
            with self._timed("shown words"):
                blocks.append(self.shown_words.features(queries, pairs))
        if self.structured:
            with self._timed("structured"):
                blocks.append(self.structured.features(queries, pairs))
        frame = pl.concat(blocks, how="horizontal")
        stats = self.similarity.stats if self.similarity else None
        return FeatureTable(
            frame if self._schema is None else _conformed(frame, self._schema, pairs.columns),
            {name: seconds for name, seconds in self.seconds.items() if seconds},
            stats.reused if stats else 0,
            stats.encoded if stats else 0,
            dict(stats.unreadable) if stats else {},
        )

    def embeddings(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, RowVectors]:
        """The encoders' vectors by field, row-aligned with `pairs`; none where similarity is off."""
        return self.similarity.embeddings(queries, pairs) if self.similarity else {}

    def candidates(self, queries: pl.DataFrame, count: int) -> pl.DataFrame:
        """Pairs of each query with the `count` best products by BM25 and as many by each cosine."""
        found = [pl.DataFrame(schema={"query_id": pl.String, "product_id": pl.String})]
        if self.lexical:
            found.append(self.lexical.retrieve(queries, count).select("query_id", "product_id"))
        if self.similarity:
            found.append(self.similarity.nearest(queries, count).select("query_id", "product_id"))
        return pl.concat(found).unique().sort("query_id", "product_id")

    @contextmanager
    def _timed(self, group: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[group] = self.seconds.get(group, 0.0) + time.perf_counter() - started


def _conformed(frame: pl.DataFrame, schema: FeatureSchema, keys: list[str]) -> pl.DataFrame:
    """The schema's features in its order; one that this catalogue cannot fill is null."""
    absent = [pl.lit(None, pl.Float32).alias(name) for name in schema.names if name not in frame.columns]
    return frame.with_columns(absent).select(*keys, *schema.names)
