"""What a product's own columns say: price, discount, brand, category, rating, age, what is missing.

Statistics (frequencies, standing of a price in its category, the newest listing) come from the
catalogue at hand, never from grades or events, so they hold no answer to leak.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import polars as pl
import polars.selectors as cs
from pydantic import Field

from features.batch import PairBatch, has_values, list_starts
from features.encoders.catalogue_vectors import CatalogueVectors
from features.encoders.comparisons import Comparison
from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema
from features.groups.protocol import Arrays, Group, GroupSettings
from features.groups.standings import rank_share, z_score
from features.index import CatalogueIndex
from features.media.columns import file_columns
from features.sources.schema import Products
from features.words.packed_strings import PackedStrings

OTHER = "(other)"
_FLAGGED = ("price", "image", "description", "brand", "rating")
_LEVELS = ("category", "category_top")
_SECONDS_A_DAY = 86_400
_PRICE, _LOG_PRICE = "structured.price", "structured.log_price"


class StructuredConfig(GroupSettings):
    """Extra columns of the catalogue that become features, and how categories are handled."""

    numeric: tuple[str, ...] | None = Field(
        default=None, description="extra numeric columns, each made `extra.NAME`; null: all there are"
    )
    categorical: tuple[str, ...] | None = Field(
        default=None,
        description="columns made native categoricals `extra.NAME`; brand and category_top may be among them; "
        "null: all extra text columns",
    )
    max_categories: int = Field(
        default=254,
        ge=1,
        description="the most frequent values keep a code; the rest share one (boosters bin by 255)",
    )
    category_neighbours: int = Field(
        default=20, ge=1, description="products nearest the query whose categories vote for the query's own"
    )


@dataclass(frozen=True, eq=False)
class _Category:
    """A text column of the products: its distinct values, sorted, and each product's row in them, -1 for none."""

    values: PackedStrings
    rows: np.ndarray

    @classmethod
    def of(cls, column: pl.Series) -> _Category:
        values = column.drop_nulls().unique().sort()
        rows = column.cast(pl.Enum(values)).to_physical().cast(pl.Int64).fill_null(-1)
        return cls(PackedStrings.of(values), rows.to_numpy())

    def most_frequent(self, most: int) -> tuple[str, ...]:
        """Values that keep a code, sorted, and `(other)` last where some had to be left out; ties by value."""
        counts = np.bincount(self.rows[self.rows >= 0], minlength=len(self.values))
        ranked = np.argsort(-counts, kind="stable")
        kept = [self.values[row].decode() for row in np.sort(ranked[:most])]
        return (*kept, OTHER) if len(kept) < len(self.values) else tuple(kept)

    def codes(self, categories: tuple[str, ...]) -> np.ndarray:
        """(values + 1,) float32: the code of each value, `(other)`'s where there is such, else NaN; NaN for none."""
        places = {value: code for code, value in enumerate(categories)}
        rest = places.get(OTHER, np.nan)
        found = [places.get(self.values[row].decode(), rest) for row in range(len(self.values))]
        return np.array([*found, np.nan], dtype=np.float32)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        return self.values.arrays(f"{name}.values") | {f"{name}.rows": self.rows}

    @classmethod
    def from_arrays(cls, arrays: Arrays, name: str) -> _Category:
        return cls(PackedStrings.from_arrays(arrays, f"{name}.values"), arrays[f"{name}.rows"])


@dataclass(frozen=True, eq=False)
class _Columns:
    """What is read of the products.

    own: by feature, (n,) float64; flags of all that can be missing among them; categories: by column;
    levels: (n,) rows of the category and of its top level, -1 for none; none at all without categories.
    """

    own: Mapping[str, np.ndarray]
    categories: Mapping[str, _Category]
    levels: Mapping[str, np.ndarray]
    shown: frozenset[str]  # features of `own` that this catalogue makes by itself

    @classmethod
    def read(cls, products: pl.DataFrame, settings: StructuredConfig) -> _Columns:
        settings = _with_extras(products, settings)
        if "category" in products.columns:
            top = pl.col("category").cast(pl.String).str.split(">").list.first().str.strip_chars()
            products = products.with_columns(category_top=top)
        _check_extra(products, settings)
        filled = {name for name in products.columns if has_values(products, name)}
        levels = {}
        if "category" in filled:
            levels = {name: _Category.of(products[name].cast(pl.String)).rows for name in _LEVELS}
        own = dict(_own_features(products, filled, levels))
        extra = {f"extra.{name}": products[name] for name in settings.numeric or () if name in filled}
        own |= {name: column.cast(pl.Float64).to_numpy() for name, column in extra.items()}
        categories = {
            name: _Category.of(products[name].cast(pl.String)) for name in settings.categorical or ()
        }
        hidden = {name for name in _FLAGGED if name not in filled or not products[name].null_count()}
        shown = frozenset(own) - {f"structured.missing_{name}" for name in hidden}
        return cls(own, categories, levels, shown)

    def arrays(self) -> dict[str, np.ndarray]:
        found = {f"own.{name}": values for name, values in self.own.items()}
        for name, category in self.categories.items():
            found |= category.arrays(f"categories.{name}")
        found |= {f"levels.{name}": rows for name, rows in self.levels.items()}
        for what, names in (
            ("own", self.own),
            ("categories", self.categories),
            ("shown", sorted(self.shown)),
        ):
            found |= PackedStrings.of(pl.Series(list(names), dtype=pl.String)).arrays(f"names.{what}")
        return found

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> _Columns:
        own, categories, shown = (
            PackedStrings.from_arrays(arrays, f"names.{what}").series().to_list()
            for what in ("own", "categories", "shown")
        )
        return cls(
            {name: arrays[f"own.{name}"] for name in own},
            {name: _Category.from_arrays(arrays, f"categories.{name}") for name in categories},
            {name: arrays[f"levels.{name}"] for name in _LEVELS if f"levels.{name}" in arrays},
            frozenset(shown),
        )


