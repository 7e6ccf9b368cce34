"""Ways to learn from clicks, and the one to use: by how lists were shown, and by held-out queries.

naive         every shown list as it is, clicks as grades
rates         click rates of pairs, every row shown a view
ips           each click over the chance that its place is seen (Joachims, Swaminathan and Schnabel, WSDM 2017)
labels        what each view earned (`ltr.clicks.label`)
position      shown lists, LightGBM's own position bias
unbiased      shown lists, XGBoost's unbiased LambdaMART (Hu, Wang, Peng and Li, WWW 2019)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from features.errors import InputError
from ltr.clicks.examination import Examination
from ltr.clicks.labels import CannotTell, Labels, Views, best_examination, judged_by, label
from ltr.clicks.lists import PAIR, FloatArray, ShownLists
from ltr.clicks.models.model import sums_by
from ltr.data.dataset import Dataset
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig, LightGBMRanker
from ltr.rankers.boosters.xgboost_ranker import XGBoostConfig, XGBoostRanker
from ltr.rankers.lists import ndcg
from ltr.rankers.protocol import Ranker

Strategy = Literal["naive", "rates", "ips", "labels", "position", "unbiased"]
STRATEGIES: tuple[Strategy, ...] = ("naive", "rates", "ips", "labels", "position", "unbiased")

CLIP = 0.05  # the least chance to be seen that a click is divided by
SURE = 2.0  # standard errors by which a strategy must beat naive
EVEN = 0.9  # share of rows whose place was drawn by even lots, from which click rates are fair by design
_DEPTH = 10


@dataclass(frozen=True)
class Tried:
    """A strategy on held-out queries: nDCG@10 against their labels, and its gain over naive."""

    strategy: Strategy
    ndcg: float
    gain: float
    error: float


@dataclass(frozen=True)
class Choice:
    """The strategy to use, why, and what was tried."""

    strategy: Strategy
    why: str
    tried: Sequence[Tried] = ()


def pair_features(lists: ShownLists, features: Dataset) -> np.ndarray:
    """(pairs,) the row of `features` of each pair; InputError for a pair without."""
    rows = features.frame.select(PAIR).with_row_index("row")
    found = lists.pairs.join(rows, on=PAIR, how="left", maintain_order="left")["row"]
    if found.null_count():
        first = lists.pairs.filter(found.is_null()).row(0)
        raise InputError(
            where="feature table",
            expected="every pair that was shown",
            got=f"none of query {first[0]!r}, product {first[1]!r} ({found.null_count():,} such pairs)",
            cure="build features of the shown pairs",
        )
    return found.to_numpy().astype(np.int64)


def as_shown(lists: ShownLists, features: Dataset) -> Dataset:
    """Each list with a click and with more than one product as a list of its own, rows in the order shown."""
    useful = lists.rows(lists.clicked.any(axis=1) & (lists.shown.sum(axis=1) > 1))
    row, place = np.nonzero(useful.shown)
    rows = pair_features(lists, features)[useful.item[row, place]]
    frame = pl.DataFrame(
        {
            "query_id": useful.request.gather(row),
            "product_id": pl.Series(place).cast(pl.String).str.zfill(4),
            "grade": useful.value[row, place],
            "rows": rows,
            "place": place.astype(np.int32),
        }
    ).sort("query_id", "product_id")
    lengths = frame["query_id"].rle().struct
    X = np.ascontiguousarray(features.X[frame["rows"].to_numpy()])
    return Dataset(
        frame.select("query_id", "product_id", "grade"),
        features.schema,
        X,
        lengths.field("value").rename("query_id"),
        lengths.field("len").to_numpy().astype(np.int32),
        positions=frame["place"].to_numpy(),
    )


def as_judged(judgements: pl.DataFrame, features: Dataset) -> Dataset:
    """The features of judged pairs with `rate` as the grade."""
    rows = features.frame.select(PAIR).with_row_index("row")
    frame = judgements.select(*PAIR, grade="rate").join(rows, on=PAIR).sort(PAIR)
    lengths = frame["query_id"].rle().struct
    return Dataset(
        frame.select(*PAIR, "grade"),
        features.schema,
        np.ascontiguousarray(features.X[frame["row"].to_numpy()]),
        lengths.field("value").rename("query_id"),
        lengths.field("len").to_numpy().astype(np.int32),
    )


def ips_rates(lists: ShownLists, found: Examination) -> pl.DataFrame:
    """query_id, product_id, rate: mean over its rows of value over the chance to be seen, clipped."""
    seen = np.where(found.known, found.seen, 1.0).clip(CLIP, 1.0)
    pairs = lists.pairs.height
    earned = sums_by(lists.item, pairs, lists.value / seen)
    shown = sums_by(lists.item, pairs, lists.shown)
    rate = earned / np.maximum(shown, 1)
    return lists.pairs.with_columns(rate=rate, shown=shown).filter(pl.col("shown") > 0)


def train(
    strategy: Strategy,
    lists: ShownLists,
    features: Dataset,
    config: LightGBMConfig | None = None,
    views: Views | None = None,
) -> Ranker:
    """A booster that learned from these lists; features: of all pairs shown.

    config: of LightGBM; XGBoost's takes over what both have. views: how `labels` and `ips` count them; None: asked of
    these lists, and CannotTell is raised where they do not say.
    """
    config = (config or LightGBMConfig()).model_copy(update={"gain": "linear", "early_stopping_rounds": 0})
    if strategy in ("naive", "position", "unbiased"):
        data = as_shown(lists, features)
        if strategy == "naive":
            data = Dataset(data.frame, data.schema, data.X, data.query_ids, data.groups)
    elif strategy == "ips":
        known = views.examination if views and views.examination else best_examination(lists)
        data = as_judged(ips_rates(lists, known), features)
    else:
        counted = Views() if strategy == "rates" else (views or label(lists).counted)
        data = as_judged(judged_by(lists, counted)[0], features)
    ranker: Ranker = LightGBMRanker(config)
    if strategy == "unbiased":
        shared = config.model_dump(
            exclude={"kind", "objective", "params", "min_rows_per_leaf", "bagging_freq"}
        )
        ranker = XGBoostRanker(XGBoostConfig(**shared, params={"lambdarank_unbiased": True}))
    ranker.fit(data)
    return ranker


def choose_strategy(
    lists: ShownLists,
    features: Dataset,
    config: LightGBMConfig | None = None,
    strategies: Sequence[Strategy] = STRATEGIES,
    seed: int = 0,
) -> Choice:
    """naive, unless another one is better for sure on queries that it was not trained on.

    Each half of the queries is scored by rankers that learned from the other half, and judged by its own labels.
    Where the data cannot tell what was seen, nothing can be judged: naive. Where all places were drawn by even lots,
    click rates are fair however lists are read: rates, unless it is worse for sure.
    """
    try:
        labels = label(lists)
    except CannotTell as found:
        return Choice("naive", f"the data cannot tell being seen from being good: {found}")
    even = evenly_drawn(lists) >= EVEN
    if even:
        strategies = ("naive", "rates")
    halves = _halves(lists, seed)
    values = {one: _held_out(one, lists, labels, features, config, halves) for one in strategies}
    tried = [_compared(one, values[one], values["naive"]) for one in strategies]
    if even and tried[-1].gain > -SURE * tried[-1].error:
        return Choice("rates", "places were drawn by even lots: click rates are fair by design", tried)
    sure = [one for one in tried if one.gain > SURE * one.error and one.strategy != "naive"]
    if not sure:
        return Choice("naive", "no other strategy is better for sure on held-out queries", tried)
    best = max(sure, key=lambda one: one.gain)
    why = f"better than naive by {best.gain:.3f} ± {SURE * best.error:.3f} on held-out queries"
    return Choice(best.strategy, why, tried)


def evenly_drawn(lists: ShownLists) -> float:
    """Share of rows in lists whose logged propensities are all alike and below 1: any order was as likely."""
    low = np.where(lists.shown, lists.propensity, np.inf).min(axis=1)
    high = np.where(lists.shown, lists.propensity, -np.inf).max(axis=1)
    even = (high - low < 1e-9) & (high < 1)  # NaN, where not known, is neither
    return float(lists.shown[even].sum() / max(lists.shown.sum(), 1))


def _halves(lists: ShownLists, seed: int) -> list[pl.Series]:
    queries = lists.pairs["query_id"].unique().sort().sample(fraction=1, shuffle=True, seed=seed)
    middle = len(queries) // 2
    return [queries[:middle], queries[middle:]]


def _held_out(
    strategy: Strategy,
    lists: ShownLists,
    labels: Labels,
    features: Dataset,
    config: LightGBMConfig | None,
    halves: Sequence[pl.Series],
) -> FloatArray:
    """nDCG@10 of each query of both halves, NaN where nothing was earned."""
    found = []
    for other, mine in (halves, halves[::-1]):
        ranker = train(strategy, of_queries(lists, other), features, config, labels.counted)
        theirs = pl.col("query_id").is_in(mine.implode())
        judged = as_judged(labels.judgements.filter(theirs), features)
        found.append(ndcg(ranker.score(judged), judged.grades, judged.groups, _DEPTH))
    return np.concatenate(found)


def of_queries(lists: ShownLists, queries: pl.Series) -> ShownLists:
    """The lists of these queries."""
    wanted = lists.pairs["query_id"].is_in(queries.implode()).to_numpy()
    first = lists.item.max(axis=1)
    return lists.rows(wanted[first] & (first >= 0))


def _compared(strategy: Strategy, values: FloatArray, base: FloatArray) -> Tried:
    both = ~np.isnan(values) & ~np.isnan(base)
    gain = (values - base)[both]
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else float("inf")
    return Tried(strategy, float(values[both].mean()), float(gain.mean()), error)
