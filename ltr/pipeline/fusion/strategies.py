"""The strategies of fusion, trained on the same splits: features joined, decisions joined, one network.

Baltrušaitis, Ahuja and Morency, Multimodal machine learning: a survey and taxonomy, TPAMI 2019, on early, late and
model-based fusion.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np

from features.feature_schema import FeatureSchema
from features.groups.adapted import WORDS, fields_of
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.data.splits import Fold
from ltr.evaluation.classification import Classification, classification
from ltr.evaluation.training_noise import Bags, ByBag
from ltr.rankers import (
    BlendConfig,
    Classifier,
    LightGBMConfig,
    LogisticConfig,
    MLPConfig,
    NetworkAndTreesConfig,
    NeuralConfig,
    RankerConfig,
    XGBoostConfig,
    make_ranker,
)
from ltr.rankers.blend.blend_ranker import BlendRanker, Method
from ltr.rankers.blend.members import FittedMembers, member_features
from ltr.rankers.boosters.boosted import BoostedConfig
from ltr.training.fused_ranker import FusedRanker
from ltr.training.modality_dropout import TrainConfig

Result = TypeVar("Result")
Level = Literal["feature", "decision", "model"]

METHODS: dict[Method, str] = {
    "rrf": "reciprocal ranks",
    "combsum": "CombSUM",
    "combmnz": "CombMNZ",
    "borda": "Borda",
    "weighted": "weighted sum",
    "stacking": "stacking",
}
PAIR = "network and trees"
WORD_FIELDS = fields_of(WORDS)
BY_THEMSELVES = "every strategy learns from this set's judgements alone"
TIMED = 3  # times that scoring is timed; the fastest counts, since the first call of a library is slow


@dataclass(frozen=True)
class Strategy:
    """A ranker, the feature groups it sees (none named: all), and whether embeddings stand beside them."""

    name: str
    level: Level
    ranker: RankerConfig
    groups: tuple[str, ...] = ()
    embeddings: EmbeddingFusionConfig | None = None

    @property
    def recipe(self) -> str:
        """What it sees, in words."""
        features = f"{', '.join(self.groups)} features" if self.groups else "all features"
        if self.embeddings is None:
            return features
        components, adapted = self.embeddings.components, ", ".join(self.embeddings.adapted)
        size = "whole" if components is None else f"by {components} components each"
        if self.embeddings.fields:
            features += f" and embeddings ({', '.join(self.embeddings.fields)}; {size})"
        return f"{features} and likeness as the judgements have it ({adapted})" if adapted else features

    def rows(self, rows: EmbeddedDataset) -> EmbeddedDataset:
        """What this strategy sees of the rows."""
        data = rows.data.select(rows.data.schema.select(self.groups)) if self.groups else rows.data
        fields = self.embeddings.needed if self.embeddings else ()
        return EmbeddedDataset(data, {name: rows.vectors[name] for name in fields})


@dataclass
class Outcome:
    """What a strategy made of queries it has not seen; all (n,) aligned with the dataset, NaN outside test parts.

    predicted: the grade of the likeliest class, by the pointwise ones alone, as classified: by fold, how well
    they tell grades apart. Seconds are sums over folds.
    """

    strategy: Strategy
    scores: np.ndarray
    predicted: np.ndarray | None = None
    fit_seconds: float = 0.0
    score_seconds: float = 0.0
    scored: int = 0
    classified: list[Classification] = field(default_factory=list)
    by_bag: ByBag | None = None

    def keep(self, rows: np.ndarray) -> None:
        """Only these rows, (n,) bool."""
        self.scores = self.scores[rows]
        self.predicted = None if self.predicted is None else self.predicted[rows]
        if self.by_bag:
            self.by_bag = ByBag(self.by_bag.scores[rows], self.by_bag.split[rows])

    @property
    def microseconds(self) -> float:
        """Time to score one product, its features at hand."""
        return 1e6 * self.score_seconds / self.scored


def choose_fields(
    rows: EmbeddedDataset, folds: Sequence[Fold], components: int
) -> tuple[EmbeddingFusionConfig | None, list[str]]:
    """The embeddings that every fold has enough distinct training vectors of, and a word on the others."""
    parts = [rows.rows_of(fold.train) for fold in folds]
    fields, notes = [], []
    for name, (table, place) in rows.vectors.items():
        if name in WORD_FIELDS:
            continue
        fewest = min([table.shape[1], *(len(np.unique(place[part][place[part] >= 0])) for part in parts)])
        if fewest >= components:
            fields.append(name)
        else:
            notes.append(f"embeddings of {name}: {fewest} distinct training vectors, fewer than {components}")
    return (EmbeddingFusionConfig(fields=tuple(fields), components=components) if fields else None), notes


def choose_strategies(
    config: Config, schema: FeatureSchema, embeddings: EmbeddingFusionConfig | None, *, words: bool = False
) -> tuple[list[Strategy], list[str]]:
    """The strategies that this table of features allows, and a word on what is left out.

    words: whether the rows have those of queries and products, so that it can be learnt which go together.

    The pointwise ones stand there twice: with the features that the booster has, so that only the way of learning
    differs, and with the shop's own columns beside embeddings, which need no similarity made by hand.
    Other sets, a base or an earlier run (`train`) are left out of all: few strategies can weigh the queries of
    other sets, and one score that all lean on would hide what each makes of the same features.
    """
    own, booster = config.ranker, _booster_of(config.ranker)
    shared = {name: getattr(booster, name) for name in ("gain", "threads", "seed", "stop_at")}
    shared["relevant_from"] = config.evaluation.relevant_from
    plain = tuple(group for group in ("structured", "extra") if group in schema.groups)
    pointwise: dict[str, RankerConfig] = {
        "logistic regression": own if isinstance(own, LogisticConfig) else LogisticConfig(gain=booster.gain),
        "MLP": own if isinstance(own, MLPConfig) else MLPConfig(**shared),
    }
    notes = [f"no {group} features in this set" for group in ("text", "image") if group not in schema.groups]
    found = [Strategy(_booster_name(booster), "feature", booster, (), config.embeddings)]
    if words and config.embeddings is None:
        pairs = EmbeddingFusionConfig(adapted=(WORDS,))
        found.append(Strategy(f"{_booster_name(booster)} and pairs of words", "feature", booster, (), pairs))
    if not isinstance(own, BoostedConfig | LogisticConfig | MLPConfig | NeuralConfig | NetworkAndTreesConfig):
        found.append(Strategy(own.kind, "feature", own, (), config.embeddings))
    for name, ranker in pointwise.items():
        found.append(Strategy(name, "feature", ranker, (), config.embeddings))
        if embeddings:
            found.append(Strategy(f"{name} on embeddings", "feature", ranker, plain, embeddings))
    if len(member_features(schema)) > 1:
        blended = own if isinstance(own, BlendConfig) else booster
        found += [Strategy(name, "decision", blend_of(blended, method)) for method, name in METHODS.items()]
    else:
        notes.append("decision-level fusion: features of one modality only")
    if embeddings:
        found += _model_level(own, booster, NeuralConfig(**shared), embeddings)
    else:
        notes.append("model-level fusion: no embeddings, without an encoder or from ready-made features")
        if isinstance(own, NetworkAndTreesConfig):
            found.append(Strategy(PAIR, "model", own, (), config.embeddings))
    if named := _named(config.train):
        notes.append(f"{named}: {BY_THEMSELVES}")
    return found, notes


def _model_level(
    own: RankerConfig, booster: BoostedConfig, network: NeuralConfig, embeddings: EmbeddingFusionConfig
) -> list[Strategy]:
    """One network, and the same network joined with the booster; network: where the config has none of its own."""
    if isinstance(own, NeuralConfig):
        network = own
    if isinstance(own, NetworkAndTreesConfig):
        pair = own
        if isinstance(own.network, NeuralConfig):
            network = own.network.model_copy(update={"gain": own.gain, "seed": own.seed})
    else:
        alike = {name: getattr(booster, name) for name in ("gain", "seed", "stop_at")}
        pair = NetworkAndTreesConfig(network=network, booster=booster, **alike)
    return [
        Strategy(PAIR, "model", pair, (), embeddings),
        Strategy("neural network", "model", network, (), embeddings),
    ]


def _named(train: TrainConfig) -> str:
    asked = {
        "also": train.also,
        "start": train.start,
        "base": train.named_base,
        "clicks": train.clicks.strategy != "none",
    }
    return ", ".join(f"train.{name}" for name, value in asked.items() if value)


def _booster_of(ranker: RankerConfig) -> BoostedConfig:
    """The config's booster, or its blend's member; else its pair's or a LightGBM, sharing what both call alike."""
    if isinstance(ranker, BlendConfig):
        return ranker.member
    if isinstance(ranker, BoostedConfig):
        return ranker
    alike = {"gain", "threads", "seed", "stop_at"} & set(type(ranker).model_fields)
    shared = {name: getattr(ranker, name) for name in alike}
    if isinstance(ranker, NetworkAndTreesConfig) and isinstance(ranker.booster, BoostedConfig):
        return ranker.booster.model_copy(update=shared)
    return LightGBMConfig.model_validate(shared)


