"""The lists as they would be had some products no photo, or no description; nothing is encoded anew.

The features are built again, so that ranks, z-scores and words of all text are right, not just emptied by name.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from features.build import FeatureBuilder
from features.encoders.vectors import RowVectors
from features.feature_schema import KEYS, NOT_FEATURES, FeatureSchema
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.pipeline.prepare import Prepared, cache_of
from ltr.training.modality_dropout import COLUMN, Part, lists_without, without


class ThinnedCatalogue:
    """A catalogue with less than it has; `whole` are its judged pairs as they are.

    embeddings: which of their vectors are features.
    """

    def __init__(self, config: Config, prepared: Prepared, whole: EmbeddedDataset) -> None:
        self.whole, self.embeddings = whole, config.embeddings
        self._config, self._schema = config, prepared.schema
        self._products, self.queries = prepared.collection.products, prepared.collection.queries
        self._encoders = prepared.encoders
        self._gone: Part | None = None

    def rows(self, query_ids: Sequence[str], part: Part, share: float, seed: int) -> EmbeddedDataset:
        """The pairs of these queries where a share of the products has lost the part; the run's features."""
        kept = self.whole.take(query_ids)
        products = without(self._products, part, share, seed)
        frame = self._built(kept.data.frame, products, part, self._schema)
        gone = products.filter(pl.col(COLUMN[part]).is_null())["product_id"]
        lost = kept.data.frame["product_id"].is_in(gone.implode()).to_numpy()
        field, vectors = COLUMN[part], dict(kept.vectors)
        if field in vectors:
            whole = vectors[field]
            vectors[field] = RowVectors(whole.vectors, np.where(lost, -1, whole.rows))
        return EmbeddedDataset(self._dataset(frame), vectors)

    def never_had(self, part: Part) -> ThinnedCatalogue:
        """The catalogue without the part: the pairs with the features and embeddings that such a one makes."""
        products = without(self._products, part, 1, 0)
        data = self._dataset(self._built(self.whole.data.frame, products, part, None))
        vectors = {name: found for name, found in self.whole.vectors.items() if name != COLUMN[part]}
        bare = copy.copy(self)
        bare.whole = EmbeddedDataset(data, vectors)
        bare.embeddings = self.embeddings and self.embeddings.within(vectors)
        bare._products, bare._schema, bare._gone = products, data.schema, part
        return bare

    def thinned(self) -> EmbeddedDataset:
        """All pairs as training sees them, thinned as `train.modality_dropout` says."""
        return self.training_rows(self._config.train.modality_dropout, self._config.robustness.seed + 1)

    def training_rows(self, shares: Mapping[Part, float], seed: int) -> EmbeddedDataset:
        """All pairs, row-aligned with `whole`; those of a share of the queries as if no product had the part."""
        if not any(shares.values()):
            return self.whole
        data = self.whole.data
        frames, vectors = [data.frame], dict(self.whole.vectors)
        for query_ids, part in lists_without(data.query_ids, shares, seed):
            if part == self._gone:
                continue
            thinned = self.rows(query_ids, part, 1, seed)
            frames.append(thinned.data.frame)
            places = self.whole.rows_of(query_ids)
            vectors = {name: _put(found, places, thinned.vectors[name]) for name, found in vectors.items()}
        frame = pl.concat(frames).unique(KEYS, keep="last")
        return EmbeddedDataset(self._dataset(frame), vectors)

    def _built(
        self, kept: pl.DataFrame, products: pl.DataFrame, part: Part, schema: FeatureSchema | None
    ) -> pl.DataFrame:
        """A photo changes no word: then the lexical features stay, which take most of the time."""
        config, same = self._config, []
        if part == "photos":
            same = [name for name in self._schema.names if name.startswith("lexical.")]
            features = config.features.model_copy(update={"lexical": None})
            config = config.model_copy(update={"features": features})
        builder = FeatureBuilder(products, config.features, self._encoders, cache_of(config), schema)
        known = [name for name in NOT_FEATURES if name in kept.columns]
        built = builder.build(self.queries, kept.select(known)).frame.with_columns(kept.select(same))
        return built.select(*known, *(name for name in self._schema.names if name in built.columns))

    def _dataset(self, frame: pl.DataFrame) -> Dataset:
        """The table with the run's features, or those that it has of them."""
        schema = FeatureSchema(tuple(f for f in self._schema.features if f.name in frame.columns))
        return replace(Dataset.from_frame(frame, schema), unjudged=self.whole.data.unjudged)


def _put(vectors: RowVectors, places: np.ndarray, other: RowVectors) -> RowVectors:
    """The rows at `places` from `other`, which holds the same distinct vectors."""
    rows = vectors.rows.copy()
    rows[places] = other.rows
    return RowVectors(vectors.vectors, rows)
