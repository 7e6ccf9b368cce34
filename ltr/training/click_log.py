"""Shown lists as what a ranker learns from, beside the judgements of people on its training queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.errors import InputError
from features.feature_schema import WEIGHT
from ltr.clicks.labels import TOP_SHARE, CannotTell
from ltr.clicks.lists import PAIR, ShownLists
from ltr.data.dataset import Dataset
from ltr.data.gains import Gain, gains_of
from ltr.rankers.protocol import RankerSettings
from ltr.training.click_rows import dataset_of, pair_features, rows_as_shown
from ltr.training.click_settings import ClickTrainingConfig
from ltr.training.click_strategies import (
    BY_LIST,
    Choice,
    Strategy,
    choose_strategy,
    of_queries,
    pair_rates,
    settings_for,
)
from ltr.training.transfer import grades_worth


@dataclass(frozen=True, eq=False)
class ClickTraining:
    """What to fit, by which settings, and which strategy that is."""

    rows: Dataset
    ranker: RankerSettings
    choice: Choice


@dataclass(frozen=True, eq=False)
class ClickLog:
    """lists: of queries that have judgements. features: of every pair of the lists, and of every pair that trains.

    by_clicks: pairs whose judgement comes from clicks itself; they measure, and do not train beside their own clicks.
    """

    lists: ShownLists
    features: Dataset
    by_clicks: pl.DataFrame
    settings: ClickTrainingConfig

    def training(self, train: Dataset, ranker: RankerSettings) -> ClickTraining:
        """The training rows of these queries, by the strategy that is set, or that their own clicks choose.

        train: graded rows, with assumed ones. Raises InputError where no list is of these queries, where the ranker
        cannot learn by the strategy, and where it needs to know what was seen and the lists do not tell.
        """
        lists, wanted = of_queries(self.lists, train.query_ids), self.settings.strategy
        features = self.features.select(train.schema)
        if not lists.clicked.any():
            raise _bad("clicks on lists of the training queries", f"none in {len(lists):,} lists")
        if wanted == "automatic":
            choice = choose_strategy(lists, features, ranker)
        elif wanted == "none":
            raise ValueError("no strategy is set")
        else:
            choice = Choice(wanted, "set by train.clicks.strategy")
        adapted = settings_for(choice.strategy, ranker)
        try:
            rows = self._rows(choice.strategy, lists, features, train, ranker.gain)
        except CannotTell as found:
            raise _bad("events that tell being seen from being good", str(found)) from found
        return ClickTraining(rows, adapted, choice)

    def _rows(
        self, strategy: Strategy, lists: ShownLists, features: Dataset, train: Dataset, gain: Gain
    ) -> Dataset:
        beside = self._beside(train, lists, gain)
        if strategy in BY_LIST:
            shown = rows_as_shown(lists, features).with_columns(
                pl.format("shown {}", "query_id").alias("query_id"), pl.lit(1.0).alias(WEIGHT)
            )
            rows = [shown]
            if strategy != "unbiased":  # it takes the order of rows for places
                rows.append(self._as_one_more_list(beside, lists.places, features))
            joined = pl.concat([part.select(shown.columns) for part in rows])
            joined = joined if strategy == "positions" else joined.drop("place")
        else:
            joined = self._mixed(pair_rates(strategy, lists, features), beside, features)
        grades = grades_worth(joined["grade"].to_numpy(), train.grades, gain)
        made = dataset_of(joined.with_columns(grade=pl.Series(grades)), features)
        alike = np.ones(len(made.groups))  # says that these are not the queries that stop the training
        return Dataset(
            made.frame, made.schema, made.X, made.query_ids, made.groups, alike, positions=made.positions
        )

    def _beside(self, train: Dataset, lists: ShownLists, gain: Gain) -> pl.DataFrame:
        """Rows that are not from clicks: query_id, product_id, grade (what it is worth, in [0, 1]), judged, weight.

        Judgements of people; and products that are assumed to be poor, but for those that were shown.
        """
        gains = gains_of(train.grades, gain)
        low, high = gains.min(), gains.max()
        worth = np.asarray((gains - low) / (high - low) if high > low else np.zeros(len(gains)))
        weights = train.row_weights
        rows = train.frame.select(
            *PAIR,
            grade=pl.Series(worth),
            judged=pl.Series(train.is_judged),
            weight=pl.Series(np.ones(len(train.X)) if weights is None else weights),
        )
        shown = lists.pairs[np.unique(lists.item[lists.shown])]
        by_clicks = rows.join(self.by_clicks, on=PAIR, how="semi")
        poor = rows.filter(~pl.col("judged")).join(shown, on=PAIR, how="semi")
        return rows.join(pl.concat([by_clicks, poor]), on=PAIR, how="anti")

    def _as_one_more_list(self, beside: pl.DataFrame, place: int, features: Dataset) -> pl.DataFrame:
        """Each query's judged products as a list, all at a place of their own below every shown one."""
        some = beside.filter(pl.col("judged").any().over("query_id"))
        return some.select(
            pl.format("judged {}", "query_id").alias("query_id"),
            "product_id",
            "grade",
            (self.settings.human_views * pl.col("weight")).alias(WEIGHT),
            row=pl.Series(pair_features(some, features)),
            place=pl.lit(place, pl.Int32),
        )

    def _mixed(self, rates: pl.DataFrame, beside: pl.DataFrame, features: Dataset) -> pl.DataFrame:
        """A row a pair: what clicks and people say of its worth, weighed by views."""
        top = max(float(rates["rate"].quantile(TOP_SHARE) or 0.0), 1e-12)
        clicks = rates.select(
            *PAIR, worth=(pl.col("rate") / top).clip(0, 1), views="views", weight=pl.lit(1.0)
        )
        people = beside.select(
            *PAIR,
            worth="grade",
            views=pl.when("judged").then(self.settings.human_views * pl.col("weight")).otherwise(1.0),
            weight=pl.when("judged").then(1.0).otherwise("weight"),
        )
        both = pl.concat([clicks, people]).filter(pl.col("views") > 0)
        mixed = both.group_by(PAIR).agg(
            ((pl.col("worth") * pl.col("views")).sum() / pl.col("views").sum()).alias("grade"),
            pl.col("weight").max().alias(WEIGHT),
        )
        return mixed.with_columns(row=pl.Series(pair_features(mixed, features)))


def _bad(expected: str, got: str) -> InputError:
    return InputError(
        where="train.clicks.strategy",
        expected=expected,
        got=got,
        cure="set none, to learn from judgements alone, or automatic, which falls back to what can be told",
    )
