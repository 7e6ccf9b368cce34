"""Ways to learn from clicks, and the one to use: by how lists were shown, and by held-out queries.

naive         every shown list as it is, clicks as grades
rates         click rates of pairs, every row shown a view
ips           each click over the chance that its place is seen (Joachims, Swaminathan and Schnabel, WSDM 2017)
labels        what each view earned (`ltr.clicks.label`)
smoothed      the same, drawn to what like products earn (`click_smoothing`)
positions     shown lists, LightGBM's own position bias
unbiased      shown lists, XGBoost's unbiased LambdaMART (Hu, Wang, Peng and Li, WWW 2019)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from features.errors import InputError
from ltr.clicks.examination import Examination
from ltr.clicks.labels import FEW_LOTS, CannotTell, Views, best_examination, judged_by, label
from ltr.clicks.lists import PAIR, FloatArray, ShownLists
from ltr.clicks.models.model import sums_by
from ltr.data.dataset import Dataset
from ltr.rankers import LightGBMConfig, Ranker, RankerSettings, XGBoostConfig, make_ranker
from ltr.rankers.lists import ndcg
from ltr.training.click_rows import CLIP, as_judged, as_shown, ips_rates
from ltr.training.click_settings import STRATEGIES, Strategy
from ltr.training.click_smoothing import smoothed

BY_LIST: tuple[Strategy, ...] = ("naive", "positions", "unbiased")  # the others learn from pairs
SURE = 2.0  # standard errors by which a strategy must beat naive
EVEN = 0.9  # share of rows whose place was drawn by even lots, from which click rates are fair by design
_DEPTH = 10
_TREES = 100  # at most, of the rankers that are compared


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

    def __str__(self) -> str:
        return f"clicks by {self.strategy}: {self.why}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"tried": [asdict(one) for one in self.tried]}


def refusal(strategy: Strategy, ranker: RankerSettings) -> str:
    """Why this ranker cannot learn so, in words; empty where it can."""
    if strategy == "positions" and not isinstance(ranker, LightGBMConfig):
        return f"{ranker.kind} takes no positions: choose ranker lightgbm"
    if strategy == "positions" and ranker.objective != "lambdarank":
        return f"LightGBM heeds positions in lambdarank alone, not in {ranker.objective}"
    if strategy == "unbiased" and not isinstance(ranker, XGBoostConfig):
        return f"{ranker.kind} has no unbiased LambdaMART: choose ranker xgboost"
    return ""


def settings_for(strategy: Strategy, ranker: RankerSettings) -> RankerSettings:
    """The ranker's settings, with the library's own option where the strategy is one; InputError where it has none."""
    if why := refusal(strategy, ranker):
        got, _, cure = why.partition(": ")
        raise InputError(
            where="train.clicks.strategy",
            expected=f"a ranker that can learn by {strategy!r}",
            got=got,
            cure=cure or "choose another strategy",
        )
    if strategy != "unbiased":
        return ranker
    assert isinstance(ranker, XGBoostConfig)  # noqa: S101 - else it was refused
    return ranker.model_copy(update={"params": {**ranker.params, "lambdarank_unbiased": True}})


def pair_rates(
    strategy: Strategy, lists: ShownLists, features: Dataset, views: Views | None = None
) -> pl.DataFrame:
    """query_id, product_id, rate and views of each pair, by one of the strategies that learn from pairs.

    views: how they are counted; None: asked of these lists, and CannotTell is raised where they do not say.
    """
    if strategy == "ips":
        return ips_rates(lists, views.examination if views and views.examination else best_examination(lists))
    counted = Views() if strategy == "rates" else (views or label(lists).counted)
    judged = judged_by(lists, counted)[0]
    if strategy == "smoothed":
        judged = judged.sort(PAIR)
        earned = judged["earned"].to_numpy()
        seen = judged["effective_size"].to_numpy()
        rate = smoothed(earned / seen, seen, as_judged(judged, features))
        judged = judged.with_columns(rate=rate)
    return judged.select(*PAIR, "rate", views="effective_size")


def train(
    strategy: Strategy,
    lists: ShownLists,
    features: Dataset,
    config: RankerSettings | None = None,
    views: Views | None = None,
) -> Ranker:
    """A ranker that learned from these lists; features: of all pairs shown.

    config: its settings, of which gain and early stopping are not heeded: clicks are gains, and nothing is held out.
    views: as in `pair_rates`. InputError for a ranker that cannot learn so.
    """
    config = _plain(settings_for(strategy, config or LightGBMConfig()))
    if strategy in BY_LIST:
        data = as_shown(lists, features)
        if strategy == "naive":
            data = Dataset(data.frame, data.schema, data.X, data.query_ids, data.groups)
    else:
        data = as_judged(pair_rates(strategy, lists, features, views), features)
    ranker = make_ranker(config)
    ranker.fit(data)
    return ranker


def _plain(config: RankerSettings, **more: Any) -> RankerSettings:
    wanted = {"gain": "linear", "early_stopping_rounds": 0, **more}
    return config.model_copy(update={k: v for k, v in wanted.items() if k in type(config).model_fields})


def choose_strategy(
    lists: ShownLists,
    features: Dataset,
    config: RankerSettings | None = None,
    strategies: Sequence[Strategy] = STRATEGIES,
    seed: int = 0,
) -> Choice:
    """naive, unless another one is better for sure on queries that it was not trained on, by rows drawn by lot alone.

    Each half of the queries is scored by rankers that learned from the other half, and judged by what was earned where
    chance, not a ranker, had put a product (`lots_alone`): labels of all rows are drawn to their mean where a ranker
    showed a product seldom, and rankers that learn such labels are flattered by them. Where the data cannot tell what
    was seen, or too few rows were drawn by lot, nothing can be judged: naive. Where all places were drawn by even lots,
    what pairs earn is fair however lists are read, and has the least noise if smoothed: so it is, unless that is worse
    for sure. Strategies that the ranker cannot learn by are left out.
    """
    config = config or LightGBMConfig()
    strategies = [one for one in strategies if not refusal(one, config)]
    try:
        labels = label(lists)
    except CannotTell as found:
        return Choice("naive", f"the data cannot tell being seen from being good: {found}")
    even = evenly_drawn(lists) >= EVEN
    if even:
        strategies, judgements = ["naive", "smoothed"], labels.judgements
    else:
        judgements = lots_alone(lists, best_examination(lists))
        if int(judgements["rows"].sum()) < FEW_LOTS:
            return Choice("naive", "too few places were drawn by lot for a fair check")
    if "trees" in type(config).model_fields:
        config = _plain(config, trees=min(_TREES, config.trees), bags=1)  # type: ignore[attr-defined]
    halves = _halves(lists, seed)
    judge = _Judge(lists, judgements, labels.counted, features, config, halves)
    values = {one: judge.held_out(one) for one in strategies}
    tried = [_compared(one, values[one], values["naive"]) for one in strategies]
    if even and tried[-1].gain > -SURE * tried[-1].error:
        why = "places were drawn by even lots: what pairs earn is fair by design"
        return Choice("smoothed", why, tried)
    sure = [one for one in tried if one.gain > SURE * one.error and one.strategy != "naive"]
    if not sure:
        return Choice("naive", "no other strategy is better for sure on held-out queries", tried)
    best = max(sure, key=lambda one: one.gain)
    why = f"better than naive by {best.gain:.3f} ± {SURE * best.error:.3f} on held-out queries"
    return Choice(best.strategy, why, tried)


def evenly_drawn(lists: ShownLists) -> float:
    """Share of rows in lists whose logged propensities are all alike and as low as even lots make them.

    Any order of n products is as likely where each stands at each place with a chance of 1 / n or less; a list in its
    ranker's own order, of which some were shuffled, has propensities that are alike, too, but high.
    """
    low = np.where(lists.shown, lists.propensity, np.inf).min(axis=1)
    high = np.where(lists.shown, lists.propensity, -np.inf).max(axis=1)
    by_lot = 1 / np.maximum(lists.shown.sum(axis=1), 2)
    even = (high - low < 1e-9) & (high <= by_lot + 1e-9)  # NaN, where not known, is neither
    return float(lists.shown[even].sum() / max(lists.shown.sum(), 1))


def _halves(lists: ShownLists, seed: int) -> list[pl.Series]:
    queries = lists.pairs["query_id"].unique().sort().sample(fraction=1, shuffle=True, seed=seed)
    middle = len(queries) // 2
    return [queries[:middle], queries[middle:]]


@dataclass(frozen=True, eq=False)
class _Judge:
    """Rankers of each half of the queries, judged on the other half. judgements: with a `rate`."""

    lists: ShownLists
    judgements: pl.DataFrame
    counted: Views
    features: Dataset
    config: RankerSettings
    halves: Sequence[pl.Series]

    def held_out(self, strategy: Strategy) -> FloatArray:
        """nDCG@10 of each query of both halves, NaN where nothing was earned."""
        found = []
        for other, mine in (self.halves, self.halves[::-1]):
            ranker = train(strategy, of_queries(self.lists, other), self.features, self.config, self.counted)
            theirs = pl.col("query_id").is_in(mine.implode())
            judged = as_judged(self.judgements.filter(theirs), self.features)
            found.append(ndcg(ranker.score(judged), judged.grades, judged.groups, _DEPTH))
        return np.concatenate(found)


def lots_alone(lists: ShownLists, examination: Examination) -> pl.DataFrame:
    """query_id, product_id, rate and rows: what was earned, over views, in rows whose place was drawn by lot.

    Drawn: the place was less likely than not, so that no ranker's own order is among them.
    """
    drawn = lists.shown & (lists.propensity < 0.5)  # NaN, where not known, is not
    seen = np.where(examination.known, examination.seen, 0.0).clip(CLIP, 1.0)
    pairs = lists.pairs.height
    rows, views, earned = (
        sums_by(lists.item, pairs, np.where(drawn, of, 0.0))
        for of in (np.ones(lists.item.shape), np.broadcast_to(seen, lists.item.shape), lists.value)
    )
    found = lists.pairs.with_columns(rate=earned / np.where(views > 0, views, 1.0), rows=rows)
    return found.filter(pl.col("rows") > 0)


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