def _booster_name(booster: BoostedConfig) -> str:
    return "LambdaMART" if isinstance(booster, LightGBMConfig | XGBoostConfig) else booster.kind


def blend_of(booster: BoostedConfig, method: Method) -> BlendConfig:
    """A blend whose members have the booster's settings, as far as all share them; a blend by this method."""
    if isinstance(booster, BlendConfig):
        return booster.model_copy(update={"objective": method})
    shared = {
        name: getattr(booster, name)
        for name in BoostedConfig.model_fields
        if name not in ("kind", "objective", "params")
    }
    return BlendConfig(**shared, objective=method, booster=booster.kind)


def fit_strategies(
    rows: EmbeddedDataset,
    folds: Sequence[Fold],
    strategies: Sequence[Strategy],
    done: Callable[[], None] = lambda: None,
    thinned: EmbeddedDataset | None = None,
) -> list[Outcome]:
    """Each strategy fitted on every fold's training queries and scored on its test queries.

    thinned: the same pairs as training sees them, if otherwise. The members of the blends are trained once a
    fold; `fit_seconds` has what each would take alone.
    """
    outcomes = [Outcome(strategy, np.full(len(rows.data.X), np.nan)) for strategy in strategies]
    bags = [Bags(len(rows.data.X)) for _ in strategies]
    for fold in folds:
        train, test = (thinned or rows).take(fold.train), rows.take(fold.test)
        validation = rows.take(fold.validation) if fold.validation else None
        members = _SharedMembers(train.data, validation.data.judged() if validation else None)
        for outcome, found in zip(outcomes, bags, strict=True):
            model = _fit(outcome, train, validation, members)
            _score(outcome, model, test, rows.rows_of(fold.test))
            found.add(rows.rows_of(fold.test), model.score_with_bags(outcome.strategy.rows(test))[1])
            done()
    for outcome, found in zip(outcomes, bags, strict=True):
        outcome.by_bag = found.found
    return outcomes


