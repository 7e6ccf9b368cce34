"""Clicks made up on real features and grades (LightGBM's ranking example), so that what is true is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmarks.record import DATA
from features.sources.formats.svmlight import read_svmlight
from ltr.clicks.lists import FloatArray, ShownLists
from ltr.data.dataset import Dataset
from ltr.rankers import XGBoostConfig
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig, LightGBMRanker

LOGGING = ("random", "weak", "strong")
CLICKS = ("position", "cascade", "trust")
NOISE = 0.1  # chance of a click on a seen product of grade 0
PLACES = 10
CONFIG = LightGBMConfig(trees=50, learning_rate=0.1, leaves=15, min_rows_per_leaf=20, threads=1)
XGBOOST = XGBoostConfig(trees=50, learning_rate=0.1, leaves=15, threads=1)


@dataclass(frozen=True)
class World:
    """train, test: with true grades. scores: (n,) what the logging ranker gives train's rows."""

    train: Dataset
    test: Dataset

    @classmethod
    def load(cls) -> World:
        folder = DATA / "lightgbm_rank"
        train, test = (read_svmlight(folder / f"rank.{part}.gz") for part in ("train", "test"))
        return cls(Dataset.from_frame(train), Dataset.from_frame(test))

    def logging_scores(self, logging: str, seed: int) -> FloatArray:
        """random: none; weak: of a ranker of two judged queries; strong: of one of all of them."""
        if logging == "random":
            return np.zeros(len(self.train.X))
        queries = self.train.query_ids
        some = queries.sample(2, seed=seed) if logging == "weak" else queries
        ranker = LightGBMRanker(
            CONFIG.model_copy(update={"early_stopping_rounds": 0, "min_rows_per_leaf": 5})
        )
        ranker.fit(self.train.take(some))
        return np.asarray(ranker.score(self.train))

    def lists(
        self, logging: str, clicks: str, count: int, seed: int, explored: float | None = None
    ) -> ShownLists:
        """count lists of 40 days in the logging order; explored: share of lists in random order, logged as such."""
        rng = np.random.default_rng(seed)
        groups = self.train.groups
        starts = np.cumsum(groups) - groups
        query = rng.integers(0, len(groups), count)
        place = np.arange(int(groups.max()))
        there = place < groups[query][:, None]
        rows = np.where(there, starts[query][:, None] + place, 0)
        score = np.where(there, self.logging_scores(logging, seed)[rows], -np.inf)
        lot = rng.random(rows.shape)
        share = 1.0 if logging == "random" else (explored or 0.0)
        mixed = rng.random(count) < share
        key = np.where(mixed[:, None], np.where(there, lot, -np.inf), score)
        order = np.argsort(-key, axis=1, kind="stable")[:, :PLACES]
        item = np.where(np.take_along_axis(there, order, axis=1), np.take_along_axis(rows, order, axis=1), -1)
        own = np.argsort(-score, axis=1, kind="stable")[:, :PLACES]
        chance = share / groups[query][:, None] + (1 - share) * (order == own)
        clicked = self._clicked(clicks, item, rng)
        return self._as_lists(item, clicked, np.where(item >= 0, chance, np.nan), count)

    def _clicked(self, clicks: str, item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        worth = (2**self.train.grades - 1) / (2 ** self.train.grades.max() - 1)
        wanted = np.where(item >= 0, NOISE + (1 - NOISE) * worth[item], 0.0)
        depth = np.arange(1.0, PLACES + 1)
        if clicks == "trust":
            good, bad = 0.98 - 0.01 * depth, 0.3 / depth
            wanted = np.where(item >= 0, good * worth[item] + bad * (1 - worth[item]), 0.0)
        tempted = rng.random(item.shape) < wanted
        if clicks == "cascade":
            return tempted & (np.cumsum(tempted, axis=1) == 1)
        return tempted & (rng.random(item.shape) < 1 / depth)

    def _as_lists(self, item: np.ndarray, clicked: np.ndarray, chance: np.ndarray, count: int) -> ShownLists:
        pairs = self.train.frame.select("query_id", "product_id")
        at = np.arange(count) * 40 // count * 86_400_000_000
        request = pl.select(pl.format("r{}", pl.int_range(count).cast(pl.String).str.zfill(7))).to_series()
        return ShownLists(item, clicked, clicked.astype(np.float64), chance, at, request, pairs, {})
