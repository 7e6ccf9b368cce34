"""What shoppers did with a product, as of the moment a query was asked: rates, popularity, how long its price has held.

The moment is the query's own (`at`): a training row knows what was known then, a request what is known now. A query
without a time gets no value, since any other rule would let the future into training.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import polars as pl

from features.batch import PairBatch, QueryBatch
from features.behaviour.catalogue_changes import CHANGING, view_of
from features.behaviour.counting import LEVELS, MEASURES
from features.behaviour.settings import BehaviourConfig
from features.behaviour.views import COUNTED, read_moment, settled, versions
from features.errors import InputError
from features.feature_schema import Feature
from features.groups.protocol import Arrays, Group
from features.index import CatalogueIndex
from features.sources.events.cleaning import query_key
from features.store import FeatureStore
from features.words.packed_strings import PackedStrings

log = logging.getLogger(__name__)
_SECONDS = 33  # bits of a time: until 2242
_NEVER = -1
_A_DAY = 86_400


@dataclass(frozen=True, eq=False)
class Steps:
    """Values of keys as they changed: places (n,) int64 rising, of a key's number and a time; values (n, k) float32."""

    places: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray, seconds: np.ndarray, values: np.ndarray) -> Steps:
        places = (codes.astype(np.int64) << _SECONDS) | seconds
        order = np.argsort(places, kind="stable")
        return cls(places[order], np.ascontiguousarray(values[order], dtype=np.float32))

    def rows_at(self, codes: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """(n,) the newest row of each key not after its time; -1 for none, and for a key or time below 0."""
        asked = (codes.astype(np.int64) << _SECONDS) | np.maximum(seconds, 0)
        rows = np.searchsorted(self.places, asked, side="right") - 1
        known = (rows >= 0) & (codes >= 0) & (seconds >= 0)
        if len(self.places):
            known &= (self.places[np.maximum(rows, 0)] >> _SECONDS) == codes
        return np.where(known, rows, -1)


class BehaviourGroup(Group):
    """By product, query and product, category and brand: the MEASURES over each window; days that price and stock held.

    Read from the tables that `update_behaviour` wrote, when the index is made or opened. Missing for what nobody has
    met, and for queries without a time.
    """

    kind = "behaviour"
    settings: ClassVar[type[BehaviourConfig]] = BehaviourConfig

    def __init__(
        self, product_ids: pl.Series, of_product: dict[str, pl.Series], settings: BehaviourConfig
    ) -> None:
        """of_product: category and brand of each product, in the order of the index."""
        self._settings, self._of_product = settings, of_product
        self._store = FeatureStore(Path(settings.store))
        self._versions = versions(self._store)
        if not any(view.name in self._versions for view in COUNTED.values()):
            raise InputError(
                where=f"features.behaviour.store ({settings.store})",
                expected="counts of events",
                got="none",
                cure="write them first: python -m ltr.ingest_events, or features.behaviour.update_behaviour",
            )
        self._product_ids, self._count = product_ids, len(product_ids)
        self._codes: dict[str, np.ndarray] = {"product": np.arange(self._count)}
        self._steps: dict[str, Steps] = {}
        self._queries: dict[str, int] = {}
        self._pairs = np.zeros(0, dtype=np.int64)
        self.counted_until = read_moment(self._store, COUNTED["product"], self._versions)
        """The moment up to which events are counted."""
        self._read_levels(product_ids)
        self._held = {column: self._read_changes(column, product_ids) for column in CHANGING}

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: BehaviourConfig) -> Self:
        products = catalogue.products
        of_product = {
            name: products[name].cast(pl.String)
            if name in products.columns
            else pl.repeat(None, len(catalogue), dtype=pl.String, eager=True)
            for name in ("category", "brand")
        }
        return cls(catalogue.product_ids, of_product, settings)

    @property
    def features(self) -> tuple[Feature, ...]:
        counted = [f"{level}_{name}" for level in LEVELS for name in self._measures]
        return tuple(Feature(f"behaviour.{name}") for name in (*counted, *(f"{c}_days" for c in CHANGING)))

    @property
    def _measures(self) -> list[str]:
        return [f"{measure}_{days}d" for days in self._settings.windows for measure in MEASURES]

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        asked_at = batch.queries.once("behaviour.at", lambda: seconds_asked(batch.queries))[batch.query_rows]
        warn_if_stale(asked_at, self.counted_until)
        width = len(self._measures)
        for place, level in enumerate(LEVELS):
            steps = self._steps[level]
            rows = steps.rows_at(self._codes_of(level, batch), asked_at)
            part = out[:, place * width : (place + 1) * width]
            part[...] = steps.values[rows] if len(steps.values) else np.nan
            part[rows < 0] = np.nan
        for place, column in enumerate(CHANGING, start=len(LEVELS) * width):
            steps = self._held[column]
            rows = steps.rows_at(batch.product_rows.astype(np.int64), asked_at)
            since = steps.places[rows] & ((1 << _SECONDS) - 1) if len(steps.places) else asked_at
            out[:, place] = np.where(rows < 0, np.nan, (asked_at - since) / _A_DAY)

    def arrays(self) -> dict[str, np.ndarray]:
        """Category and brand of each product; counts are the store's, which changes while the catalogue does not."""
        found: dict[str, np.ndarray] = {}
        for name, column in self._of_product.items():
            found |= PackedStrings.of(column.fill_null("")).arrays(name)
            found |= {f"{name}.known": column.is_not_null().to_numpy()}
        return found

    @classmethod
    def opened(cls, catalogue: CatalogueIndex, settings: BehaviourConfig, arrays: Arrays) -> Self:
        of_product = {}
        for name in ("category", "brand"):
            known = pl.Series(np.array(arrays[f"{name}.known"]))
            of_product[name] = PackedStrings.from_arrays(arrays, name).series().set(~known, None)
        return cls(catalogue.product_ids, of_product, settings)

    def refreshed(self) -> Self:
        """With the counts of a job that has ended since; while one is writing, as before."""
        found = settled(self._store)
        if found is None or found == self._versions:
            return self
        return type(self)(self._product_ids, self._of_product, self._settings)

    def _read_levels(self, product_ids: pl.Series) -> None:
        for level in LEVELS:
            rows = self._rows_of(level)
            if level == "query":
                codes = self._pair_codes(rows, product_ids)
            elif level == "product":
                codes = codes_of(rows["product_id"], product_ids)
            else:
                names = self._of_product[level].drop_nulls().unique().sort()
                self._codes[level] = codes_of(self._of_product[level], names)
                codes = codes_of(rows[level], names)
            known = codes >= 0
            values = rows.select(self._measures).to_numpy()[known]
            self._steps[level] = Steps.of(codes[known], seconds_known(rows["available_at"])[known], values)

    def _rows_of(self, level: str) -> pl.DataFrame:
        """The level's counts; InputError where they were made over other windows."""
        view = COUNTED[level]
        rows = self._store.read(view, self._versions.get(view.name))
        if missing := [name for name in self._measures if name not in rows.columns]:
            raise InputError(
                where=f"features.behaviour.store ({self._settings.store}), table {view.name}",
                expected=f"a column {missing[0]!r}",
                got=", ".join(rows.columns),
                cure="count again with these windows: python -m ltr.ingest_events",
            )
        return rows

    def _pair_codes(self, rows: pl.DataFrame, product_ids: pl.Series) -> np.ndarray:
        keys = rows["query_key"].unique().sort()
        self._queries = {key: code for code, key in enumerate(keys)}
        product = codes_of(rows["product_id"], product_ids)
        pairs = codes_of(rows["query_key"], keys) * self._count + product
        self._pairs = np.unique(pairs[product >= 0])
        return np.where(product >= 0, np.searchsorted(self._pairs, pairs), -1)

    def _codes_of(self, level: str, batch: PairBatch) -> np.ndarray:
        """(pairs,) int64 the number of each pair's key, -1 where it has none."""
        if level != "query":
            return self._codes[level][batch.product_rows].astype(np.int64)
        keys = batch.queries.once(("behaviour.keys", self), lambda: self._query_codes(batch.queries))
        asked = keys[batch.query_rows]
        pairs = asked * self._count + batch.product_rows
        places = np.searchsorted(self._pairs, pairs)
        known = (asked >= 0) & (places < len(self._pairs))
        if len(self._pairs):
            known &= self._pairs[np.minimum(places, len(self._pairs) - 1)] == pairs
        return np.where(known, places, -1)

    def _query_codes(self, queries: QueryBatch) -> np.ndarray:
        keys = queries.column("text").cast(pl.String).to_frame("text").select(query_key(pl.col("text")))
        return np.array([self._queries.get(key, -1) for key in keys["text"]], dtype=np.int64)

    def _read_changes(self, column: str, product_ids: pl.Series) -> Steps:
        view = view_of(column)
        if view.name not in self._versions:
            return Steps(np.zeros(0, dtype=np.int64), np.zeros((0, 1), dtype=np.float32))
        rows = self._store.read(view, self._versions[view.name])
        codes = codes_of(rows["product_id"], product_ids)
        values = rows.select(pl.col(column).cast(pl.Float32)).to_numpy()
        return Steps.of(
            codes[codes >= 0], seconds_known(rows["available_at"])[codes >= 0], values[codes >= 0]
        )


