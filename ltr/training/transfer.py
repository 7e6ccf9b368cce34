"""Judged queries of other sets as training rows of this one: features matched by name, grades by their worth.

For sets with few judgements of their own. Only the training part takes such rows, never validation or test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.errors import InputError
from features.feature_schema import ASSUMED, KEYS, WEIGHT, FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.gains import Gain, gains_of

OWN = "extra"  # the group of a shop's own columns: the same name means another thing in another shop
AUTO, WHEN_FEW, NONE = "auto", "when_few", "none"  # of `base`, beside a feature's name
FEW = 200  # training queries: so many and fewer lean on a cosine by default


class AlsoConfig(BaseModel):
    """Another set to learn from; a bare path means a weight of 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: Path = Field(description="its config file, relative to this one's or to the working folder")
    weight: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="what all its queries count; this set's are 1"
    )
    queries: int | None = Field(None, ge=1, description="draw so many of its queries: a big set takes time")

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, given: Any) -> Any:
        return {"config": given} if isinstance(given, str | Path) else given


class TransferConfig(BaseModel):
    """What training leans on beside the set's own judgements."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    also: tuple[AlsoConfig, ...] = Field((), description="sets whose judged queries train too")
    start: Path | None = Field(None, description="a run folder whose scores the model starts from")
    base: str = Field(
        WHEN_FEW,
        description="a feature that the model leans on as far as training queries say; auto: the best cosine in "
        f"training; when_few: auto where at most {FEW} queries train and there is a cosine; none: lean on nothing",
    )

    @field_validator("base", mode="before")
    @classmethod
    def _of_earlier_versions(cls, given: Any) -> Any:
        return NONE if given is None else given

    @property
    def named_base(self) -> str | None:
        """The base that is asked for whatever the queries number: a feature, or auto."""
        return None if self.base in {WHEN_FEW, NONE} else self.base


@dataclass(frozen=True, eq=False)
class SourceSet:
    """Another set's judged pairs; `worth` (n,) is each pair's gain, from 0 (its worst grade) to 1 (its best)."""

    name: str
    data: Dataset
    worth: np.ndarray
    weight: float

    @classmethod
    def of(cls, name: str, data: Dataset, gain: Gain, weight: float) -> SourceSet:
        """Of the set's judged pairs. gain: what a grade is worth in it; InputError where all are of one grade."""
        data = data.judged()
        gains = gains_of(data.grades, gain)
        low, high = gains.min(initial=np.inf), gains.max(initial=-np.inf)
        if not high > low:
            raise _bad(name, "pairs of different grades", f"{len(gains):,} pairs without a difference")
        return cls(name, data, (gains - low) / (high - low), weight)


def shared_features(theirs: FeatureSchema, ours: FeatureSchema) -> list[str]:
    """Names that mean the same in both: equal in name and kind, categories with the same codes."""
    return [feature.name for feature in ours.features if feature in theirs.features]


def check_shared(source: SourceSet, ours: FeatureSchema) -> None:
    """Raise InputError where a set has none of these features."""
    if not _transferred(source.data.schema, ours):
        names = source.data.schema.names
        raise _bad(
            source.name, f"features such as {', '.join(ours.names[:3])}", ", ".join(names[:3]) or "none"
        )


def with_sources(train: Dataset, sources: Sequence[SourceSet], gain: Gain) -> Dataset:
    """The training pairs and those of the other sets, with a weight for each query.

    A set's queries together weigh `weight` times as much as the training queries, however many they are.
    Its features are matched by name; what it lacks, its categories and `extra` columns are null. Its grades
    become those grades of this set that are worth as much: the worst gain is set to the worst, the best to
    the best, in proportion between (`gain`: what a grade is worth to the ranker).
    """
    if not sources:
        return train
    own = [name for name in (ASSUMED, WEIGHT) if name in train.frame.columns]
    columns = [*KEYS, "grade", *own, *train.schema.names]
    frames, weights = [train.frame.select(columns)], dict.fromkeys(train.query_ids, 1.0)
    for number, source in enumerate(sources):
        rows = _as_ours(source, train, gain).with_columns(
            pl.format(f"{number}/{{}}", "query_id").alias("query_id")
        )
        none = (pl.lit(None, pl.Float64).alias(name) for name in own)  # of theirs
        frames.append(rows.with_columns(none).select(columns))
        each = source.weight * len(train.groups) / len(source.data.groups)
        weights |= dict.fromkeys(rows["query_id"].unique(), each)
    joined = Dataset.from_frame(pl.concat(frames), train.schema)
    by_query = np.array([weights[query] for query in joined.query_ids])
    return Dataset(joined.frame, joined.schema, joined.X, joined.query_ids, joined.groups, by_query)


def conformed(data: Dataset, schema: FeatureSchema) -> Dataset:
    """The same pairs with exactly the features of `schema`; null where this table has none that means the same."""
    shared = set(shared_features(data.schema, schema))
    columns = [
        pl.col(feature.name)
        if feature.name in shared
        else pl.lit(None, pl.Enum(feature.categories) if feature.kind == "categorical" else pl.Float32).alias(
            feature.name
        )
        for feature in schema.features
    ]
    return Dataset.from_frame(data.frame.select(*KEYS, *columns), schema)


def _transferred(theirs: FeatureSchema, ours: FeatureSchema) -> list[str]:
    numeric = {
        feature.name for feature in ours.features if feature.kind == "numeric" and feature.group != OWN
    }
    return [name for name in shared_features(theirs, ours) if name in numeric]


def _as_ours(source: SourceSet, train: Dataset, gain: Gain) -> pl.DataFrame:
    same = set(_transferred(source.data.schema, train.schema))
    columns = [
        (pl.col(name) if name in same else pl.lit(None))
        .cast(train.frame.schema[name], strict=False)
        .alias(name)
        for name in train.schema.names
    ]
    grades = grades_worth(source.worth, train.grades, gain)
    return source.data.frame.select(*KEYS, pl.Series("grade", grades), *columns)


def grades_worth(worth: np.ndarray, grades: np.ndarray, gain: Gain) -> np.ndarray:
    """Grades on the scale of `grades` whose gains lie as far between the worst and the best as `worth` says."""
    ends = np.array([grades.min(), grades.max()])
    low, high = gains_of(ends, gain)
    wanted = low + worth * (high - low)
    if gain == "linear":
        return wanted
    if gain == "exp":
        return np.log2(1 + wanted)
    known = np.unique(grades)
    return known[np.abs(gains_of(known, gain)[:, None] - wanted).argmin(axis=0)]


def _bad(name: str, expected: str, got: str) -> InputError:
    return InputError(
        where=f"train.also, {name}",
        expected=expected,
        got=got,
        cure="leave it out: nothing can be learnt from it here",
    )
