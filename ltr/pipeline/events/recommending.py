"""From a log of events, and the catalogue where there is one, to what comes next for somebody."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from features.errors import InputError
from features.sources.events import EventRules, Events, clean_events, read_ubi
from features.sources.events.cleaning import known_until
from features.sources.ledger import Ledger
from features.sources.load import Collection
from features.sources.parsing.ids import written_near
from ltr.config.tree import Config
from ltr.pipeline.events.behaviour import events_ledger, warn_of_lost
from ltr.pipeline.prepare import load_collection, make_builder
from ltr.recommendation import (
    Histories,
    Likeness,
    RankedRecommender,
    Recommender,
    RecommendSettings,
    Trial,
    all_rules,
    best_of,
    compare_recommenders,
)

SHOWN = ("title", "brand", "category", "price")

_NAMED = 5  # unknown products

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recommended:
    """products: rank, product_id, what the catalogue says of them, and `found_by`: the rule that puts it highest.

    learned_from: next products that the order was learnt from; 0 where one rule's order stands, which leads.
    """

    products: pl.DataFrame
    history: list[str]
    learned_from: int
    leading: str

    @property
    def in_words(self) -> str:
        if not self.history:
            return "nobody is named: what is popular now; name --who or --product"
        after = f"after {', '.join(self.history[-5:])}"
        if not self.learned_from:
            return f"{after}: in the order of {self.leading}, for there is too little to learn an order from"
        return f"{after}: in an order learnt from {self.learned_from:,} next products"


@dataclass(frozen=True)
class _Read:
    histories: Histories
    rules: list[Recommender]
    ledger: Ledger
    collection: Collection | None = None


def recommend(settings: RecommendSettings, config: Config | None) -> tuple[Recommended, Ledger]:
    """What comes next, and what was left out of the log.

    InputError for somebody whom the log does not know, and for products of which nobody met any.
    """
    read = _read(settings, config)
    histories, rules, collection = read.histories, read.rules, read.collection
    asked = _history(settings, histories)
    if not len(asked):
        rules = rules[::-1]  # nobody is named: what is popular stands first
    ranked = RankedRecommender(rules, settings.candidates, seed=settings.seed)
    ranked.fit(histories, settings.learn_days)
    rows = (
        ranked.recommend(asked, settings.count)
        if len(asked)
        else best_of(rules[0].scores(asked), settings.count)
    )
    scored = {rule.name: rule.scores(asked) for rule in rules}
    places = {name: _places(scores) for name, scores in scored.items()}
    found = pl.DataFrame(
        {
            "rank": pl.Series(np.arange(1, len(rows) + 1), dtype=pl.Int64),
            "product_id": histories.products.gather(rows),
            "found_by": [min(places, key=lambda name: places[name][row]) for row in rows],
        },
        schema_overrides={"found_by": pl.String},
    )
    if collection is not None:
        shown = [name for name in SHOWN if name in collection.products.columns]
        found = found.join(collection.products.select("product_id", *shown), on="product_id", how="left")
    learned = ranked.learned_from if len(asked) and ranked.learned else 0
    history = histories.products.gather(asked).to_list()
    return Recommended(found, history, learned, ranked.leading.name), read.ledger


def try_recommenders(settings: RecommendSettings, config: Config | None) -> tuple[Trial, Ledger]:
    """Every rule and the ranker on the last days of the log, and what was left out of it."""
    read = _read(settings, config)
    days = settings.trial_days, settings.candidates, settings.learn_days
    return compare_recommenders(read.histories, read.rules, *days, seed=settings.seed), read.ledger


def _places(scores: np.ndarray) -> np.ndarray:
    """(m,) place of each product by these scores; those without one far behind."""
    places = np.full(len(scores), len(scores) + 1)
    best = best_of(scores, len(scores))
    places[best] = np.arange(1, len(best) + 1)
    return places


def _read(settings: RecommendSettings, config: Config | None) -> _Read:
    if (settings.events is None) == (config is None):
        raise InputError(
            where="command line",
            expected="one of --events and --config",
            got="neither" if config is None else "both",
            cure="name a folder of UBI files, or a config with data.events",
        )
    if settings.events is not None or config is None:
        ledger = Ledger()
        events = clean_events(read_ubi(settings.events or Path(), ledger), EventRules(), ledger)
        return _Read(_histories(events, settings, ledger), all_rules(), ledger)
    collection = load_collection(config)
    if collection.events is None:
        raise InputError(
            where="data.events", expected="a table of events", got="none", cure="set data.events.path"
        )
    ledger = events_ledger(collection)
    histories = _histories(collection.events, settings, ledger, collection.products["product_id"])
    rules = [*all_rules(), *_likeness(config, collection, histories)]
    return _Read(histories, rules, ledger, collection)


def _histories(
    events: Events, settings: RecommendSettings, ledger: Ledger, products: pl.Series | None = None
) -> Histories:
    """Of what was done until now; what is in no history is counted."""
    known = known_until(events, datetime.now(UTC), ledger)
    actions = known.actions
    for step, unused in (
        ("what was sent back: in no history", pl.col("action") == "return"),
        (f"without a {settings.by}: in no history", pl.col(settings.by).is_null()),
    ):
        hits = actions.filter(unused).select("action", "product_id")
        ledger.note("events", step, actions, hits, "left out")
    if actions.height and not actions[settings.by].count():
        raise InputError(
            where="--by",
            expected=f"actions with a {settings.by}",
            got=f"none of {actions.height:,}",
            cure=f"give --by {'shopper' if settings.by == 'session' else 'session'}, or log the {settings.by}",
        )
    warn_of_lost(ledger)
    return Histories.of_events(known, settings.by, products=products)


def _likeness(config: Config, collection: Collection, histories: Histories) -> list[Recommender]:
    """By title and by photo, where an encoder reads them."""
    catalogue = make_builder(config, collection.products).catalogue
    rows = catalogue.rows_of(histories.products)
    found: list[Recommender] = []
    for side in catalogue.vectors.sides:
        name = {"title": "like_title", "image": "like_photo"}.get(side.column)
        if name and name not in {one.name for one in found}:
            given = catalogue.vectors.of_products(side)
            of_row = given.rows[rows]
            vectors = np.where(of_row[:, None] >= 0, given.vectors[of_row], 0.0)  # 0 where there is none
            found.append(Likeness(vectors, name))
    return found


def _history(settings: RecommendSettings, histories: Histories) -> np.ndarray:
    if settings.product:
        return _rows_of(settings.product, histories)
    if settings.who is None:
        return np.zeros(0, dtype=np.int64)
    place = histories.sessions.index_of(settings.who)
    if place is None:
        raise InputError(
            where="--who",
            expected=f"one of the log's {len(histories):,} {settings.by}s, by pseudonym",
            got=repr(settings.who),
            cure="name another, or give --product",
        )
    return histories.product[histories.starts[place] : histories.starts[place + 1]]


def _rows_of(products: Sequence[str], histories: Histories) -> np.ndarray:
    """The known ones in order; which are unknown is said, and how a known one is written that may be meant."""
    found = histories.rows_of(list(products))
    known = set(histories.products.gather(found))
    unknown = [one for one in dict.fromkeys(products) if one not in known]
    near = {one: written_near(one, histories.products) for one in unknown[:_NAMED]}
    named = ", ".join(f"{one!r}{f' ({alike})' * bool(alike)}" for one, alike in near.items())
    named += f" and {len(unknown) - _NAMED:,} more" * (len(unknown) > _NAMED)
    if not len(found):
        raise InputError(
            where="--product",
            expected="known products",
            got=named,
            cure="name one that somebody met, written as there",
        )
    if unknown:
        log.warning("--product: no such product is known, left out: %s", named)
    return found
