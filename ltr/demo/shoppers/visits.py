"""People, a policy and their eyes together: the events that they leave, and the truth behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.sources.events import Events
from ltr.demo.shop import DemoShop, utility
from ltr.demo.shoppers.browsing import browse, chances, place_seen
from ltr.demo.shoppers.buying import Deeds, clicks_and_after
from ltr.demo.shoppers.people import (
    BoolArray,
    Drift,
    FloatArray,
    People,
    Questions,
    Requests,
    Stock,
    draw_requests,
)
from ltr.demo.shoppers.policy import Policy, Shown
from ltr.demo.shoppers.settings import ShopperSettings

_BOT_CLICKS = 0.5


@dataclass(frozen=True)
class Visit:
    """events: what a shop would know. truth: what only a test may, a row for each row of events.shown.

    truth: request_id, product_id, position, worth (to this shopper, in [0, 1]), attraction (chance of a click once
    seen, without trust), seen, click_chance (exact, before the lot), bot.
    """

    events: Events
    truth: pl.DataFrame

    def clicks_expected(self) -> float:
        """Mean of a human's list: the exact chances, so that rankers are compared without the clicks' noise."""
        human = self.truth.filter(~pl.col("bot"))
        return float(human["click_chance"].sum()) / max(1, human["request_id"].n_unique())


class Shoppers:
    """Simulated people of a demo shop; the same for the same shop and settings."""

    def __init__(self, shop: DemoShop, settings: ShopperSettings | None = None) -> None:
        self.shop = shop
        self.settings = settings or ShopperSettings.model_validate({})
        seed = self.settings.seed
        self.drift = Drift.draw(self.settings, np.random.default_rng([seed, 11]))
        self._questions = Questions(shop, np.random.default_rng([seed, 12]))
        self._stock = Stock.of(shop.stock)
        self._worth = np.stack([utility(wish, shop.stock) for wish in shop.wishes.iter_rows(named=True)])
        rng = np.random.default_rng([seed, 13])
        new = rng.random(shop.stock.height) < self.settings.new_products
        self.arrives: FloatArray = np.where(new, rng.uniform(0, 7 * self.settings.weeks, len(new)), 0.0)
        """(products,) the day each comes into stock, 0 for those that are there from the start."""

    @property
    def examination(self) -> FloatArray:
        """(k,) the truth that propensities are measured against: see `browsing.place_seen`."""
        return place_seen(self.settings)

    @property
    def worth(self) -> FloatArray:
        """(queries, products) in [0, 1]: what a product is worth to a query, before anyone's own taste."""
        return self._worth

    def visit(self, policies: Policy | Mapping[str, Policy], sessions: int, seed: int = 0) -> Visit:
        """Sessions that shop at a policy, or at one of several by name: each shopper always at the same one."""
        requests = self.requests(sessions, seed)
        rng = np.random.default_rng([self.settings.seed, seed, 22])
        named = {"": policies} if isinstance(policies, Policy) else dict(policies)
        arm = rng.integers(0, len(named), int(requests.person.max(initial=0)) + 1)[requests.person]
        parts = []
        for number, policy in enumerate(named.values()):
            mine = requests.rows(arm == number)
            length = self.settings.shown
            parts.append(policy.show(mine.query, mine.day, self.arrives, length, rng))
        order = np.argsort(np.argsort(arm, kind="stable"), kind="stable")
        shown = Shown(
            np.concatenate([part.products for part in parts])[order],
            np.concatenate([part.propensity for part in parts])[order],
        )
        runs = pl.Series([policy.name for policy in named.values()]).gather(arm)
        arms = pl.Series(list(named)).gather(arm) if len(named) > 1 else None
        return self.browse(requests, shown, seed, runs, arms)

    def requests(self, sessions: int, seed: int = 0) -> Requests:
        """Who asks for what and when; the same whatever they will be shown."""
        return draw_requests(
            self.settings,
            self._questions,
            People.draw(max(1, round(sessions / self.settings.sessions_a_shopper)), self.settings.seed),
            self.drift,
            sessions,
            np.random.default_rng([self.settings.seed, seed, 21]),
        )

    def browse(
        self,
        requests: Requests,
        shown: Shown,
        seed: int = 0,
        runs: pl.Series | None = None,
        arms: pl.Series | None = None,
        request_ids: pl.Series | None = None,
    ) -> Visit:
        """Any lists shown to these requests, looked at, clicked and bought from.

        runs, arms, request_ids: names, a request each; where there are no ids, they are made up.
        """
        rng = np.random.default_rng([self.settings.seed, seed, 23])
        worth = self._worth_to(requests, shown)
        span = self.settings.keen - self.settings.noise
        attraction = np.where(shown.filled, self.settings.noise + span * worth**2, 0.0)
        seen, clicked = browse(self.settings, attraction, worth, rng)
        bot = requests.bot[:, None]
        seen = (seen | bot) & shown.filled
        clicked = np.where(bot, shown.filled & (rng.random(seen.shape) < _BOT_CLICKS), clicked)
        ids = self._ids(requests, seed)
        if request_ids is not None:
            ids = ids.with_columns(request_id=request_ids)
        request, place = np.nonzero(clicked)
        cells = (request, place, shown.products[request, place])
        human, at = ~requests.bot[request], requests.at[request]
        deeds = clicks_and_after(self.settings, cells, worth[request, place], human, at, rng)
        listed = self._listed(requests, shown, ids, runs, arms)
        events = Events(shown=listed, actions=self._actions(deeds, ids))
        truth = self._truth(listed, requests, shown, (worth, attraction, seen))
        return Visit(events, truth)

    def _worth_to(self, requests: Requests, shown: Shown) -> FloatArray:
        """(n, k): the query's worth, moved by the shopper's taste where it is not nothing."""
        products = shown.products.clip(min=0)
        base = self._worth[requests.query[:, None], products]
        week = (requests.day // 7).astype(np.int64).clip(max=self.settings.weeks - 1)
        human = requests.person[~requests.bot]
        people = People.draw(int(human.max(initial=0)) + 1, self.settings.seed)
        person = np.where(requests.bot, 0, requests.person)
        liking = people.liking(person, products, self._stock, self.drift.colours[week])
        return np.where(shown.filled & (base > 0), (base + self.settings.taste * liking).clip(0, 1), 0.0)

    def _ids(self, requests: Requests, seed: int) -> pl.DataFrame:
        """The names of each request's request, session and shopper, and when it was asked."""
        world = f"{self.settings.seed}-{seed}"
        number = pl.int_range(len(requests))
        moment = (requests.at * 1e6).astype(np.int64)
        return pl.DataFrame(
            {
                "session": requests.session,
                "shopper": requests.person,
                "shown_at": moment,
                "query": requests.query,
            }
        ).select(
            pl.format("r{}-{}", pl.lit(world), number).alias("request_id"),
            pl.format("s{}-{}", pl.lit(world), "session").alias("session"),
            pl.format("u{}-{}", pl.lit(self.settings.seed), "shopper").alias("shopper"),
            self._moment("shown_at"),
            "query",
        )

    def _moment(self, column: str) -> pl.Expr:
        start = pl.lit(self.settings.starts).cast(pl.Datetime("us"))
        return (start + pl.col(column).cast(pl.Duration("us"))).dt.replace_time_zone("UTC").alias(column)

    def _listed(
        self,
        requests: Requests,
        shown: Shown,
        ids: pl.DataFrame,
        runs: pl.Series | None,
        arms: pl.Series | None,
    ) -> pl.DataFrame:
        request, place = np.nonzero(shown.filled)
        chance = pl.Series(shown.propensity[request, place], nan_to_null=True)
        queries = self.shop.queries
        rows = requests.query[request]
        no_name = pl.Series([None], dtype=pl.String).gather(np.zeros(len(request), dtype=np.int64))
        return pl.DataFrame(
            {
                "request_id": ids["request_id"].gather(request),
                "query_id": queries["query_id"].gather(rows),
                "text": queries["text"].gather(rows),
                "session": ids["session"].gather(request),
                "shopper": ids["shopper"].gather(request),
                "shown_at": ids["shown_at"].gather(request),
                "product_id": self.shop.products["product_id"].gather(shown.products[request, place]),
                "position": pl.Series(place + 1, dtype=pl.Int32),
                "run": no_name if runs is None else runs.gather(request),
                "arm": no_name if arms is None else arms.gather(request),
                "propensity": chance,
            }
        )

    def _actions(self, deeds: list[Deeds], ids: pl.DataFrame) -> pl.DataFrame:
        """In the order in which they became known."""
        request = np.concatenate([one.request for one in deeds])
        product = np.concatenate([one.product for one in deeds])
        action = pl.Series([one.action for one in deeds], dtype=pl.String)
        which = np.repeat(np.arange(len(deeds)), [len(one.at) for one in deeds])
        at, known = (np.concatenate([getattr(one, name) for one in deeds]) for name in ("at", "known"))
        paid = pl.col("action").is_in(["purchase", "return"])
        return (
            pl.DataFrame(
                {
                    "request_id": ids["request_id"].gather(request),
                    "product_id": self.shop.products["product_id"].gather(product),
                    "action": action.gather(which),
                    "acted_at": (at * 1e6).astype(np.int64),
                    "available_at": (known * 1e6).astype(np.int64),
                    "value": self.shop.stock["price"].gather(product),
                    "session": ids["session"].gather(request),
                    "shopper": ids["shopper"].gather(request),
                }
            )
            .with_columns(
                self._moment("acted_at"),
                self._moment("available_at"),
                value=pl.when(paid).then("value"),
            )
            .sort("available_at", "acted_at", "request_id", "product_id")
        )

    def _truth(
        self,
        listed: pl.DataFrame,
        requests: Requests,
        shown: Shown,
        parts: tuple[FloatArray, FloatArray, BoolArray],
    ) -> pl.DataFrame:
        worth, attraction, seen = parts
        request, place = np.nonzero(shown.filled)
        _, click = chances(self.settings, attraction, worth)
        human = ~requests.bot[request]
        return listed.select("request_id", "product_id", "position").with_columns(
            worth=pl.Series(worth[request, place]),
            attraction=pl.Series(attraction[request, place]),
            seen=pl.Series(seen[request, place]),
            click_chance=pl.Series(np.where(human, click[request, place], _BOT_CLICKS)),
            bot=pl.Series(~human),
        )
