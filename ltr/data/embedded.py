"""A dataset with the vectors of its rows beside it, for where the embeddings themselves are features."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.build import with_own_columns
from features.encoders.comparisons import TEXT_FIELDS
from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.feature_schema import KEYS
from features.groups.adapted import WORDS, fields_of
from ltr.data.dataset import Dataset

EmbeddedColumn = Literal["title", "description", "category", "brand", "image", "query_text", "query_image"]
# A shop's own modalities come beside: audio, query_audio.
EMBEDDED: tuple[str, ...] = get_args(EmbeddedColumn)


class EmbeddingFusionConfig(BaseModel):
    """What is learnt from the vectors themselves: components of them, and cosines adapted to the judgements."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: tuple[str, ...] = Field(
        ("query_text", "title"),
        description="whose components become features: columns of EMBEDDED, and of a shop's own modalities "
        "(audio, query_audio); none by default where `adapted` is given",
    )
    components: int | None = Field(16, ge=1, description="of each field; null: all, unreduced")
    adapted: tuple[str, ...] = Field(
        (),
        description="cosines that are adapted to the training queries' judgements, as features beside the plain "
        "ones: text.title, text.description, image.photo_photo, image.text_photo, image.photo_title, …; words: which "
        "words of a query go with which of title, brand and category",
    )

    @model_validator(mode="before")
    @classmethod
    def _adapted_alone(cls, given: Any) -> Any:
        alone = isinstance(given, Mapping) and given.get("adapted") and "fields" not in given
        return {**given, "fields": ()} if alone else given

    @model_validator(mode="after")
    def _something(self) -> EmbeddingFusionConfig:
        if not (self.fields or self.adapted):
            raise ValueError("at least one field, or one cosine to adapt")
        return self

    @property
    def needed(self) -> list[str]:
        """The fields whose vectors, or words, it takes."""
        compared = (field for name in self.adapted for field in fields_of(name))
        return list(dict.fromkeys([*self.fields, *compared]))

    @property
    def groups(self) -> set[str]:
        """The groups of features from whose vectors or words it learns."""
        return {*map(_group_of, self.fields), *map(_group_adapted, self.adapted)}

    def less(self, groups: Collection[str]) -> EmbeddingFusionConfig | None:
        """What is left of it where features of these groups are left out; None where nothing is."""
        fields = tuple(name for name in self.fields if _group_of(name) not in groups)
        adapted = tuple(name for name in self.adapted if _group_adapted(name) not in groups)
        return self.model_copy(update={"fields": fields, "adapted": adapted}) if fields or adapted else None

    def within(self, fields: Collection[str]) -> EmbeddingFusionConfig | None:
        """What is left where only these fields have vectors; None where nothing is."""
        kept = tuple(name for name in self.fields if name in fields)
        adapted = tuple(name for name in self.adapted if set(fields_of(name)) <= set(fields))
        return self.model_copy(update={"fields": kept, "adapted": adapted}) if kept or adapted else None


@dataclass(frozen=True)
class EmbeddedDataset:
    """A dataset and, where embeddings are features, the vectors of its rows by field."""

    data: Dataset
    vectors: Mapping[str, RowVectors] = field(default_factory=dict)

    def take(self, query_ids: Sequence[str]) -> EmbeddedDataset:
        rows = self.rows_of(query_ids) if self.vectors else np.empty(0, np.int64)
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
        vectors = {k: none[k] if _group_of(k) in gone else v for k, v in self.vectors.items()}
        data = Dataset.from_frame(frame.with_columns(empty), self.data.schema)
        return EmbeddedDataset(replace(data, unjudged=self.data.unjudged), vectors)

    def rows_of(self, query_ids: Sequence[str]) -> np.ndarray:
        """Row numbers of these queries, ascending: the order that `Dataset.take` keeps."""
        wanted = pl.Series(list(query_ids), dtype=pl.String).implode()
        return np.flatnonzero(np.repeat(self.data.query_ids.is_in(wanted).to_numpy(), self.data.groups))


def _group_of(field_name: str) -> str:
    """The group that an embedding belongs to: that of its modality; words to the lexical one."""
    if field_name in fields_of(WORDS):
        return "lexical"
    modality = field_name.removeprefix("query_")
    return "text" if modality in ("text", *TEXT_FIELDS) else modality


def _group_adapted(comparison: str) -> str:
    """The group of the cosine that is adapted; pairs of words are lexical."""
    return "lexical" if comparison == WORDS else comparison.partition(".")[0]


def choose_vectors(found: Mapping[str, RowVectors], config: EmbeddingFusionConfig) -> dict[str, RowVectors]:
    """The config's fields out of those that catalogue and encoders give; InputError for one they do not."""
    missing = [name for name in config.needed if name not in found]
    if missing and missing[0] in fields_of(WORDS):
        raise InputError(
            where="config key 'embeddings.adapted'",
            expected="a lexical group of features, which reads the words",
            got=f"{WORDS!r}, and features.lexical is off",
            cure="remove it, or turn features.lexical on",
        )
    if missing:
        raise InputError(
            where=f"config key 'embeddings.{'fields' if missing[0] in config.fields else 'adapted'}'",
            expected=f"fields with embeddings ({', '.join(found) or 'none here'})",
            got=repr(missing[0]),
            cure="remove it, or configure an encoder that reads it",
        )
    for name in config.adapted:
        if name == WORDS:
            continue
        sizes = [found[field].vectors.shape[1] for field in fields_of(name)]
        if len(set(sizes)) > 1:
            raise InputError(
                where="config key 'embeddings.adapted'",
                expected="cosines of vectors in one space",
                got=f"{name!r}, of {sizes[0]} and {sizes[1]} dimensions",
                cure="remove it, or configure encoders that share a space",
            )
    return {name: found[name] for name in config.needed}
