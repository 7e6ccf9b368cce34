"""The members of a blend: a booster per modality, each seeing its own features only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.rankers.boosters.boosted import BoostedConfig, bad_data
from ltr.rankers.lists import starts_of
from ltr.rankers.out_of_fold import out_of_fold
from ltr.rankers.protocol import Ranker
from ltr.rankers.registry import make_ranker

# Feature groups by modality; a group that stands in none of them is a member of its own.
MODALITIES: Mapping[str, tuple[str, ...]] = {
    "text": ("lexical", "text"),
    "image": ("image",),
    "structured": ("structured", "extra"),
}


def member_features(
    schema: FeatureSchema, members: Mapping[str, Sequence[str]] | None = None
) -> dict[str, FeatureSchema]:
    """Each member's features, by name; members without any here are left out (the ladder trains on parts).

    members: feature groups by member; by default MODALITIES. Raises InputError where no member is left.
    """
    if not members:
        grouped = {group for groups in MODALITIES.values() for group in groups}
        members = {**MODALITIES, **{group: (group,) for group in schema.groups if group not in grouped}}
    found = {name: schema.select(groups) for name, groups in members.items()}
    found = {name: features for name, features in found.items() if features.features}
    if schema.features and not found:
        got = f"the groups {', '.join(schema.groups)}, of which no member has any"
        raise bad_data("features of the blend's members", got, "name these groups in ranker.members")
    return found


@dataclass(frozen=True)
class Members:
    """Fitted rankers and their features, in the order of the columns of `scores`."""

    features: list[FeatureSchema]
    rankers: list[Ranker]

    @classmethod
    def fit(
        cls,
        config: BoostedConfig,
        features: Mapping[str, FeatureSchema],
        train: Dataset,
        validation: Dataset | None,
    ) -> Members:
        """One ranker each on the queries that it can say something about, or on all where there is none."""
        rankers = []
        for wanted in features.values():
            part = train.select(wanted)
            heard = ~_silent(part)
            ranker = make_ranker(config)
            ranker.fit(
                part.take(part.query_ids.filter(heard)) if heard.any() and not heard.all() else part,
                validation and validation.select(wanted),
            )
            rankers.append(ranker)
        return cls(list(features.values()), rankers)

    def scores(self, data: Dataset) -> np.ndarray:
        """Scores (n, members); NaN on whole queries for which all features of a member are missing."""
        columns = []
        for features, ranker in zip(self.features, self.rankers, strict=True):
            part = data.select(features)
            columns.append(np.where(np.repeat(_silent(part), part.groups), np.nan, ranker.score(part)))
        return np.stack(columns, axis=1)

    def save(self, folder: Path) -> None:
        """A sub-folder per member, member_0 first."""
        for number, ranker in enumerate(self.rankers):
            ranker.save(folder / f"member_{number}")

    @classmethod
    def load(cls, folder: Path, config: BoostedConfig, features: Mapping[str, FeatureSchema]) -> Members:
        """Read what `save` wrote; errors as the members' own `load` raises them."""
        kind = type(make_ranker(config))
        rankers = [kind.load(folder / f"member_{number}") for number in range(len(features))]
        for ranker, expected in zip(rankers, features.values(), strict=True):
            if ranker.schema != expected:
                raise ValueError("a member of other features than the blend's")
        return cls(list(features.values()), rankers)


def _silent(data: Dataset) -> np.ndarray:
    """(q,) whether a query's every feature is missing, as a photo's are where the query has none."""
    if not len(data.groups):
        return np.zeros(0, dtype=bool)
    return np.logical_and.reduceat(np.isnan(data.X).all(axis=1), starts_of(data.groups))


@dataclass(frozen=True)
class Lists:
    """Judged pairs and the members' scores (n, members) of them, by members that were not fitted on them."""

    scores: np.ndarray
    data: Dataset


@dataclass(frozen=True, eq=False)
class FittedMembers:
    """Members with what it takes to learn how to join them; shared between ways of joining.

    folds: into how many parts the training queries go for `out_of_fold`; seed: deals them.
    """

    config: BoostedConfig
    features: Mapping[str, FeatureSchema]
    members: Members
    train: Dataset
    validation: Dataset | None
    folds: int

    @classmethod
    def fit(
        cls,
        config: BoostedConfig,
        features: Mapping[str, FeatureSchema],
        train: Dataset,
        validation: Dataset | None,
        folds: int,
    ) -> FittedMembers:
        """Raises InputError for settings, data or a device that the members cannot be trained with."""
        if not train.X.size:
            got = f"{len(train.X)} pairs with {train.X.shape[1]} features"
            cure = "check the judgements and the feature groups"
            raise bad_data("pairs with features to train on", got, cure)
        members = Members.fit(config, features, train, validation)
        return cls(config, features, members, train, validation, folds)

    @cached_property
    def out_of_fold(self) -> Lists:
        """The training queries, each scored by members that were fitted without it (Wolpert 1992)."""
        queries = len(self.train.groups)
        if queries < 2:
            got = f"{queries}: none is left to score"
            raise bad_data("at least 2 training queries", got, "judge more queries, or choose objective: rrf")

        def fit_and_score(kept: Dataset, left_out: Dataset) -> np.ndarray:
            return Members.fit(self.config, self.features, kept, self.validation).scores(left_out)

        scores = out_of_fold(self.train, self.folds, self.config.seed, fit_and_score)
        return Lists(scores, self.train)

    @cached_property
    def held_out(self) -> Lists:
        """The validation queries, or where there are none the training queries out of fold."""
        if self.validation is None:
            return self.out_of_fold
        return Lists(self.members.scores(self.validation), self.validation)