def codes_of(column: pl.Series, names: pl.Series) -> np.ndarray:
    """(n,) int64 the row in `names` of each value, -1 where it is not there."""
    places = pl.DataFrame({"name": names}).with_row_index("code")
    found = pl.DataFrame({"name": column}).join(places, on="name", how="left", maintain_order="left")
    return found["code"].cast(pl.Int64).fill_null(-1).to_numpy()


def seconds_known(times: pl.Series) -> np.ndarray:
    """(n,) int64 since 1970, rounded up: nothing is known a fraction of a second too early."""
    return -(-times.dt.timestamp("us").to_numpy() // 1_000_000)


def seconds_asked(queries: QueryBatch) -> np.ndarray:
    """(queries,) int64 when each was asked, rounded down; -1 for none."""
    at = queries.column("at")
    if not at.count():
        _warn_once()
        return np.full(len(at), _NEVER, dtype=np.int64)
    return (at.dt.timestamp("us") // 1_000_000).fill_null(_NEVER).to_numpy()


def warn_if_stale(asked_at: np.ndarray, until: datetime) -> None:
    """Say once that a query was asked more than a day after the counts end."""
    if len(asked_at) and asked_at.max() > until.timestamp() + _A_DAY:
        _warn_stale(until)


@cache
def _warn_stale(until: datetime) -> None:
    when = until.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    log.warning(
        "behaviour: events are counted up to %s, and a query was asked later: run ingest_events again", when
    )


@cache
def _warn_once() -> None:
    log.warning("behaviour: queries without a time (column at) know nothing of what shoppers did")
