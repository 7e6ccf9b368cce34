"""The catalogue as shoppers see it: a product's card, filters as masks, facets with counts, orders by a column.

Everything is made of the index's own products once, as arrays; a request copies nothing of the catalogue.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, model_validator

from features.errors import InputError
from features.media.columns import file_columns

CARD = ("product_id", "title", "brand", "category", "price", "list_price", "rating", "rating_count")
LEVEL = " > "  # between the levels of a category path
SORTS = ("relevance", "price", "-price", "newest")
_FACETS = ("brand", "category")
_FACET_MOST = 200  # distinct values that a further column may have to be counted in the answer
_SHOWN_VALUES = 50


class Range(BaseModel):
    """From `min` to `max`, both included; what has no value is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min not above max")
        if self.min is None and self.max is None:
            raise ValueError("min, max or both")
        return self


Filter = tuple[str, ...] | Range


@dataclass(frozen=True)
class _Words:
    """A text column as codes, (n,) int32 into `values`, -1 where missing."""

    codes: np.ndarray
    values: list[str]

    @classmethod
    def of(cls, column: pl.Series) -> _Words:
        values = column.unique().drop_nulls().sort()
        codes = column.cast(pl.Enum(values)).to_physical().cast(pl.Int32).fill_null(-1)
        return cls(codes.to_numpy(), values.to_list())

    def mask(self, chosen: Sequence[str], *, path: bool) -> np.ndarray:
        """Rows of one of the chosen values; path: or of one below it."""
        wanted = set(chosen)
        kept = [
            code
            for code, value in enumerate(self.values)
            if value in wanted or (path and any(value.startswith(f"{one}{LEVEL}") for one in wanted))
        ]
        among = np.zeros(len(self.values) + 1, dtype=bool)  # the last place is that of -1
        among[kept] = True
        return among[self.codes]

    def has(self, value: str, *, path: bool) -> bool:
        """Whether any row has it; path: or one below it."""
        place = bisect_left(self.values, value)
        found = self.values[place : place + 1] == [value]
        below = f"{value}{LEVEL}"
        place = bisect_left(self.values, below)
        return found or (path and any(one.startswith(below) for one in self.values[place : place + 1]))

    def counts(self, rows: np.ndarray) -> list[tuple[str, int]]:
        """How often each value stands in these rows, the most frequent first."""
        codes = self.codes[rows]
        found, counts = np.unique(codes[codes >= 0], return_counts=True)
        order = np.argsort(-counts, kind="stable")[:_SHOWN_VALUES]
        return [
            (self.values[code], count)
            for code, count in zip(found[order], counts[order].tolist(), strict=True)
        ]


