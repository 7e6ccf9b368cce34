"""Model-level fusion beside trees: one network over the vectors, one booster over the numbers, joined list by list.

They err on different products: the network reads what no cosine keeps of the vectors, the trees what no smooth
function keeps of prices and counts. How much either counts is learnt on the training queries, each scored by models
that were fitted without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field

from features.feature_schema import Feature, FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.rankers.blend.score_fusion import learn_weights
from ltr.rankers.boosters.boosted import HISTORY, BoostedConfig, bad_data
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig
from ltr.rankers.lists import divided, means_and_spreads, starts_of, z_scores
from ltr.rankers.networks.embedded_fields import QUERY, embedded_fields
from ltr.rankers.networks.network_settings import NetworkConfig, NeuralConfig
from ltr.rankers.out_of_fold import out_of_fold
from ltr.rankers.protocol import Explainable, Ranker, RankerSettings
from ltr.rankers.registry import RankerConfig, load_ranker, make_ranker, register

EMBEDDING = "embedding"  # the group of features that only the network reads
SCORE = Feature("network.score")
FEWEST = 30  # training queries of a kind, to learn shares of its own by
_ALL = ""

FitAndScore = Callable[[Dataset, Dataset], np.ndarray]


def _a_network(settings: RankerSettings) -> RankerSettings:
    fits = isinstance(settings, NetworkConfig)
    if not fits:
        raise ValueError("a network (kind neural or mlp)")
    return settings


def _a_booster(settings: RankerSettings) -> RankerSettings:
    fits = isinstance(settings, BoostedConfig) and settings.kind != "blend"
    if not fits:
        raise ValueError("a booster (kind lightgbm, xgboost or catboost)")
    return settings


class NetworkAndTreesConfig(RankerSettings):
    """weighted: z-scores of both within the list, each with its share; feature: the network's as one of the trees'.

    The trees read every feature but the vectors themselves (`embedding.*`, made by the config's `embeddings`).
    """

    packages: ClassVar[tuple[str, ...]] = NeuralConfig.packages
    extra: ClassVar[str] = NeuralConfig.extra

    kind: Literal["network_and_trees"] = "network_and_trees"
    objective: Literal["weighted", "feature"] = "weighted"
    network: Annotated[RankerConfig, AfterValidator(_a_network)] = NeuralConfig()
    booster: Annotated[RankerConfig, AfterValidator(_a_booster)] = LightGBMConfig()
    folds: int = Field(5, ge=2, description="parts of the training queries that are scored out of fold")
    stop_at: int = Field(10, ge=1, description="the k of the nDCG@k that the shares are learnt by")
    seed: int = Field(0, ge=0, lt=2**30, description="deals the training queries to the folds")

    def check(self, schema: FeatureSchema) -> None:
        """As the booster checks its own settings."""
        self.booster.check(_numbers(schema))


class NetworkAndTreesRanker:
    """See NetworkAndTreesConfig. shares: by kind of query, (2,) of the network and of the trees, sum 1.

    A kind is what a query's vectors are there of, words or a photo, which the two read unequally well; shares of one
    with fewer than FEWEST training queries are those of all (kind ""). With `feature` there are none.

    schema: the features it was fitted on. history: that of the trees.
    """

    def __init__(self, config: NetworkAndTreesConfig | None = None) -> None:
        self.config = config or NetworkAndTreesConfig()
        self.schema = FeatureSchema(())
        self.history = pl.DataFrame(schema=HISTORY)
        self.shares: dict[str, np.ndarray] = {}
        self._network: Ranker = make_ranker(self.config.network)
        self._trees: Ranker = make_ranker(self.config.booster)

    @property
    def best_iteration(self) -> int:
        """Trees kept."""
        return self._trees.best_iteration

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None:
        """Train both, and learn their shares out of fold, or the trees with the network's out-of-fold score.

        Raises InputError for settings, data or a device that either cannot be trained with.
        """
        validation = validation if validation is not None and len(validation.groups) else None
        self.schema = train.schema
        self._network.fit(train, validation)
        if len(train.groups) < 2:
            raise bad_data("at least 2 training queries", "1: none is left to score", "judge more queries")
        if self.config.objective == "feature":
            own = out_of_fold(train, self.config.folds, self.config.seed, self._fit_network(validation))
            beside = validation and _with_score(validation, self._network.score(validation))
            self._trees.fit(_with_score(train, own), beside)
        else:
            self._trees.fit(_booster_part(train), validation and _booster_part(validation))
            both = out_of_fold(train, self.config.folds, self.config.seed, self._fit_both(validation))
            self.shares = dict(self._fitted_shares(z_scores(both, train.groups), train))
        self.history = self._trees.history

    def score(self, data: Dataset) -> np.ndarray:
        """Scores (n,) float64 in the order of `data.frame`: higher is better, comparable within a query only.

        Raises InputError when the features are not those of training.
        """
        if data.schema != self.schema:
            self.schema.check(data.frame, "table to score")
        if not len(data.X):
            return np.empty(0)
        network = self._network.score(data)
        if self.config.objective == "feature":
            return self._trees.score(_with_score(data, network))
        both = np.column_stack([network, self._trees.score(_booster_part(data))])
        return (z_scores(both, data.groups) * self._shares_of(data)).sum(axis=1)

    @property
    def trees(self) -> int:
        """As of the trees alone."""
        return self._explainable_trees().trees

    def widened(self, data: Dataset) -> Dataset:
        """What the trees read, and the network's score beside it: the network itself is not taken apart."""
        return _with_score(data, self._network.score(data))

    def contributions(self, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Of the features of `widened`, (n, f), and what is there before any, (n,).

        With `feature` they are the trees' own. With `weighted` the score is a sum of two standings in the list: the
        network's stands as it is, that of the trees is shared out as their contributions make it. InputError for
        trees that are no sum over their features.
        """
        trees, seen = self._explainable_trees(), self.widened(data)
        if self.config.objective == "feature":
            return trees.contributions(seen)
        part, shares = _booster_part(data), self._shares_of(data)
        own, base = trees.contributions(part)
        mean, spread = means_and_spreads(self._trees.score(part)[:, None], data.groups)
        network = z_scores(self._network.score(data)[:, None], data.groups) * shares[:, :1]
        scaled = divided(np.column_stack([own, base - mean[:, 0]]) * shares[:, 1:], spread)
        return np.column_stack([scaled[:, :-1], network]), scaled[:, -1]

    def _shares_of(self, data: Dataset) -> np.ndarray:
        """(n, 2) of the network and of the trees, by the kind of each row's query."""
        shares = np.stack([self.shares.get(kind, self.shares[_ALL]) for kind in _kinds(data)])
        return np.repeat(shares, data.groups, axis=0)

    def _explainable_trees(self) -> Explainable:
        if not isinstance(self._trees, Explainable):
            got, cure = f"a {type(self._trees).__name__}, which is none", "train with ranker.booster lightgbm"
            raise bad_data("trees whose score is a sum over features", got, cure)
        return self._trees

    def save(self, folder: Path) -> None:
        """Write ranker.json, and either model in a folder of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        self._network.save(folder / "network")
        self._trees.save(folder / "trees")
        about = {
            "config": self.config.model_dump(mode="json"),
            "features": json.loads(self.schema.to_json()),
            "shares": {kind: shares.tolist() for kind, shares in self.shares.items()},
        }
        (folder / "ranker.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; scores are equal to the last bit. ValueError for files that do not fit together."""
        about = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        ranker = cls(NetworkAndTreesConfig.model_validate(about["config"]))
        ranker.schema = FeatureSchema.from_json(json.dumps(about["features"]))
        ranker.shares = {kind: np.array(two, dtype=np.float64) for kind, two in about["shares"].items()}
        odd = [two for two in ranker.shares.values() if two.shape != (2,) or not np.isfinite(two).all()]
        if odd or (_ALL in ranker.shares) != (ranker.config.objective == "weighted"):
            raise ValueError("other shares than two numbers for each kind of query")
        ranker._network, ranker._trees = load_ranker(folder / "network"), load_ranker(folder / "trees")
        own = _numbers(ranker.schema).features
        expected = (*own, SCORE) if ranker.config.objective == "feature" else own
        if ranker._network.schema != ranker.schema or ranker._trees.schema.features != expected:
            raise ValueError("models of other features than the ranker's")
        ranker.history = ranker._trees.history
        return ranker

    def _fitted_shares(self, standing: np.ndarray, train: Dataset) -> Iterator[tuple[str, np.ndarray]]:
        """By kind: those of the highest nDCG on the judged rows. standing: (n, 2) z-scores, out of fold."""
        kinds = np.array(_kinds(train))
        for kind in dict.fromkeys([_ALL, *kinds.tolist()]):
            chosen = (kinds == kind) | (kind == _ALL)
            if kind == _ALL or FEWEST <= chosen.sum() < len(kinds):
                lists = train.take(train.query_ids.filter(pl.Series(chosen))).judged()
                rows = np.repeat(chosen, train.groups) & train.is_judged
                gains = gains_of(lists.grades, self.config.gain)
                yield kind, learn_weights(standing[rows], gains, lists.groups, self.config.stop_at)

    def _fit_network(self, validation: Dataset | None) -> FitAndScore:
        def fit_and_score(kept: Dataset, left_out: Dataset) -> np.ndarray:
            network = make_ranker(self.config.network)
            network.fit(kept, validation)
            return network.score(left_out)

        return fit_and_score

    def _fit_both(self, validation: Dataset | None) -> FitAndScore:
        fit_network = self._fit_network(validation)

        def fit_and_score(kept: Dataset, left_out: Dataset) -> np.ndarray:
            trees = make_ranker(self.config.booster)
            trees.fit(_booster_part(kept), validation and _booster_part(validation))
            return np.column_stack([fit_network(kept, left_out), trees.score(_booster_part(left_out))])

        return fit_and_score


def _kinds(data: Dataset) -> list[str]:
    """Of each query, which of its own vectors are there: query_image, query_text, both, or "" where none is."""
    starts = starts_of(data.groups)
    first = {
        name: columns[0] for name, columns in embedded_fields(data.schema).items() if name.startswith(QUERY)
    }
    there = {name: ~np.isnan(data.X[starts, column]) for name, column in first.items()}
    return [" ".join(name for name in there if there[name][query]) for query in range(len(starts))]


def _numbers(schema: FeatureSchema) -> FeatureSchema:
    """What the trees read; all, where there is nothing but vectors."""
    found = FeatureSchema(tuple(f for f in schema.features if f.group != EMBEDDING))
    return found if found.features else schema


def _booster_part(data: Dataset) -> Dataset:
    return data.select(_numbers(data.schema))


def _with_score(data: Dataset, scores: np.ndarray) -> Dataset:
    """What the trees read, and the network's score as a z-score of its list: those of two networks share no scale."""
    part = _booster_part(data)
    standing = z_scores(scores[:, None], data.groups).astype(np.float32)
    frame = part.frame.with_columns(pl.Series(SCORE.name, standing[:, 0]))
    schema = FeatureSchema((*part.schema.features, SCORE))
    X = np.ascontiguousarray(np.hstack([part.X, standing.astype(part.X.dtype)]))
    return replace(part, frame=frame, schema=schema, X=X)


register(NetworkAndTreesConfig, NetworkAndTreesRanker)
