"""Decision-level fusion: one booster per modality, their scores joined list by list.

A member that sees none of its features in a query (a query without photo, say) abstains there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from features.feature_schema import NOT_FEATURES, FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.rankers.blend.members import FittedMembers, Members, member_features
from ltr.rankers.blend.score_fusion import (
    NORMALISATIONS,
    borda,
    comb_mnz,
    comb_sum,
    learn_weights,
    reciprocal_rank_fusion,
    weighted,
    z_scores,
)
from ltr.rankers.boosters.boosted import HISTORY, BoostedConfig
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig, LightGBMRanker
from ltr.rankers.registry import RANKERS, register
from ltr.rankers.search_space import Range

Method = Literal["rrf", "combsum", "combmnz", "borda", "weighted", "stacking"]
BLEND_HISTORY = {"member": pl.String, **HISTORY}
# Few and small trees: what they learn is a rising function of two to four numbers.
STACKER = LightGBMConfig(
    trees=60, leaves=4, learning_rate=0.1, early_stopping_rounds=0, monotone=("member.*",)
)


class BlendConfig(BoostedConfig):
    """The boosters' settings are those of every member.

    rrf, combsum, combmnz and borda learn nothing. weighted: a weight per member, of the best nDCG on the
    validation queries, else out of fold. stacking: a small LambdaMART over out-of-fold scores.
    """

    weighs = True

    kind: Literal["blend"] = "blend"
    objective: Method = "rrf"
    booster: str = Field("lightgbm", description="the kind of every member")
    members: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        {}, description="feature groups by member; none: text, image and structured, as far as they are there"
    )
    normalise: Literal["min_max", "z"] = Field(
        "min_max", description="what combsum, combmnz and weighted do to a member's scores, query by query"
    )
    rank_constant: float = Field(60.0, ge=0, description="the k of rrf")
    folds: int = Field(5, ge=2, description="parts of the training queries that are scored out of fold")

    @field_validator("booster")
    @classmethod
    def _a_booster(cls, kind: str) -> str:
        _booster_settings(kind)
        return kind

    @property
    def weighs_rows(self) -> bool:
        return self.member.weighs_rows

    @property
    def member(self) -> BoostedConfig:
        """The settings of one member."""
        shared = set(BoostedConfig.model_fields) - {"kind", "objective"}
        return _booster_settings(self.booster).model_validate({name: getattr(self, name) for name in shared})

    def search_space(self) -> dict[str, Range]:
        """None: its settings are those of several models at once."""
        return {}


def _booster_settings(kind: str) -> type[BoostedConfig]:
    """The settings of a kind that can be a member; ValueError for any other."""
    settings = {name: RANKERS.settings_of(name) for name in RANKERS.names}
    boosters = {n: s for n, s in settings.items() if issubclass(s, BoostedConfig) and s is not BlendConfig}
    if kind not in boosters:
        raise ValueError(f"one of {', '.join(map(repr, boosters))}")
    return boosters[kind]


class BlendRanker:
    """See BlendConfig. weights: by member, where `weighted` has learnt them.

    schema: the features it was fitted on. history: that of the members, with the member's name.
    """

    def __init__(self, config: BlendConfig | None = None) -> None:
        self.config = config or BlendConfig()
        self.schema = FeatureSchema(())
        self.history = pl.DataFrame(schema=BLEND_HISTORY)
        self.weights: dict[str, float] = {}
        self._members = Members([], [])
        self._stacker: LightGBMRanker | None = None

    @property
    def best_iteration(self) -> int:
        """Trees kept by a member; the rounded mean."""
        return round(float(np.mean([ranker.best_iteration for ranker in self._members.rankers])))

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None:
        """Train the members, then the joining where it learns.

        Raises InputError for settings, data or a device that a member cannot be trained with.
        """
        self.join(self.fit_members(train, validation))

    def fit_members(self, train: Dataset, validation: Dataset | None = None) -> FittedMembers:
        """The members alone, for one or several ways of joining them."""
        validation = validation if validation is not None and len(validation.groups) else None
        features = member_features(train.schema, self.config.members)
        return FittedMembers.fit(self.config.member, features, train, validation, self.config.folds)

    def join(self, fitted: FittedMembers) -> None:
        """Become the blend of these members, joined by the objective."""
        self.schema, self._members = fitted.train.schema, fitted.members
        histories = [
            ranker.history.select(pl.lit(name).alias("member"), *HISTORY)
            for name, ranker in zip(fitted.features, fitted.members.rankers, strict=True)
        ]
        self.history = pl.concat([pl.DataFrame(schema=BLEND_HISTORY), *histories])
        if self.config.objective == "weighted":
            lists = fitted.held_out
            normalised = self._normalised(lists.scores, lists.data.groups)
            judged, data = lists.data.is_judged, lists.data.judged()
            gains = gains_of(data.grades, self.config.gain)
            weights = learn_weights(normalised[judged], gains, data.groups, self.config.stop_at)
            self.weights = dict(zip(fitted.features, weights.tolist(), strict=True))
        if self.config.objective == "stacking":
            same = ("gain", "stop_at", "threads", "seed")
            settings = STACKER.model_copy(update={name: getattr(self.config, name) for name in same})
            self._stacker = LightGBMRanker(settings)
            self._stacker.fit(_table(fitted.out_of_fold.scores, fitted.out_of_fold.data))

    def score(self, data: Dataset) -> np.ndarray:
        """Scores (n,) float64 in the order of `data.frame`: higher is better, comparable within a query only.

        Raises InputError when the features are not those of training.
        """
        if data.schema != self.schema:
            self.schema.check(data.frame, "table to score")
        if not len(data.X):
            return np.empty(0)
        scores = self._members.scores(data)
        return (
            self._stacker.score(_table(scores, data)) if self._stacker else self._joined(scores, data.groups)
        )

    def save(self, folder: Path) -> None:
        """Write ranker.json, and the members and the stacker, where there is one, in folders of their own."""
        folder.mkdir(parents=True, exist_ok=True)
        self._members.save(folder)
        if self._stacker:
            self._stacker.save(folder / "stacker")
        about = {
            "config": self.config.model_dump(mode="json"),
            "features": json.loads(self.schema.to_json()),
            "weights": self.weights,
            "history": self.history.to_dict(as_series=False),
        }
        (folder / "ranker.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; scores are equal to the last bit."""
        about = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        ranker = cls(BlendConfig.model_validate(about["config"]))
        ranker.schema = FeatureSchema.from_json(json.dumps(about["features"]))
        ranker.history = pl.DataFrame(about["history"], schema=BLEND_HISTORY)
        features = member_features(ranker.schema, ranker.config.members)
        ranker._members = Members.load(folder, ranker.config.member, features)
        ranker.weights = {name: float(weight) for name, weight in about["weights"].items()}
        known = list(ranker.weights) == list(features) and np.isfinite(list(ranker.weights.values())).all()
        if ranker.config.objective == "weighted" and not known:
            raise ValueError("other weights than one number a member")
        if ranker.config.objective == "stacking":
            ranker._stacker = LightGBMRanker.load(folder / "stacker")
        return ranker

    def _joined(self, scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
        if self.config.objective == "rrf":
            return reciprocal_rank_fusion(scores, groups, self.config.rank_constant)
        if self.config.objective == "borda":
            return borda(scores, groups)
        normalised = self._normalised(scores, groups)
        if self.config.objective == "weighted":
            return weighted(normalised, np.array(list(self.weights.values())))
        return comb_mnz(normalised) if self.config.objective == "combmnz" else comb_sum(normalised)

    def _normalised(self, scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
        return NORMALISATIONS[self.config.normalise](scores, groups)


def _table(scores: np.ndarray, data: Dataset) -> Dataset:
    """The members' scores, z-scores of each list, as features: those of several folds have no common scale."""
    columns = {f"member.{i}": column for i, column in enumerate(z_scores(scores, data.groups).T)}
    keys = [name for name in NOT_FEATURES if name in data.frame.columns]
    return Dataset.from_frame(data.frame.select(keys).with_columns(**columns))


register(BlendConfig, BlendRanker)
