"""Hidden taste, and who comes when and asks for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ltr.demo.photos import COLOURS
from ltr.demo.shop import DemoShop
from ltr.demo.shoppers.settings import ShopperSettings
from ltr.demo.words import BRANDS, KINDS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

DAY = 86_400.0  # seconds
BOT_REQUESTS = 80  # mean of a bot's session
_SAME_KIND = 0.7  # of a session's next query
_GAP, _BOT_GAP = 45.0, 5.0  # mean seconds between two queries of a session


@dataclass(frozen=True)
class Requests:
    """Who asks for what, in the order of time, n requests.

    person, session: numbers from 0. query: rows of the shop's queries. at: seconds after the first day's
    midnight. bot: whether no human asks.
    """

    person: IntArray
    session: IntArray
    query: IntArray
    at: FloatArray
    bot: BoolArray

    def __len__(self) -> int:
        return len(self.query)

    @property
    def day(self) -> FloatArray:
        return self.at / DAY

    def rows(self, which: NDArray[np.intp] | BoolArray | slice) -> Requests:
        return Requests(
            self.person[which], self.session[which], self.query[which], self.at[which], self.bot[which]
        )


@dataclass(frozen=True)
class Stock:
    """The hidden attributes as numbers: places in KINDS, COLOURS and BRANDS, and the price for its kind (log)."""

    kind: IntArray
    colour: IntArray
    brand: IntArray
    dearness: FloatArray

    @classmethod
    def of(cls, stock: pl.DataFrame) -> Stock:
        usual = np.array([KINDS[kind].price for kind in stock["kind"]])
        return cls(
            _places(stock["kind"], KINDS),
            _places(stock["colour"], COLOURS),
            _places(stock["brand"], BRANDS),
            np.log(stock["price"].to_numpy() / usual),
        )


@dataclass(frozen=True)
class People:
    """Taste of p people. kinds: (p, kinds) log weights; colours, brands: in [-1, 1]; dearness: wished price (log)."""

    kinds: FloatArray
    colours: FloatArray
    brands: FloatArray
    dearness: FloatArray

    @classmethod
    def draw(cls, count: int, seed: int) -> People:
        """The first `count` of the seed's people: more begin with the same ones."""
        kinds, colours, brands, price = (np.random.default_rng([seed, 14, part]) for part in range(4))
        return cls(
            kinds.normal(0, 1.0, (count, len(KINDS))),
            colours.uniform(-1, 1, (count, len(COLOURS))),
            brands.uniform(-1, 1, (count, len(BRANDS))),
            price.normal(0, 0.35, count),
        )

    def liking(self, person: IntArray, products: IntArray, stock: Stock, fashion: FloatArray) -> FloatArray:
        """(n, k) in [-1, 1] of the products (n, k) for each person (n,); fashion: (n, colours) is added."""
        who = person[:, None]
        colour = self.colours[who, stock.colour[products]]
        colour = colour + np.take_along_axis(fashion, stock.colour[products], axis=1)
        price = 1 - np.abs(stock.dearness[products] - self.dearness[who]) / 0.4
        brand = self.brands[who, stock.brand[products]]
        parts = 0.4 * colour.clip(-1, 1) + 0.3 * brand + 0.3 * price.clip(-1, 1)
        return np.asarray(parts)


@dataclass(frozen=True)
class Drift:
    """What each week adds: to how much a kind is asked for (weeks, kinds), to a colour's charm (weeks, colours)."""

    kinds: FloatArray
    colours: FloatArray

    @classmethod
    def draw(cls, settings: ShopperSettings, rng: np.random.Generator) -> Drift:
        def walk(names: int) -> FloatArray:
            steps = rng.normal(0, settings.drift, (settings.weeks, names))
            steps[0] = 0
            return np.cumsum(steps, axis=0)

        return cls(walk(len(KINDS)), walk(len(COLOURS)))


class Questions:
    """Queries by kind, some far more popular than others (Zipf); kinds that nothing is asked of are never chosen."""

    def __init__(self, shop: DemoShop, rng: np.random.Generator) -> None:
        kinds = _places(shop.wishes["kind"], KINDS)
        popularity = 1.0 / (1 + rng.permutation(len(kinds)))
        self._order = np.argsort(kinds, kind="stable")
        weight = popularity[self._order]
        self._cumulative = np.cumsum(weight)
        ends = np.searchsorted(kinds[self._order], np.arange(len(KINDS)), side="right")
        starts = np.searchsorted(kinds[self._order], np.arange(len(KINDS)), side="left")
        bounds = np.concatenate(([0.0], self._cumulative))
        self._low, self._high = bounds[starts], bounds[ends]
        with np.errstate(divide="ignore"):
            self.log_weight: FloatArray = np.log(self._high - self._low)

    def draw(self, kind: IntArray, rng: np.random.Generator) -> IntArray:
        """A query of each kind (n,), by popularity."""
        spot = self._low[kind] + rng.random(len(kind)) * (self._high - self._low)[kind]
        place = np.searchsorted(self._cumulative, spot, side="right").clip(max=len(self._order) - 1)
        return self._order[place].astype(np.int64)


def draw_requests(
    settings: ShopperSettings,
    questions: Questions,
    people: People,
    drift: Drift,
    sessions: int,
    rng: np.random.Generator,
) -> Requests:
    """Sessions of one kind of thing mostly, each of one person, at the hours people are awake."""
    bot = rng.random(sessions) < settings.bots
    count = len(people.kinds)
    who = np.where(bot, count + np.arange(sessions), rng.integers(0, count, sessions))
    start = (rng.integers(0, settings.weeks * 7, sessions) + rng.triangular(6, 19, 24, sessions) / 24) * DAY
    length = 1 + rng.poisson(np.where(bot, BOT_REQUESTS - 1, settings.queries_a_session - 1))
    session = np.repeat(np.arange(sessions), length)
    first = np.cumsum(length) - length
    place = np.arange(len(session)) - np.repeat(first, length)
    gaps = rng.exponential(np.where(bot, _BOT_GAP, _GAP)[session])
    total = np.cumsum(gaps)
    at = np.repeat(start, length) + (total - np.repeat(total[first], length))
    week = (start / DAY // 7).astype(np.int64)
    wish = people.kinds[who % count] + drift.kinds[week] + questions.log_weight
    kind = np.repeat(_by_lot(wish, rng), length)
    fresh = (place > 0) & (rng.random(len(session)) > _SAME_KIND)
    kind[fresh] = _by_lot(wish[session[fresh]], rng)
    query = questions.draw(kind, rng)
    found = Requests(who[session], session, query, at, bot[session])
    return found.rows(np.argsort(at, kind="stable"))


def _by_lot(log_weights: FloatArray, rng: np.random.Generator) -> IntArray:
    """A column for each row, with chances ∝ exp of its values (Gumbel's trick)."""
    return np.argmax(log_weights + rng.gumbel(size=log_weights.shape), axis=1).astype(np.int64)


def _places(names: pl.Series, table: Mapping[str, object]) -> IntArray:
    place = {name: number for number, name in enumerate(table)}
    return np.array([place[name] for name in names], dtype=np.int64)
