"""What a feature table holds: names in order, groups, kinds and category vocabularies.

A feature's name is `group.name` (`lexical.bm25_title`); the group is also the rung of the ladder
it belongs to. A scored frame is checked against the schema of the run that scores it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import polars as pl

from features.errors import InputError

Kind = Literal["numeric", "categorical"]
KEYS = ("query_id", "product_id")
RETRIEVED = "retrieved"
"""Of a row of a list as it is served: whether retrieval gave the product (true), or a judgement alone (false)."""
ASSUMED = "assumed"
"""Of a training row: how much its grade counts where it is assumed, not judged; null where it is judged."""
WEIGHT = "judgement_weight"
"""Of a judged row: what its judgement counts in training; null: 1."""
NOT_FEATURES = (*KEYS, "grade", RETRIEVED, ASSUMED, WEIGHT)


@dataclass(frozen=True)
class Feature:
    """One column: numeric (null = missing) or categorical (the index into `categories` is its code)."""

    name: str
    kind: Kind = "numeric"
    categories: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        return self.name.split(".", 1)[0]


@dataclass(frozen=True)
class FeatureSchema:
    """The features of a table, in order."""

    features: tuple[Feature, ...]

    @classmethod
    def of(cls, frame: pl.DataFrame) -> FeatureSchema:
        """Every column but NOT_FEATURES; Enum columns are categorical, all others numeric."""
        return cls(tuple(_feature(frame[name]) for name in frame.columns if name not in NOT_FEATURES))

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @property
    def groups(self) -> list[str]:
        return list(dict.fromkeys(feature.group for feature in self.features))

    def select(self, groups: Sequence[str]) -> FeatureSchema:
        return FeatureSchema(tuple(f for f in self.features if f.group in groups))

    def check(self, frame: pl.DataFrame, where: str) -> None:
        """Raise InputError naming a missing, extra or re-ordered feature, or one of another kind."""
        found = FeatureSchema.of(frame)
        missing = [n for n in self.names if n not in found.names]
        extra = [n for n in found.names if n not in self.names]
        if missing or extra:
            got = " and ".join(filter(None, (_listed("missing", missing), _listed("extra", extra))))
            raise _mismatch(where, self, got)
        for position, (ours, theirs) in enumerate(zip(self.features, found.features, strict=True)):
            if ours.name != theirs.name:
                raise _mismatch(
                    where, self, f"{theirs.name!r} where {ours.name!r} belongs (column {position})"
                )
            if ours != theirs:
                raise _mismatch(where, self, f"{ours.name!r} of another kind or with other categories")

    def to_json(self) -> str:
        return json.dumps([asdict(feature) for feature in self.features], indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> FeatureSchema:
        """ValueError or the like for a text that `to_json` did not write."""
        found = json.loads(text)
        for feature in found:
            words = [feature["name"], *feature["categories"]]
            if feature["kind"] not in get_args(Kind) or not all(isinstance(word, str) for word in words):
                raise ValueError(f"no feature: {feature}"[:100])
            if not isinstance(feature["categories"], list) or len(set(words[1:])) < len(words) - 1:
                raise ValueError(f"other categories than a list of each once: {feature['name']}")
        if len({feature["name"] for feature in found}) < len(found):
            raise ValueError("a feature twice")
        return cls(tuple(Feature(f["name"], f["kind"], tuple(f["categories"])) for f in found))


def _feature(column: pl.Series) -> Feature:
    if isinstance(column.dtype, pl.Enum):
        return Feature(column.name, "categorical", tuple(column.dtype.categories))
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise InputError(
            where=f"feature {column.name!r}",
            expected="a numeric, boolean or Enum column",
            got=str(column.dtype),
            cure="cast it, or name it under data.products.categorical",
        )
    return Feature(column.name)


def _listed(what: str, names: list[str]) -> str:
    return f"{what} {', '.join(map(repr, names[:5]))}{' …' if len(names) > 5 else ''}" if names else ""


def _mismatch(where: str, schema: FeatureSchema, got: str) -> InputError:
    return InputError(
        where=where,
        expected=f"the {len(schema.features)} features the run was trained on, in their order",
        got=got,
        cure="build the features with the run's own config",
    )
