"""Who is asking: how each candidate compares with what the shopper had met before the query (its column `history`)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import polars as pl

from features.batch import PairBatch
from features.encoders.comparisons import Side
from features.feature_schema import Feature
from features.groups.protocol import Arrays, Group, GroupSettings
from features.index import CatalogueIndex
from features.sources.parsing.histories import HISTORY, split

MOST = 50  # of a history, the newest
_SEEN_BY = {"title": "text", "image": "photo"}
_ALIKE = ("brand", "category")


class HistoryConfig(GroupSettings):
    """There is nothing to set: queries bring their history, and the catalogue its vectors."""


@dataclass(frozen=True, eq=False)
class Met:
    """Histories of q queries: of query i, `rows[starts[i] : starts[i + 1]]`, oldest first.

    rows: (m,) int64, rows of the index; -1 for products that are not in the catalogue, which count as steps only.
    """

    rows: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, histories: pl.Series, product_ids: pl.Series) -> Met:
        """histories: lists of ids, or text "a|b|c"; product_ids: sorted."""
        lists = (
            histories
            if isinstance(histories.dtype, pl.List)
            else split(histories, "queries, column 'history'")[0]
        )
        newest = lists.cast(pl.List(pl.String)).list.drop_nulls().list.tail(MOST)
        starts = np.append(0, newest.list.len().fill_null(0).cast(pl.Int64).cum_sum().to_numpy())
        # Empty lists explode to a null of their own.
        ids = newest.drop_nulls().explode().drop_nulls()
        places = product_ids.search_sorted(ids).to_numpy().astype(np.int64)
        inside = np.minimum(places, max(len(product_ids) - 1, 0))
        known = (
            (product_ids.gather(inside) == ids).to_numpy() if len(ids) and len(product_ids) else places < 0
        )
        return cls(np.where(known, inside, -1), starts)

    def of_query(self, query: int) -> np.ndarray:
        return self.rows[self.starts[query] : self.starts[query + 1]]


class HistoryGroup(Group):
    """Cosines to the products of the history by title and photo, shares of its brand and category, price, recency.

    seen: whether the candidate is in the history; steps_ago: how long ago, 1 for the last. price_gap: log of its price
    over the history's median price. All missing where there is no history, each where what it compares is unknown.
    """

    kind = "history"
    settings: ClassVar[type[HistoryConfig]] = HistoryConfig

    def __init__(self, catalogue: CatalogueIndex, arrays: Arrays) -> None:
        """arrays: of each product, in the order of the index: codes of brand and category (-1: none), log price."""
        self._ids, self._vectors, self._arrays = catalogue.product_ids, catalogue.vectors, arrays
        found: dict[str, Side] = {}
        for side in self._vectors.sides:  # the encoder preferred comes first
            found.setdefault(side.column, side)
        self._sides = {word: found[column] for column, word in _SEEN_BY.items() if column in found}

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: HistoryConfig) -> Self:  # noqa: ARG003 - there are none
        codes = {name: _codes(catalogue.products, name) for name in _ALIKE}
        return cls(catalogue, {**codes, "log_price": _log_prices(catalogue.products)})

    @property
    def features(self) -> tuple[Feature, ...]:
        cosines = [f"{word}_{how}" for word in self._sides for how in ("nearest", "mean")]
        shares = [f"{name}_share" for name in _ALIKE]
        return tuple(
            Feature(f"history.{name}") for name in (*cosines, *shares, "price_gap", "seen", "steps_ago")
        )

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        out[...] = np.nan
        met = batch.queries.once("history", lambda: Met.of(batch.queries.column(HISTORY), self._ids))
        for query in np.flatnonzero(np.diff(met.starts)):
            first, end = batch.starts[query : query + 2]
            history = met.of_query(int(query))
            columns = self._of_list(batch.product_rows[first:end].astype(np.int64), history)
            for place, values in enumerate(columns):
                out[first:end, place] = values

    def _of_list(self, candidates: np.ndarray, history: np.ndarray) -> Iterator[np.ndarray | float]:
        """In the order of the features, (candidates,) each; history: of one query, not empty."""
        there = history[history >= 0]
        for side in self._sides.values():
            yield from self._cosines(side, candidates, there)
        for name in _ALIKE:
            yield _share(self._arrays[name][candidates], self._arrays[name][there])
        prices = self._arrays["log_price"][there]
        known = prices[~np.isnan(prices)]
        yield self._arrays["log_price"][candidates] - (np.median(known) if len(known) else np.nan)
        same = candidates[:, np.newaxis] == history[::-1]
        seen = same.any(axis=1)
        yield seen
        yield np.where(seen, same.argmax(axis=1) + 1, np.nan)

    def _cosines(
        self, side: Side, candidates: np.ndarray, there: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The highest and the mean cosine of each candidate to the history's products that have a vector."""
        vectors = self._vectors.of_products(side)
        ours, theirs = vectors.rows[candidates], vectors.rows[there]
        theirs = theirs[theirs >= 0]
        nearest, mean = np.full((2, len(candidates)), np.nan, dtype=np.float32)
        has = ours >= 0
        if len(theirs) and has.any():
            cosines = np.clip(vectors.vectors[ours[has]] @ vectors.vectors[theirs].T, -1, 1)
            nearest[has], mean[has] = cosines.max(axis=1), cosines.mean(axis=1)
        return nearest, mean

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(self._arrays)

    @classmethod
    def opened(cls, catalogue: CatalogueIndex, settings: HistoryConfig, arrays: Arrays) -> Self:  # noqa: ARG003
        return cls(catalogue, arrays)

    def with_numbers(self, products: pl.DataFrame) -> Self:
        other = copy.copy(self)
        other._arrays = {**self._arrays, "log_price": _log_prices(products)}
        return other


def _codes(products: pl.DataFrame, name: str) -> np.ndarray:
    """(n,) int64, the same for the same text; -1 where it is missing."""
    if name not in products.columns:
        return np.full(products.height, -1)
    text = products[name].cast(pl.String)
    return text.rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()


def _log_prices(products: pl.DataFrame) -> np.ndarray:
    """(n,) float64, NaN where the price is missing or not above 0."""
    if "price" not in products.columns:
        return np.full(products.height, np.nan)
    price = products["price"].cast(pl.Float64)
    return price.set(price <= 0, None).log().fill_null(np.nan).to_numpy()


def _share(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The share of the history's known values that equal each candidate's; NaN where either knows none."""
    known = theirs[theirs >= 0]
    if not len(known):
        return np.full(len(ours), np.nan)
    shares = (ours[:, np.newaxis] == known).mean(axis=1)
    return np.where(ours >= 0, shares, np.nan)
