"""What is shown: any scores, with or without exploration, and its exact propensities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from ltr.demo.shop import DemoShop
from ltr.demo.shoppers.people import BoolArray, FloatArray, IntArray

Exploration = Literal["none", "swap", "shuffle", "random"]
_CHUNK = 20_000  # requests at once


@dataclass(frozen=True)
class Shown:
    """products: (n, k) rows of the catalogue, -1 where a list is shorter.

    propensity: (n, k) chance that this product stood at this place, given the request; NaN where not known.
    """

    products: IntArray
    propensity: FloatArray

    @property
    def filled(self) -> BoolArray:
        return self.products >= 0


@dataclass(frozen=True)
class Policy:
    """Shows the products of highest score that are in stock; equal scores in the order of the catalogue.

    scores: (queries, products) of the shop; NaN or -inf: not retrieved. exploration, on a `share` of the lists:
    swap: one adjacent pair, each as likely, changes places; shuffle: all places anew; random: any candidates at all.
    """

    scores: FloatArray
    name: str = "policy"
    exploration: Exploration = "none"
    share: float = 1.0
    candidates: int = 200
    _order: IntArray = field(init=False, repr=False)
    _found: IntArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share in [0, 1], got {self.share}")
        lost = np.where(np.isnan(self.scores), -np.inf, self.scores)
        order = np.argsort(-lost, axis=1, kind="stable")[:, : self.candidates]
        object.__setattr__(self, "_order", order.astype(np.int64))
        object.__setattr__(self, "_found", (np.take_along_axis(lost, order, axis=1) > -np.inf).sum(axis=1))

    @classmethod
    def of(cls, shop: DemoShop, ranker: Callable[[str], pl.DataFrame], name: str, **more: object) -> Policy:
        """From a ranker: query_id → its candidates with `product_id` and `score`; others are not retrieved."""
        place = {product: row for row, product in enumerate(shop.products["product_id"])}
        scores = np.full((shop.queries.height, shop.products.height), np.nan)
        for row, query_id in enumerate(shop.queries["query_id"]):
            found = ranker(query_id)
            rows = [place[product] for product in found["product_id"]]
            scores[row, rows] = found["score"].to_numpy()
        return cls(scores, name, **more)  # type: ignore[arg-type]

    def show(
        self, query: IntArray, day: FloatArray, arrives: FloatArray, length: int, rng: np.random.Generator
    ) -> Shown:
        """Lists of `length` for each request (n,): its query and its day; arrives: (products,) days."""
        parts = [
            self._some(query[start : start + _CHUNK], day[start : start + _CHUNK], arrives, length, rng)
            for start in range(0, max(1, len(query)), _CHUNK)
        ]
        return Shown(
            np.concatenate([part.products for part in parts]),
            np.concatenate([part.propensity for part in parts]),
        )

    def _some(
        self, query: IntArray, day: FloatArray, arrives: FloatArray, length: int, rng: np.random.Generator
    ) -> Shown:
        order = self._order[query]
        there = (np.arange(order.shape[1]) < self._found[query][:, None]) & (arrives[order] <= day[:, None])
        products = _first(order, there, length)
        count = (products >= 0).sum(axis=1)
        explored = (rng.random(len(query)) < self.share) & (count > 1)
        if self.exploration == "random":
            return self._random(order, there, products, explored, rng)
        if self.exploration == "none" or not self.share:
            return Shown(products, np.where(products >= 0, 1.0, np.nan))
        swaps, own = self.exploration == "swap", np.arange(length)
        moved = _swapped(count, length, rng) if swaps else _shuffled(count, length, rng)
        places = np.where(explored[:, None], moved, own)
        shown, many = np.take_along_axis(products, places, axis=1), count[:, None]
        moved_chance = _swap_chance(places, many) if swaps else 1.0 / np.maximum(many, 1)
        chance = self.share * moved_chance + (1 - self.share) * (places == own)
        return Shown(shown, np.where(shown >= 0, np.where(many > 1, chance, 1.0), np.nan))

    def _random(
        self,
        order: IntArray,
        there: BoolArray,
        products: IntArray,
        explored: BoolArray,
        rng: np.random.Generator,
    ) -> Shown:
        length = products.shape[1]
        lots = np.where(there, rng.random(order.shape), 2.0)
        mixed = np.argsort(lots, axis=1)
        drawn = _first(
            np.take_along_axis(order, mixed, axis=1), np.take_along_axis(there, mixed, axis=1), length
        )
        shown = np.where(explored[:, None], drawn, products)
        alone = (there.sum(axis=1) <= 1)[:, None]
        chance = self.share / np.maximum(there.sum(axis=1), 1)[:, None] + (1 - self.share) * (
            shown == products
        )
        return Shown(shown, np.where(shown >= 0, np.where(alone, 1.0, chance), np.nan))


def _first(order: IntArray, there: BoolArray, length: int) -> IntArray:
    """(n, length): the first of each row that are there, in their order; -1 where there are fewer."""
    place = np.cumsum(there, axis=1)
    rows, columns = np.nonzero(there & (place <= length))
    products = np.full((len(order), length), -1, dtype=np.int64)
    products[rows, place[rows, columns] - 1] = order[rows, columns]
    return products


def _shuffled(count: IntArray, length: int, rng: np.random.Generator) -> IntArray:
    """(n, length): which own place now stands here; the empty places at the end stay."""
    own = np.arange(length)
    lots = np.where(own < count[:, None], rng.random((len(count), length)), 1.0 + own)
    return np.argsort(lots, axis=1)


def _swapped(count: IntArray, length: int, rng: np.random.Generator) -> IntArray:
    places = np.broadcast_to(np.arange(length), (len(count), length)).copy()
    upper = (rng.random(len(count)) * np.maximum(count - 1, 1)).astype(np.int64)
    rows = np.flatnonzero(count > 1)
    places[rows, upper[rows]], places[rows, upper[rows] + 1] = upper[rows] + 1, upper[rows]
    return places


def _swap_chance(places: IntArray, count: IntArray) -> FloatArray:
    """Of count - 1 pairs, the ends are in one, the others in two."""
    own = np.arange(places.shape[1])
    pairs = np.maximum(count - 1, 1)
    touching = (places > 0).astype(float) + (places < count - 1)
    return np.asarray(np.where(places == own, 1 - touching / pairs, 1 / pairs))
