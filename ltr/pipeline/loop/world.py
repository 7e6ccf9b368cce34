"""The shop, its people and its candidates: what rankers learn from, and the truth they are measured by."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from features.build import FeatureBuilder
from features.errors import InputError
from features.feature_schema import KEYS, RETRIEVED
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.demo.shop import DemoShop, DemoShopConfig, generate, grades_of_all
from ltr.demo.shoppers import Policy, Shoppers, ShopperSettings
from ltr.pipeline.loop.settings import LoopSettings
from ltr.pipeline.prepare import make_builder
from ltr.rankers.lists import ndcg
from ltr.rankers.registry import make_ranker

log = logging.getLogger(__name__)

DEPTH = 10


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
    shop: DemoShop
    shoppers: Shoppers
    builder: FeatureBuilder
    pairs: pl.DataFrame
    human: pl.DataFrame
    known: np.ndarray
    truth: np.ndarray = field(repr=False)
    """(queries, products) true gains: for measuring only."""

    @classmethod
    def of(cls, settings: LoopSettings, config: Config) -> World:
        """InputError for another shop than the demo, or more judged queries than there are to learn from."""
        if not isinstance(config.data, DemoShopConfig):
            raise InputError(
                where="data.kind",
                expected="the demo shop",
                got=config.data.kind,
                cure="name a config of kind demo: only there is the truth known",
            )
        shop = generate(config.data)
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
        chosen = settings.model_dump(include={"examination", "shown", "seed"})
        people = ShopperSettings.model_validate(chosen)
        log.info("features of %d candidates for each of %d queries …", config.lists.candidates, len(order))
        builder = make_builder(config, shop.products)
        lists = builder.lists(shop.queries, human.select(*KEYS, "grade").sort(KEYS), config.lists.candidates)
        pairs = builder.build(shop.queries, lists).frame
        grades = grades_of_all(shop.wishes, shop.stock)["grade"].to_numpy()
        truth = gains_of(grades, config.evaluation.gain, "evaluation.gain").reshape(len(order), -1)
        return cls(settings, config, shop, Shoppers(shop, people), builder, pairs, human, known, truth)

    def rank(self, judgements: pl.DataFrame, name: str) -> Policy:
        """A ranker fitted on these grades (the lists' other products as the config says), and what it shows."""
        graded = self.pairs.drop("grade").join(judgements.select(*KEYS, "grade"), on=KEYS, how="left")
        learned = graded.filter(pl.col("query_id").is_in(judgements["query_id"].unique().implode()))
        given = {"gain": "linear", "early_stopping_rounds": 0}
        ranker = make_ranker(self.config.ranker.model_copy(update=given))
        rows = dataclasses.replace(
            Dataset.from_frame(learned, self.builder.schema), unjudged=self.config.lists.unjudged
        )
        log.info("training the %s ranker on %d queries …", name, len(rows.groups))
        ranker.fit(rows.for_training(weighing=ranker.config.weighs_rows))
        every = Dataset.from_frame(graded, self.builder.schema)
        scored = every.frame.select(*KEYS, RETRIEVED, score=pl.Series(ranker.score(every))).filter(RETRIEVED)
        by_query = scored.partition_by("query_id", as_dict=True)
        nothing = scored.clear()
        return Policy.of(self.shop, lambda query_id: by_query.get((query_id,), nothing), name)

    def true_figures(self, policy: Policy) -> TrueFigures:
        scores = np.where(np.isnan(policy.scores), -np.inf, policy.scores)
        sizes = np.full(len(scores), scores.shape[1], dtype=np.int32)
        found = ndcg(scores.ravel(), self.truth.ravel(), sizes, DEPTH)
        requests = self.shoppers.requests(self.settings.truth_sessions, seed=1)
        rng = np.random.default_rng([self.settings.seed, 32])
        length = self.shoppers.settings.shown
        shown = policy.show(requests.query, requests.day, self.shoppers.arrives, length, rng)
        return TrueFigures(found, self.shoppers.browse(requests, shown, 1).clicks_expected())
