"""Feature-level fusion: the embeddings themselves, raw or reduced by PCA, beside the other features.

The projection is fitted on the training pairs alone, fold by fold, and saved with the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from features.cosines import RowVectors
from features.errors import InputError
from features.projection import EmbeddingFeatures
from ltr.anchoring import load_anchored
from ltr.dataset import Dataset
from ltr.rankers import Ranker

EmbeddedColumn = Literal["title", "description", "category", "brand", "image", "query_text", "query_image"]
# A shop's own modalities come beside: audio, query_audio.
EMBEDDED: tuple[str, ...] = get_args(EmbeddedColumn)


class EmbeddingFusionConfig(BaseModel):
    """Which embeddings become features, and how many components of each (null: all, unreduced)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: tuple[str, ...] = Field(
        ("query_text", "title"),
        min_length=1,
        description="columns of EMBEDDED, and of a shop's own modalities: audio, query_audio",
    )
    components: int | None = Field(16, ge=1)


@dataclass(frozen=True)
class EmbeddedDataset:
    """A dataset and, where embeddings are features, the vectors of its rows by field."""

    data: Dataset
    vectors: Mapping[str, RowVectors] = field(default_factory=dict)

    def take(self, query_ids: Sequence[str]) -> EmbeddedDataset:
        rows = self.rows_of(query_ids)
        return EmbeddedDataset(self.data.take(query_ids), {k: v.take(rows) for k, v in self.vectors.items()})

    def rows_of(self, query_ids: Sequence[str]) -> np.ndarray:
        """Row numbers of these queries, ascending: the order that `Dataset.take` keeps."""
        wanted = pl.Series(list(query_ids), dtype=pl.String).implode()
        return np.flatnonzero(self.data.frame["query_id"].is_in(wanted).to_numpy())


def choose_vectors(found: Mapping[str, RowVectors], config: EmbeddingFusionConfig) -> dict[str, RowVectors]:
    """The config's fields out of those that catalogue and encoders give; InputError for one they do not."""
    missing = [name for name in config.fields if name not in found]
    if missing:
        raise InputError(
            where="config key 'embeddings.fields'",
            expected=f"fields with embeddings ({', '.join(found) or 'none here'})",
            got=repr(missing[0]),
            cure="remove it, or configure an encoder that reads it",
        )
    return {name: found[name] for name in config.fields}


class FusedRanker:
    """A ranker and the projection its embedding features go through, fitted and saved together."""

    def __init__(
        self,
        ranker: Ranker,
        embeddings: EmbeddingFusionConfig | None,
        projection: EmbeddingFeatures | None = None,
    ) -> None:
        self.ranker, self._embeddings, self._projection = ranker, embeddings, projection

    def fit(self, train: EmbeddedDataset, validation: EmbeddedDataset | None) -> None:
        """Fit the projection on the training rows, then the ranker; validation only stops it."""
        if self._embeddings:
            self._projection = EmbeddingFeatures.fit(train.vectors, self._embeddings.components)
        self.ranker.fit(self.extend(train), self.extend(validation) if validation else None)

    def score(self, rows: EmbeddedDataset) -> np.ndarray:
        """Scores (n,), aligned with the dataset's rows."""
        return self.ranker.score(self.extend(rows))

    def save(self, run: Path) -> None:
        """`model/` and, where embeddings are features, `projection.safetensors` in the run folder."""
        self.ranker.save(run / "model")
        if self._projection:
            self._projection.save(run / "projection.safetensors")

    @classmethod
    def load(cls, run: Path, embeddings: EmbeddingFusionConfig | None) -> FusedRanker:
        projection = EmbeddingFeatures.load(run / "projection.safetensors") if embeddings else None
        return cls(load_anchored(run / "model"), embeddings, projection)

    def extend(self, rows: EmbeddedDataset) -> Dataset:
        """The dataset as the ranker takes it: the projected embeddings, if any, beside the other features."""
        if not self._projection:
            return rows.data
        embedded = self._projection.transform(rows.vectors)
        return Dataset.from_frame(pl.concat([rows.data.frame, embedded], how="horizontal"))