class ShownCatalogue:
    """products: of an index, in its order."""

    def __init__(self, products: pl.DataFrame) -> None:
        self.products = products
        cards = products.select(name for name in CARD if name in products.columns)
        self._cards = cards.with_columns(  # a number that JSON does not have is left out
            column.set(~column.is_finite(), None) for column in cards if column.dtype.is_float()
        )
        files = {*file_columns(products.columns), "product_id"}
        kinds = {name: dtype for name, dtype in products.schema.items() if name not in files}
        self._text = [name for name, dtype in kinds.items() if dtype == pl.String]
        self._numbers = {
            name: products[name].cast(pl.Float64).to_numpy()
            for name, dtype in kinds.items()
            if dtype.is_numeric() or dtype == pl.Boolean
        }
        self._words: dict[str, _Words] = {}
        long = ("title", "description")
        self.facet_columns = [
            name
            for name in self._text
            if name not in long and (name in _FACETS or products[name].n_unique() <= _FACET_MOST)
        ]
        listed = products["listed_at"] if "listed_at" in products.columns else None
        self._listed = None if listed is None else listed.dt.epoch("us").cast(pl.Float64).to_numpy()
        self.masks = lru_cache(maxsize=16)(self._mask)

    @property
    def columns(self) -> list[str]:
        """Those that a filter may name."""
        return [*self._text, *self._numbers]

    def row_of(self, product_id: str, where: str = "product id") -> int:
        """InputError for an id that the catalogue does not have."""
        ids = self.products["product_id"]
        place = int(ids.search_sorted(product_id))
        if place < len(ids) and ids[place] == product_id:
            return place
        near = ids.slice(max(place - 1, 0), 3).to_list()
        raise InputError(
            where=where,
            expected="the id of a product in the catalogue",
            got=repr(product_id),
            cure=f"near it: {', '.join(near)}",
        )

    def unknown(self, product_ids: Sequence[str]) -> list[str]:
        """Ids that no product has, each once."""
        ids = self.products["product_id"]
        places = zip(product_ids, ids.search_sorted(pl.Series(product_ids, dtype=pl.String)), strict=True)
        absent = (one for one, place in places if place == len(ids) or ids[place] != one)
        return list(dict.fromkeys(absent))

    def unmet(self, filters: Mapping[str, Filter]) -> dict[str, list[str]]:
        """By the filter's place in a request, the values that no product has."""
        absent = {
            f"filters.{name}": [
                one for one in wanted if not self._words_of(name).has(one, path=name == "category")
            ]
            for name, wanted in filters.items()
            if not isinstance(wanted, Range)
        }
        return {place: values for place, values in absent.items() if values}

    def cards(self, rows: list[int]) -> list[dict[str, Any]]:
        """What a list shows of these products."""
        names = self._cards.columns
        # Row by row: a frame's gather waits for polars' threads, longer than a page of rows takes.
        return [dict(zip(names, self._cards.row(row), strict=True)) for row in rows]

    def details(self, row: int) -> dict[str, Any]:
        """All that the catalogue says of a product but its files."""
        names = [name for name in self.products.columns if name not in file_columns(self.products.columns)]
        return {name: _plain(self.products[name][row]) for name in names}

    def check(self, filters: Mapping[str, Filter]) -> None:
        """Raise InputError for a filter of a column that is not there, or is of another kind."""
        for name, wanted in filters.items():
            if name not in self.columns:
                raise InputError(
                    where=f"filters.{name}",
                    expected=f"a column of the catalogue: {', '.join(self.columns)}",
                    got=repr(name),
                    cure="name one of these",
                )
            number = name in self._numbers
            if number != isinstance(wanted, Range):
                raise InputError(
                    where=f"filters.{name}",
                    expected="{min, max}, since it holds numbers" if number else "a list of values",
                    got="a list of values" if number else "{min, max}, and it holds texts",
                    cure="write the filter in that form",
                )

    def within(self, filters: Mapping[str, Filter]) -> np.ndarray | None:
        """(products,) bool: which keep to all filters; None where there is none."""
        if not filters:
            return None
        kept: np.ndarray = self.masks(tuple(sorted(filters.items())))
        return kept

    def _mask(self, filters: tuple[tuple[str, Filter], ...]) -> np.ndarray:
        kept = np.ones(self.products.height, dtype=bool)
        for name, wanted in filters:
            if isinstance(wanted, Range):
                values = self._numbers[name]
                low = -np.inf if wanted.min is None else wanted.min
                high = np.inf if wanted.max is None else wanted.max
                kept &= (values >= low) & (values <= high)
            else:
                kept &= self._words_of(name).mask(wanted, path=name == "category")
        return kept

    def _words_of(self, name: str) -> _Words:
        if name not in self._words:
            self._words[name] = _Words.of(self.products[name])
        return self._words[name]

    def facet(self, name: str, rows: np.ndarray) -> list[dict[str, Any]]:
        """value, count of a column among these rows; of category paths each level counts its products too."""
        counted = self._words_of(name).counts(rows)
        if name == "category":
            counted = _with_levels(counted)
        return [{"value": value, "count": count} for value, count in counted]

    def price_range(self, rows: np.ndarray) -> dict[str, float] | None:
        """The lowest and highest price among these rows; None where none has one."""
        prices = self._numbers.get("price")
        known = np.zeros(0) if prices is None else prices[rows][~np.isnan(prices[rows])]
        return {"min": float(known.min()), "max": float(known.max())} if len(known) else None

    def sorted_by(self, sort: str, rows: np.ndarray) -> np.ndarray:
        """These rows by price or date; those without one last, ties in the order given."""
        values = self._listed if sort == "newest" else self._numbers.get("price")
        if values is None:
            column = "listed_at" if sort == "newest" else "price"
            raise InputError(
                where="sort",
                expected="a column of the catalogue",
                got=f"{sort!r}, and there is no {column}",
                cure="sort by relevance",
            )
        keys = values[rows] if sort == "price" else -values[rows]
        return rows[np.argsort(keys, kind="stable")]  # NaN goes last


def _with_levels(counted: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    sums: dict[str, int] = {}
    for path, count in counted:
        levels = path.split(LEVEL)
        for depth in range(1, len(levels) + 1):
            level = LEVEL.join(levels[:depth])
            sums[level] = sums.get(level, 0) + count
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def _plain(value: Any) -> Any:
    """As JSON takes it."""
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