class StructuredGroup(Group):
    """Features of the products' own columns; a column without any value makes no feature.

    The products nearest the query, by title (text) and by what else it has (image), vote on its category, and
    each product gets its category's share of the votes, as a feature of that modality's name.
    """

    kind = "structured"
    settings: ClassVar[type[StructuredConfig]] = StructuredConfig

    def __init__(self, vectors: CatalogueVectors, settings: StructuredConfig, columns: _Columns) -> None:
        self._vectors, self._settings, self._columns = vectors, settings, columns
        self._voting = list(vectors.searched.values()) if columns.levels else []
        self._schema: FeatureSchema | None = None
        self._lay_out()

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: StructuredConfig) -> Self:
        return cls(catalogue.vectors, settings, _Columns.read(catalogue.products, settings))

    @property
    def features(self) -> tuple[Feature, ...]:
        return self._features

    @property
    def vocabularies(self) -> dict[str, tuple[str, ...]]:
        """By categorical feature, its values in the order of their codes."""
        return {f.name: f.categories for f in self._features if f.kind == "categorical"}

    def for_schema(self, schema: FeatureSchema) -> Self:
        """With the run's categories and codes, and flags of what the run knew to be missing at times."""
        other = copy.copy(self)
        other._schema = schema
        other._lay_out()
        return other

    def with_numbers(self, products: pl.DataFrame) -> Self:
        other = copy.copy(self)
        other._columns = _Columns.read(products, self._settings)
        other._lay_out()
        return other

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        for column, values in enumerate(self._values(batch)):
            out[:, column] = values

    def _values(self, batch: PairBatch) -> Iterator[np.ndarray]:
        """In the order of the features."""
        products = batch.product_rows
        for name in self._own:
            yield self._columns.own[name][products]
        if _PRICE in self._own:
            yield rank_share(self._columns.own[_PRICE][products], batch.starts, batch.among)
            yield z_score(self._columns.own[_LOG_PRICE][products], batch.starts, batch.among)
        for name in self._extra:
            yield self._columns.own[name][products]
        for name, codes in self._codes.items():
            yield codes[self._columns.categories[name].rows[products]]
        for by in self._voting:
            yield from self._agreement(by, batch)

    def _agreement(self, by: Comparison, batch: PairBatch) -> Iterator[np.ndarray]:
        """The share of the query's neighbours in the product's category, and in its top level.

        Neighbours without a category have no vote; missing where none votes or the product has none.
        """
        near = self._vectors.nearest(batch.queries, by, self._settings.category_neighbours)
        voting = self._columns.levels["category"][near.items] >= 0
        queries, items = near.queries[voting], near.items[voting]
        cast = np.bincount(queries, minlength=len(batch.queries))[batch.query_rows]
        for rows in self._columns.levels.values():
            width = int(rows.max()) + 1
            votes, won = np.unique(queries * width + rows[items], return_counts=True)
            theirs = rows[batch.product_rows]
            asked = batch.query_rows * np.int64(width) + theirs
            place = np.minimum(np.searchsorted(votes, asked), max(len(votes) - 1, 0))
            some = votes[place] == asked if len(votes) else np.zeros(len(batch), dtype=bool)
            share = np.where(some, won[place] if len(votes) else 0, 0) / np.where(cast > 0, cast, np.nan)
            yield np.where(theirs >= 0, share, np.nan)

    def _lay_out(self) -> None:
        """Which features there are: the catalogue's own, or those that a run knows of it."""
        columns, schema = self._columns, self._schema
        known = columns.shown | set(schema.names if schema else ())
        self._own = [name for name in columns.own if name.startswith("structured.") and name in known]
        self._extra = [name for name in columns.own if name.startswith("extra.")]
        if schema is None:
            frequent = {
                n: c.most_frequent(self._settings.max_categories) for n, c in columns.categories.items()
            }
            chosen = {f"extra.{name}": values for name, values in frequent.items() if values}
        else:
            chosen = {f.name: f.categories for f in schema.features if f.kind == "categorical"}
        self._codes, categorical = {}, []
        for name, categories in chosen.items():
            column = name.removeprefix("extra.")
            if column in columns.categories:
                self._codes[column] = columns.categories[column].codes(categories)
                categorical.append(Feature(name, "categorical", categories))
        standings = ["structured.price_rank", "structured.log_price_z"] if _PRICE in self._own else []
        votes = [f"{by.group}.{level}_agreement" for by in self._voting for level in _LEVELS]
        self._features = (
            *(Feature(name) for name in (*self._own, *standings, *self._extra)),
            *categorical,
            *(Feature(name) for name in votes),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        return self._columns.arrays()

    @classmethod
    def opened(cls, catalogue: CatalogueIndex, settings: StructuredConfig, arrays: Arrays) -> Self:
        return cls(catalogue.vectors, settings, _Columns.from_arrays(arrays))


def _own_features(
    products: pl.DataFrame, filled: Collection[str], levels: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    """The features that hang on the product alone, of the columns that have any value, (n,) float64 each.

    Flags come of all columns that there are, for a run that knew some of them to be missing at times.
    """
    for name, (needed, values) in _formulas(levels.get("category")).items():
        if needed <= set(filled):
            yield f"structured.{name}", values(products)
    for name in _FLAGGED:
        if name in products.columns:
            yield f"structured.missing_{name}", products[name].is_null().to_numpy().astype(np.float64)


def _formulas(
    category: np.ndarray | None,
) -> dict[str, tuple[set[str], Callable[[pl.DataFrame], np.ndarray]]]:
    """By feature: the columns it needs, and its value for each product of the catalogue."""
    price, list_price, log_price = pl.col("price"), pl.col("list_price"), pl.col("price").log1p()
    age = pl.col("listed_at").max() - pl.col("listed_at")  # by the catalogue's clock: today's would drift
    discount = pl.when(list_price > 0).then((1 - price / list_price).clip(lower_bound=0))
    return {
        "price": ({"price"}, _column(price)),
        "log_price": ({"price"}, _column(log_price)),
        "discount": ({"price", "list_price"}, _column(discount)),
        "price_rank_in_category": ({"price", "category"}, _among_peers(rank_share, price, category)),
        "log_price_z_in_category": ({"price", "category"}, _among_peers(z_score, log_price, category)),
        "brand_frequency": ({"brand"}, _column(_log_frequency("brand"))),
        "category_frequency": ({"category"}, _column(_log_frequency("category"))),
        "rating": ({"rating"}, _column(pl.col("rating"))),
        "rating_count": ({"rating_count"}, _column(pl.col("rating_count").log1p())),
        "age_days": ({"listed_at"}, _column(age.dt.total_seconds(fractional=True) / _SECONDS_A_DAY)),
    }


def _column(values: pl.Expr) -> Callable[[pl.DataFrame], np.ndarray]:
    return lambda products: products.select(values.cast(pl.Float64)).to_series().to_numpy()


def _log_frequency(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null()).then(pl.len().over(name).log())


def _among_peers(
    standing: Callable[[np.ndarray, np.ndarray], np.ndarray], values: pl.Expr, category: np.ndarray | None
) -> Callable[[pl.DataFrame], np.ndarray]:
    """Within the leaf category; products without one have no peers, though they share a null."""

    def stand(products: pl.DataFrame) -> np.ndarray:
        rows = np.zeros(products.height, dtype=np.int64) if category is None else category
        order = np.argsort(rows, kind="stable")
        found = np.empty(products.height)
        found[order] = standing(_column(values)(products)[order], list_starts(rows[order]))
        found[rows < 0] = np.nan
        return found

    return stand


def _with_extras(products: pl.DataFrame, settings: StructuredConfig) -> StructuredConfig:
    """The settings with their columns named: where they name none, every column that is not canonical."""
    known = [*pl.Schema(Products), *file_columns(products.columns)]
    extra = products.drop(known, strict=False)
    found = {"numeric": extra.select(cs.numeric()).columns, "categorical": extra.select(cs.string()).columns}
    unset = {kind: tuple(names) for kind, names in found.items() if getattr(settings, kind) is None}
    return settings.model_copy(update=unset)


def _check_extra(products: pl.DataFrame, settings: StructuredConfig) -> None:
    for name in (*(settings.numeric or ()), *(settings.categorical or ())):
        if name not in products.columns:
            raise InputError(
                where="features.structured",
                expected="columns of the catalogue",
                got=f"{name!r}, which it lacks",
                cure=f"name it under data.products or leave it out; there are {', '.join(products.columns)}",
            )
    for name in settings.numeric or ():
        if not products[name].dtype.is_numeric():
            raise InputError(
                where="features.structured.numeric",
                expected="numeric columns",
                got=f"{name!r} of type {products[name].dtype}",
                cure="name it under `categorical`, or have it read as a number",
            )
