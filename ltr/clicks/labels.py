"""Judgements from behaviour: what a product earns each time it is seen, how sure that is, and beside human ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.errors import InputError
from ltr.clicks.examination import Examination, Overlap, harvest, overlap
from ltr.clicks.lists import PAIR, FloatArray, ShownLists
from ltr.clicks.models import MODELS, ClickModel, Judged, Prior, choose, estimate_prior
from ltr.clicks.models.model import sums_by
from ltr.clicks.settings import Seen

TOP_SHARE = 0.99  # of pairs earn less than what gets the highest grade
ENOUGH_BOTH = 30  # pairs judged both ways, to learn the human scale from
FEW_LOTS = 2000  # rows whose place was drawn by lot, from which lots are preferred to harvesting


@dataclass(frozen=True)
class Views:
    """How views are counted: by places' examination, by a fitted model, or (neither) every row shown."""

    examination: Examination | None = None
    model: ClickModel | None = None

    @property
    def name(self) -> str:
        if self.examination is not None:
            return self.examination.method
        return "every row shown" if self.model is None else f"{self.model.name} model"

    def of(self, lists: ShownLists) -> FloatArray:
        """(n, k) how much of a view each row is; 0 where that is not known."""
        if self.model is not None:
            return self.model.examined(lists)
        if self.examination is None:
            return lists.shown.astype(np.float64)
        seen = np.where(self.examination.known, self.examination.seen, 0.0).clip(max=1.0)
        return np.where(lists.shown, seen[: lists.places], 0.0)


@dataclass(frozen=True)
class Labels:
    """judgements: query_id, product_id, grade, rate, weight, effective_size, earned, clicks, shown,
    position, seen, clipped; a row a pair.

    rate: mean of what a view earns, in [0, 1], drawn to the prior; effective_size: views that it rests on, earned:
    what these earned; weight: the share of the rate that is the pair's own, in [0, 1); position:
    mean place, seen: mean chance to be seen there; clipped: of its clicks, the
    share at places that count as seen more often than they are. counted: how views were. overlap: whether the events
    can tell. models: how well each fits later days, where that was asked.
    """

    judgements: pl.DataFrame
    counted: Views
    prior: Prior
    clipped: float
    overlap: Overlap
    models: list[Judged]


@dataclass(frozen=True)
class Agreement:
    """With human judgements of the same pairs: rank correlations of all pairs, and within queries with its interval."""

    pairs: int
    spearman: float
    kendall: float
    queries: int
    interval: tuple[float, float]


class CannotTell(Exception):  # noqa: N818 - an answer, not a fault of the program
    """The events do not tell being seen from being good; `overlap` says what is lacking."""

    def __init__(self, found: Overlap) -> None:
        super().__init__("; ".join(found.problems))
        self.overlap = found


def label(lists: ShownLists, seen: Seen = "automatic", clip: float = 0.05, top_grade: float = 3.0) -> Labels:
    """Grades by what each view earned. clip: a place counts as seen so often at least.

    automatic: by a model where later days say clearly that lists are read so; else by places. places: by logged lots
    where there are enough, else by harvesting.
    Raises CannotTell where the data do not identify it; `naive` (every row shown is a view) asks for nothing.
    """
    found = best_examination(lists)
    overlapping = overlap(lists, found)
    models = choose(lists) if seen == "automatic" else []
    way = _way(seen, models)
    if way != "naive" and overlapping.problems:
        raise CannotTell(overlapping)
    counted = Views()
    if way == "places":
        counted = Views(examination=found)
    elif way != "naive":
        model = MODELS[way]()
        model.fit(lists)
        counted = Views(model=model)
    judgements, prior, raised = judged_by(lists, counted, clip, top_grade)
    return Labels(judgements, counted, prior, raised, overlapping, models)


def best_examination(lists: ShownLists) -> Examination:
    """By logged lots where they tell enough, else by harvesting."""
    drawn = (lists.propensity > 0) & (lists.propensity < 1) & lists.shown
    if drawn.sum() >= FEW_LOTS:
        by_lot = harvest(lists, by_lot=True)
        if not overlap(lists, by_lot).problems:
            return by_lot
    return harvest(lists)


def _way(seen: Seen, models: list[Judged]) -> str:
    """A model of lists read from above only where it is clearly better than one of places."""
    if seen != "automatic":
        return seen
    best = next(one for one in models if one.key != "ctr")
    by_place = next(one for one in models if one.key == "pbm")
    gain = best.by_list - by_place.by_list
    clear = gain.mean() > 2 * gain.std() / np.sqrt(len(gain))
    return best.key if clear and best.key != "pbm" else "places"


