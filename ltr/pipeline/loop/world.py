"""The shop, its people and its candidates: what rankers learn from, and the truth they are measured by."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from features.build import FeatureBuilder, FeatureTable
from features.encoders.protocol import Encoder
from features.errors import InputError
from features.feature_schema import KEYS, RETRIEVED
from features.sources.frames import fingerprint
from features.sources.load import Collection
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.data.splits import Fold, FoldsConfig, make_folds
from ltr.demo.shop import DemoShop, DemoShopConfig, grades_of_all, kept_shop
from ltr.demo.shoppers import Policy, Shoppers
from ltr.pipeline.examination import Examined
from ltr.pipeline.loop.settings import LoopSettings
from ltr.pipeline.prepare import (
    Prepared,
    embedded_dataset,
    load_collection,
    make_builder,
    make_encoders,
    remember,
)
from ltr.rankers.lists import ndcg
from ltr.training.fused_ranker import FusedRanker

log = logging.getLogger(__name__)

DEPTH = 10
_TREES = 200  # without a part that says when to stop, more only cost time
_FOLDS = 3

Train = Callable[[Config, Examined, Path], FusedRanker]
"""Trains and measures a config's ranker, leaves it as a run in the folder, and gives it back."""


@dataclass(frozen=True)
class Trained:
    """A ranker, as what it shows and as the run that a server can serve."""

    policy: Policy
    run: Path


@dataclass(frozen=True)
class TrueFigures:
    """Of what a ranker shows: nDCG@10 of each query, (q,) NaN without a good product, and clicks a list."""

    ndcg: np.ndarray
    clicks: float


@dataclass(frozen=True)
class World:
    """The shop, its people, every candidate's features; human: the few judgements; known: (q,) not held out."""

    settings: LoopSettings
    config: Config
    train: Train
    shop: DemoShop
    collection: Collection
    shoppers: Shoppers
    encoders: Mapping[str, Encoder]
    builder: FeatureBuilder
    pairs: pl.DataFrame
    human: pl.DataFrame
    known: np.ndarray
    truth: np.ndarray = field(repr=False)
    """(queries, products) true gains: for measuring only."""

    @classmethod
    def of(cls, settings: LoopSettings, config: Config, train: Train) -> World:
        """InputError for another shop than the demo, or more judged queries than there are to learn from."""
        if not isinstance(config.data, DemoShopConfig):
            raise InputError(
                where="data.kind",
                expected="the demo shop",
                got=config.data.kind,
                cure="name a config of kind demo: only there is the truth known",
            )
        shop = kept_shop(config.data, Path(config.cache.folder))
        order = np.random.default_rng([settings.seed, 31]).permutation(shop.queries.height)
        known = np.zeros(len(order), dtype=bool)
        known[order[round(settings.held_out * len(order)) :]] = True
        judged = order[::-1][: settings.judged_queries]
        if not known[judged].all() or len(judged) < settings.judged_queries:
            got = f"{settings.judged_queries} judged of {int(known.sum())} to learn from"
            raise InputError(
                where="--loop.judged_queries",
                expected="no more than are not held out",
                got=got,
                cure="lower it",
            )
        ids = shop.queries["query_id"].gather(judged)
        human = shop.judgements.filter(pl.col("query_id").is_in(ids.implode()))
        log.info("features of %d candidates for each of %d queries …", config.lists.candidates, len(order))
        collection, encoders = load_collection(config), make_encoders(config, shop.products)
        remember(config, collection, encoders)
        builder = make_builder(config, shop.products, encoders=encoders)
        lists = builder.lists(shop.queries, human.select(*KEYS, "grade").sort(KEYS), config.lists.candidates)
        pairs = builder.build(shop.queries, lists).frame.drop("grade")
        grades = grades_of_all(shop.wishes, shop.stock)["grade"].to_numpy()
        truth = gains_of(grades, config.evaluation.gain, "evaluation.gain").reshape(len(order), -1)
        shoppers = Shoppers(shop, settings.shoppers)
        made = settings, config, train, shop, collection, shoppers, encoders, builder
        return cls(*made, pairs, human, known, truth)

    def rank(self, judgements: pl.DataFrame, name: str) -> Trained:
        """A ranker fitted on these grades (the lists' other products as the config says), and what it shows.

        Grades of queries that are held out measure it; where there are none, it is measured by cross-validation.
        """
        split, folds = self._split(judgements["query_id"])
        graded = self.pairs.join(
            judgements.select(*KEYS, "grade"), on=KEYS, how="left", maintain_order="left"
        )
        learned = graded.filter(pl.col("query_id").is_in(judgements["query_id"].unique().implode()))
        ranker = self.config.ranker
        given = {
            "gain": "linear",
            "early_stopping_rounds": 0,
            "trees": min(getattr(ranker, "trees", 0), _TREES),
        }
        config = self.config.model_copy(
            update={"ranker": ranker.model_copy(update=given), "split": split, "ladder": ()}
        )
        collection = replace(
            self.collection,
            judgements=judgements.select(*KEYS, "grade"),
            fingerprints={**self.collection.fingerprints, "judgements": fingerprint(judgements)},
        )
        table = FeatureTable(learned, {})
        prepared = Prepared(config, collection, self.encoders, table, self.builder.schema, False, 0)
        folder = Path(config.runs) / f"{config.name}-loop-{name}"
        log.info("training the %s ranker on %d queries …", name, len(folds[0].train))
        return Trained(self._policy(self.train(config, Examined(prepared, folds, []), folder), name), folder)

    def _split(self, query_ids: pl.Series) -> tuple[FoldsConfig, list[Fold]]:
        """Learn from what is known and test on what is held out; by cross-validation where nothing is."""
        known = self.shop.queries["query_id"].filter(pl.Series(self.known)).implode()
        ids = query_ids.unique().sort()
        learns, tests = ids.filter(ids.is_in(known)).to_list(), ids.filter(~ids.is_in(known)).to_list()
        config = FoldsConfig(folds=min(_FOLDS, len(ids)), validation_share=0)
        return config, [Fold(learns, [], tests)] if tests else make_folds(config, self.shop.queries, ids)

    def _policy(self, ranker: FusedRanker, name: str) -> Policy:
        """What the ranker shows of everything that was retrieved."""
        found = self.pairs.filter(RETRIEVED).with_columns(grade=pl.lit(None, dtype=pl.Float64))
        every = Dataset.from_frame(found, self.builder.schema)
        rows = embedded_dataset(self.config, every, self.shop.queries, self.builder)
        scored = every.frame.select(*KEYS, score=pl.Series(ranker.score(rows)))
        by_query = scored.partition_by("query_id", as_dict=True)
        nothing = scored.clear()
        return Policy.of(self.shop, lambda query_id: by_query.get((query_id,), nothing), name)

    def true_figures(self, trained: Trained) -> TrueFigures:
        policy = trained.policy
        scores = np.where(np.isnan(policy.scores), -np.inf, policy.scores)
        sizes = np.full(len(scores), scores.shape[1], dtype=np.int32)
        found = ndcg(scores.ravel(), self.truth.ravel(), sizes, DEPTH)
        requests = self.shoppers.requests(self.settings.truth_sessions, seed=1)
        rng = np.random.default_rng([self.settings.seed, 32])
        length = self.shoppers.settings.shown
        shown = policy.show(requests.query, requests.day, self.shoppers.arrives, length, rng)
        return TrueFigures(found, self.shoppers.browse(requests, shown, 1).clicks_expected())
