"""From a log of events, and the catalogue where there is one, to what comes next for somebody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from features.errors import InputError
from features.sources.events import Events, read_ubi
from features.sources.load import Collection
from ltr.config.tree import Config
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


def recommend(settings: RecommendSettings, config: Config | None) -> Recommended:
    """What comes next; InputError for somebody whom the log does not know, and for products that nobody met."""
    histories, rules, collection = _read(settings, config)
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
    return Recommended(found, histories.products.gather(asked).to_list(), learned, ranked.leading.name)


def try_recommenders(settings: RecommendSettings, config: Config | None) -> Trial:
    """Every rule and the ranker on the last days of the log."""
    histories, rules, _ = _read(settings, config)
    return compare_recommenders(
        histories, rules, settings.trial_days, settings.candidates, settings.learn_days, seed=settings.seed
    )


def _places(scores: np.ndarray) -> np.ndarray:
    """(m,) place of each product by these scores; those without one far behind."""
    places = np.full(len(scores), len(scores) + 1)
    best = best_of(scores, len(scores))
    places[best] = np.arange(1, len(best) + 1)
    return places


def _read(
    settings: RecommendSettings, config: Config | None
) -> tuple[Histories, list[Recommender], Collection | None]:
    if (settings.events is None) == (config is None):
        raise InputError(
            where="command line",
            expected="one of --events and --config",
            got="neither" if config is None else "both",
            cure="name a folder of UBI files, or a config with data.events",
        )
    if settings.events is not None or config is None:
        return Histories.of_events(read_ubi(settings.events or Path()), settings.by), all_rules(), None
    collection = load_collection(config)
    events: Events | None = collection.events
    if events is None:
        raise InputError(
            where="data.events", expected="a table of events", got="none", cure="set data.events.path"
        )
    histories = Histories.of_events(events, settings.by, products=collection.products["product_id"])
    return histories, [*all_rules(), *_likeness(config, collection, histories)], collection


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
        found = histories.rows_of(list(settings.product))
        if not len(found):
            raise InputError(
                where="--product",
                expected="products of the log",
                got=", ".join(settings.product[:5]),
                cure="name one that somebody met",
            )
        return found
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