def judged_by(
    lists: ShownLists, counted: Views, clip: float = 0.05, top_grade: float = 3.0
) -> tuple[pl.DataFrame, Prior, float]:
    """The judgements (see Labels), the prior of what a view earns, and the share of clicks whose view was clipped."""
    views = counted.of(lists)
    raised = lists.clicked & (views > 0) & (views < clip)
    views = np.where(lists.shown & (views > 0), np.maximum(views, clip), 0.0)
    pairs = lists.pairs.height
    earned = sums_by(lists.item, pairs, np.where(views > 0, lists.value, 0.0))
    seen = sums_by(lists.item, pairs, views)
    clicks, shown = (sums_by(lists.item, pairs, of) for of in (lists.clicked, lists.shown))
    place = np.arange(1.0, lists.places + 1)
    prior = estimate_prior(earned, seen)
    rate = prior.rate(earned, seen)
    frame = lists.pairs.with_columns(
        rate=rate,
        weight=seen / (seen + prior.clicks + prior.passed),
        effective_size=seen,
        earned=earned,
        clicks=clicks.astype(np.int64),
        shown=shown.astype(np.int64),
        position=sums_by(lists.item, pairs, np.broadcast_to(place, lists.item.shape)) / np.maximum(shown, 1),
        seen=seen / np.maximum(shown, 1),
        clipped=sums_by(lists.item, pairs, raised) / np.maximum(clicks, 1),
    )
    known = frame.filter(pl.col("effective_size") > 0)
    # Grades go in proportion to the rate; the highest from the rate that but a hundredth of pairs reach.
    top = float(known["rate"].quantile(TOP_SHARE) or 0.0) if known.height else 0.0
    grade = ((known["rate"] / max(top, 1e-12)).clip(0, 1) * top_grade).alias("grade")
    graded = known.select(*PAIR, grade, pl.exclude(*PAIR))
    return graded, prior, float(raised.sum() / max(lists.clicked.sum(), 1))


def agreement(judgements: pl.DataFrame, human: pl.DataFrame, seed: int = 0) -> Agreement | None:
    """None where fewer than two pairs are judged both ways. The interval: 95 %, by queries drawn anew."""
    from scipy.stats import kendalltau, spearmanr  # noqa: PLC0415 - a second, and few commands ask

    both = _both(judgements, human)
    if both.height < 2 or both["grade"].n_unique() < 2 or both["human"].n_unique() < 2:
        return None
    overall = float(spearmanr(both["rate"], both["human"]).statistic)
    by_query = [
        float(kendalltau(part["rate"], part["human"]).statistic)
        for _, part in both.group_by("query_id", maintain_order=True)
        if part["human"].n_unique() > 1 and part["rate"].n_unique() > 1
    ]
    if not by_query:
        return Agreement(both.height, overall, float("nan"), 0, (float("nan"), float("nan")))
    taus = np.array(by_query)
    drawn = np.random.default_rng(seed).choice(taus, (1000, len(taus))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Agreement(both.height, overall, float(taus.mean()), len(taus), (float(low), float(high)))


def _both(judgements: pl.DataFrame, human: pl.DataFrame) -> pl.DataFrame:
    theirs = human.select(*PAIR, human=pl.col("grade").cast(pl.Float64))
    return judgements.join(theirs, on=PAIR).sort(PAIR)


def on_human_scale(judgements: pl.DataFrame, human: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """Grades as a line of the rate that fits the human ones best, within their range; whether that was possible.

    It is not with fewer than 30 pairs judged both ways, or where the two do not rise together: grades stay.
    """
    both = _both(judgements, human)
    if both.height < ENOUGH_BOTH:
        return judgements, False
    weight, rate, grade = (both[name].to_numpy() for name in ("weight", "rate", "human"))
    mean = np.average(rate, weights=weight)
    spread = np.average((rate - mean) ** 2, weights=weight)
    slope = np.average((rate - mean) * grade, weights=weight) / spread if spread > 0 else 0.0
    if slope <= 0:
        return judgements, False
    level = float(np.average(grade, weights=weight))
    low, high = float(grade.min()), float(grade.max())
    line = (level + slope * (pl.col("rate") - mean)).clip(low, high)
    return judgements.with_columns(grade=line), True


def mixed(judgements: pl.DataFrame, human: pl.DataFrame, human_views: float = 30.0) -> pl.DataFrame:
    """Both kinds in one table: a human judgement weighs as much as so many views, the grade is the weighted mean.

    weight: of the human one 1, of the others as before. position, seen: null where nothing was shown. source: human,
    clicks or both.
    """
    if human_views < 0:
        raise InputError(where="--human-views", expected="0 or more", got=f"{human_views:g}", cure="raise it")
    theirs = human.select(*PAIR, human=pl.col("grade").cast(pl.Float64))
    joined = judgements.join(theirs, on=PAIR, how="full", coalesce=True)
    views = pl.col("effective_size").fill_null(0.0)
    judged = pl.col("human").is_not_null()
    share = (
        pl.when(judged & (views == 0))
        .then(1.0)
        .when(judged)
        .then(human_views / (human_views + views))
        .otherwise(0.0)
    )
    beside = [name for name in ("position", "seen") if name in judgements.columns]
    return joined.select(
        *PAIR,
        *beside,
        grade=pl.col("human").fill_null(0.0) * share + pl.col("grade").fill_null(0.0) * (1 - share),
        weight=pl.when(judged).then(1.0).otherwise("weight"),
        effective_size=views + pl.when(judged).then(human_views).otherwise(0.0),
        source=pl.when(judged & (views > 0))
        .then(pl.lit("both"))
        .when(judged)
        .then(pl.lit("human"))
        .otherwise(pl.lit("clicks")),
    ).sort(PAIR)


def disagreements(judgements: pl.DataFrame, human: pl.DataFrame, count: int = 12) -> pl.DataFrame:
    """Pairs of both whose grades differ most for what the clicks weigh: query_id, product_id, grade, human, …"""
    both = _both(judgements, human).with_columns(gap=pl.col("grade") - pl.col("human"))
    order = (pl.col("gap").abs() * pl.col("weight")).alias("force")
    return both.with_columns(order).sort("force", *PAIR, descending=[True, False, False]).head(count)