def _fit(
    outcome: Outcome, train: EmbeddedDataset, validation: EmbeddedDataset | None, members: _SharedMembers
) -> FusedRanker:
    strategy = outcome.strategy
    if isinstance(strategy.ranker, BlendConfig):
        blend, seconds = members.blend(strategy.ranker)
        model = FusedRanker(blend, None)
    else:
        model = FusedRanker(make_ranker(strategy.ranker), strategy.embeddings)
        held_out = strategy.rows(validation) if validation else None
        _, seconds = _timed(lambda: model.fit(strategy.rows(train), held_out))
    outcome.fit_seconds += seconds
    return model


def _score(outcome: Outcome, model: FusedRanker, test: EmbeddedDataset, places: np.ndarray) -> None:
    data = model.extend(outcome.strategy.rows(test))
    timed = [_timed(lambda: model.ranker.score(data)) for _ in range(TIMED)]
    outcome.scores[places] = timed[0][0]
    outcome.score_seconds += min(seconds for _, seconds in timed)
    outcome.scored += len(places)
    if isinstance(model.ranker, Classifier) and outcome.strategy.level == "feature":
        if outcome.predicted is None:
            outcome.predicted = np.full(len(outcome.scores), np.nan)
        probabilities, classes = model.ranker.probabilities(data), model.ranker.classes
        outcome.predicted[places] = classes[probabilities.argmax(axis=1)]
        judged = data.is_judged
        outcome.classified.append(classification(data.grades[judged], probabilities[judged], classes))


class _SharedMembers:
    """One fold's members, trained once for all ways of joining them."""

    def __init__(self, train: Dataset, validation: Dataset | None) -> None:
        self._parts = train, validation
        self._fitted: tuple[FittedMembers, float] | None = None
        self._out_of_fold: float | None = None

    def blend(self, config: BlendConfig) -> tuple[BlendRanker, float]:
        """The fitted blend, and the seconds that it would have taken alone."""
        ranker = BlendRanker(config)
        if self._fitted is None:
            train = self._parts[0].for_training(weighing=config.weighs_rows)
            self._fitted = _timed(lambda: ranker.fit_members(train, self._parts[1]))
        members, seconds = self._fitted
        if config.objective == "stacking" or (config.objective == "weighted" and self._parts[1] is None):
            if self._out_of_fold is None:
                _, self._out_of_fold = _timed(lambda: members.out_of_fold)
            seconds += self._out_of_fold
        _, joining = _timed(lambda: ranker.join(members))
        return ranker, seconds + joining


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started
