"""Made-up shops for benchmarks.experiments: interleaved lists and surveys without a difference, and served logs whose
truth is a sum over all that can be shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ltr.experiments import Columns, InterleaveSettings, OffPolicySettings
from ltr.experiments.interleaving.chances import Rankings, draw
from ltr.experiments.interleaving.credit import probabilistic_credit, rank_credit, team_credit
from ltr.experiments.interleaving.drafts import ranks_of
from ltr.experiments.interleaving.preference import preferences
from ltr.experiments.interleaving.settings import TAU, Method
from ltr.experiments.interleaving.shown_lists import ShownLists
from ltr.experiments.looks import Looks
from ltr.experiments.off_policy.places import judge_places
from ltr.experiments.off_policy.support import TARGET, with_support
from ltr.experiments.outcome import Outcome
from ltr.experiments.served_log import SWAPS
from ltr.experiments.survey import superiority
from ltr.serving.lists.exploration import Arranged, mixed, swapped

PLACES = 5
KINDS = (
    "text",
    "lost",
)  # of searches: those that the log could have answered as the new ranker does, and others
LOOKED_AT = 1 / (1 + 0.4 * np.arange(PLACES))  # by place


@dataclass(frozen=True)
class DrawnLists:
    """Lists that a method drew (lists, …): credit (places, rankers) if clicked, and chances of a click (places,)."""

    rankers: tuple[str, ...]
    credit: np.ndarray
    clicks: np.ndarray

    def alarms(self, lists: int, rng: np.random.Generator) -> tuple[bool, bool]:
        """Of one experiment in which visitors click more or less often: the first pair alone, and any after Holm."""
        picked = rng.integers(len(self.credit), size=lists)
        _, unit = np.unique(rng.integers(lists // 2, size=lists), return_inverse=True)
        eager = rng.beta(2, 2, lists)[unit]
        clicked = rng.random((lists, PLACES)) < self.clicks[picked] * eager[:, None]
        credit = self.credit[picked].reshape(-1, len(self.rankers))
        acts = {"click": clicked.ravel().astype(np.float64)}
        starts, place = np.arange(lists) * PLACES, np.tile(np.arange(PLACES), lists)
        shown = ShownLists(
            self.rankers, credit, acts, starts, place, unit, np.arange(lists * PLACES), _NO_TABLE
        )
        found = preferences(_SETTINGS, shown, "click", Looks())
        return found[0].judged and found[0].reading.p_value < 0.05, any(one.decided for one in found)


_NO_TABLE = Columns(pl.DataFrame({"segment": [""]}))  # no segments are asked for
_SETTINGS = InterleaveSettings(
    data=Path("made-up"), rank=("a=rank_a", "b=rank_b"), method="optimised", click="click"
)


def equal_rankers(method: Method, rankers: int, lists: int, rng: np.random.Generator) -> DrawnLists:
    """Rankers of the same items with errors of the same size; each search comes with every turn of their names, so
    that exactly none is better."""
    credit: list[np.ndarray] = []
    clicks: list[np.ndarray] = []
    while len(credit) < lists:
        worth = rng.normal(size=PLACES + 3)
        made = [np.argsort(-(worth + rng.normal(size=len(worth))))[:PLACES].tolist() for _ in range(rankers)]
        chances = LOOKED_AT / (1 + np.exp(1 - 1.5 * worth[:, None]))  # (items, places)
        for turn in range(rankers):
            turned: Rankings = tuple(map(tuple, (*made[turn:], *made[:turn])))
            for _ in range(100):
                drafted = draw(method, turned, rng)
                items = np.array(drafted.items, dtype=np.int64)
                credit.append(_credit(method, np.array(drafted.team), ranks_of(turned, drafted.items)))
                clicks.append(chances[items, np.arange(PLACES)])
    return DrawnLists(tuple("abcde"[:rankers]), np.array(credit), np.array(clicks))


def _credit(method: Method, team: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    if method == "team-draft":
        return team_credit(team, ranks)
    return (
        probabilistic_credit(ranks, PLACES, TAU) if method == "probabilistic" else rank_credit(ranks, PLACES)
    )


def survey_alarm(sessions: int, rng: np.random.Generator) -> bool:
    """Stars of visitors with several sessions, in arms alike; the happy and the angry answer more often."""
    visitors = sessions // 2
    _, unit = np.unique(rng.integers(visitors, size=sessions), return_inverse=True)
    mood, arm = rng.normal(size=visitors)[unit], (rng.random(visitors) < 0.5)[unit]
    stars = np.clip(np.round(3.6 + 0.8 * mood + 0.8 * rng.normal(size=sessions)), 1, 5)
    answers = rng.random(sessions) < np.array([0.6, 0.4, 0.2, 0.3, 0.5])[stars.astype(int) - 1]
    sides = [
        (stars[answers & side], np.unique(unit[answers & side], return_inverse=True)[1])
        for side in (~arm, arm)
    ]
    return superiority(sides[0][0], sides[1][0], sides[0][1], sides[1][1]).p_value < 0.05


@dataclass(frozen=True)
class ServedShop:
    """A shop of few texts: `worth` (texts, products) is the chance of a click there, if looked at; old and new (texts,
    PLACES) the rankers' lists. `lists` of what the server drew for a text, all alike likely: products and propensities
    (texts, lists, PLACES)."""

    worth: np.ndarray
    new: np.ndarray
    products: np.ndarray
    propensity: np.ndarray
    drawn_from: list[str]

    @property
    def truth(self) -> float:
        """Clicks a place of the new ranker's lists."""
        return float((np.take_along_axis(self.worth, self.new, axis=1) * LOOKED_AT).mean())

    def log(self, lists: int, rng: np.random.Generator, gap: float = 0.0) -> Columns:
        """Rows as the log's reader gives them. gap: share of the searches whose text the new ranker answers with
        products that the log's could not show, at every place."""
        text = rng.integers(len(self.worth), size=lists)
        drawn = rng.integers(self.products.shape[1], size=lists)
        products, propensity = self.products[text, drawn], self.propensity[text, drawn]
        person = rng.integers(lists // 2, size=lists)
        eager = rng.uniform(0.5, 1.5, lists)[person]
        chance = np.take_along_axis(self.worth[text], products, axis=1) * LOOKED_AT * eager[:, None]
        lost = rng.random(lists) < gap
        of_list = pl.DataFrame(
            {
                "list": pl.int_range(lists, eager=True).cast(pl.String),
                "person": pl.Series(person).cast(pl.String),
                "text": _gathered(
                    [f"{kind} {n}" for kind in KINDS for n in range(len(self.worth))],
                    text + len(self.worth) * lost,
                ),
                "drawn_from": _gathered(self.drawn_from, text),
            }
        )
        rows = of_list.select(pl.all().repeat_by(PLACES).explode()).with_columns(
            position=pl.Series(np.tile(np.arange(1, PLACES + 1), lists)),
            product_id=pl.Series(products.ravel()).cast(pl.String),
            propensity=pl.Series(propensity.ravel()),
            click=pl.Series((rng.random((lists, PLACES)) < chance).ravel().astype(np.int64)),
            filters=pl.lit(None, pl.String),
            history=False,
            explored=PLACES,
        )
        wanted = self._wanted()
        stands = (products == self.new[text]) & ~lost[:, None]
        made = rows.with_columns(pl.Series(TARGET, stands.ravel().astype(np.float64)))
        return Columns(with_support(made, wanted, ["text"]))

    def _wanted(self) -> pl.DataFrame:
        rows = [
            (f"{kind} {text}", place + 1, str(product) if kind == KINDS[0] else "elsewhere", 1.0)
            for kind in KINDS
            for text, products in enumerate(self.new)
            for place, product in enumerate(products)
        ]
        return pl.DataFrame(rows, schema=["text", "position", "product_id", TARGET], orient="row")


def _gathered(texts: list[str], which: np.ndarray) -> pl.Series:
    return pl.Series(texts).gather(which)


def served_shop(way: str, rng: np.random.Generator, texts: int = 8, lists: int = 4000) -> ServedShop:
    """way: `swaps` of the new ranker's own neighbours, or the method by which its lists are mixed with an older one's;
    lists that the server drew for each text."""
    worth = rng.uniform(0.05, 0.6, (texts, PLACES + 3))
    new, old = (
        np.argsort(-(worth + spread * rng.normal(size=worth.shape)))[:, :PLACES] for spread in (0.1, 0.3)
    )
    drawn = [[_arranged(way, *pair, rng) for _ in range(lists)] for pair in zip(new, old, strict=True)]
    first = slice(0, PLACES)
    return ServedShop(
        worth,
        new,
        np.array([[one.rows[first] for one in some] for some in drawn]),
        np.array([[one.propensity[first] for one in some] for some in drawn]),
        [_drawn_from(way, *pair) for pair in zip(new, old, strict=True)],
    )


def _arranged(way: str, new: np.ndarray, old: np.ndarray, rng: np.random.Generator) -> Arranged:
    if way == SWAPS:
        return swapped(new, 0.3, PLACES, rng)
    return mixed([old, new], PLACES, "probabilistic" if way == "probabilistic" else "team-draft", rng)


def _drawn_from(way: str, new: np.ndarray, old: np.ndarray) -> str:
    tops = [new] if way == SWAPS else [old, new]
    return json.dumps({"method": way, "tops": [[str(product) for product in top] for top in tops]})


def asked(table: Columns) -> Outcome:
    """What `ltr.experiment off-policy --data LOG --run NEW` says of such rows."""
    return judge_places(OffPolicySettings(data=Path()), table)
