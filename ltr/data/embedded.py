"""A dataset with the vectors of its rows beside it, for where the embeddings themselves are features."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from features.build import with_own_columns
from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.feature_schema import KEYS
from ltr.data.dataset import Dataset

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

    def judged(self) -> EmbeddedDataset:
        """See `Dataset.judged`."""
        kept = np.flatnonzero(self.data.is_judged)
        return EmbeddedDataset(self.data.judged(), {k: v.take(kept) for k, v in self.vectors.items()})

    def for_training(self, *, weighing: bool) -> EmbeddedDataset:
        """See `Dataset.for_training`."""
        data = self.data.for_training(weighing=weighing)
        if not self.vectors or data is self.data:
            return EmbeddedDataset(data, self.vectors)
        kept = data.frame.select(KEYS).join(
            self.data.frame.select(KEYS).with_row_index("row"), on=KEYS, how="left", maintain_order="left"
        )["row"]
        return EmbeddedDataset(data, {k: v.take(kept.to_numpy()) for k, v in self.vectors.items()})

    def emptied(self, groups: Collection[str]) -> EmbeddedDataset:
        """The same pairs of a shop that has nothing for these groups: their features and vectors are missing."""
        gone = with_own_columns(groups)
        names = [feature.name for feature in self.data.schema.features if feature.group in gone]
        frame = self.data.frame
        empty = (pl.lit(None, frame.schema[name]).alias(name) for name in names)
        none = {k: RowVectors(v.vectors, np.full_like(v.rows, -1)) for k, v in self.vectors.items()}
        vectors = {
            k: none[k] if _group_of(k, self.data.schema.groups) in gone else v
            for k, v in self.vectors.items()
        }
        data = Dataset.from_frame(frame.with_columns(empty), self.data.schema)
        return EmbeddedDataset(replace(data, unjudged=self.data.unjudged), vectors)

    def rows_of(self, query_ids: Sequence[str]) -> np.ndarray:
        """Row numbers of these queries, ascending: the order that `Dataset.take` keeps."""
        wanted = pl.Series(list(query_ids), dtype=pl.String).implode()
        return np.flatnonzero(self.data.frame["query_id"].is_in(wanted).to_numpy())


def _group_of(field_name: str, groups: Collection[str]) -> str:
    """The group that an embedding belongs to: that of its modality."""
    modality = field_name.removeprefix("query_")
    return modality if modality in groups else "image" if modality == "image" else "text"


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
