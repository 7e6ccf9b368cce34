"""What a product's own columns say: price, discount, brand, category, rating, age, what is missing.

Statistics (frequencies, standing of a price in its category, the newest listing) come from the
catalogue at hand, never from grades or events, so they hold no answer to leak.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import polars as pl
import polars.selectors as cs
from pydantic import BaseModel, ConfigDict, Field

from features.errors import InputError
from features.groups.pair_rows import rows_of
from features.groups.standings import rank_share, rank_within, z_score, z_within
from features.media.columns import file_columns
from features.sources.schema import Products

Nearest = Callable[[pl.DataFrame, int], pl.DataFrame]
"""(queries, n) → query_id, product_id of the products nearest each query: `SimilarityIndex.searches`."""

OTHER = "(other)"
_FLAGGED = ("price", "image", "description", "brand", "rating")
_LEVELS = ("category", "category_top")
_SECONDS_A_DAY = 86_400


class StructuredConfig(BaseModel):
    """Extra columns of the catalogue that become features, and how categories are handled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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


class StructuredIndex:
    """Features of one catalogue's own columns; a column without any value makes no feature.

    nearest: by feature group (text, image), a search for the query's nearest products by that
    modality: they vote on its category, and each product gets its category's share of the votes, as
    a feature of that group. It searches, and so encodes, the whole catalogue.
    vocabularies: those of the run being scored, so that codes mean what the model learnt; the
    categorical features are then exactly these.
    columns: feature names of the run being scored; exactly these structured and extra ones are
    made, all null where this catalogue has nothing for them.
    """

    def __init__(
        self,
        products: pl.DataFrame,
        config: StructuredConfig,
        nearest: Mapping[str, Nearest] | None = None,
        vocabularies: Mapping[str, tuple[str, ...]] | None = None,
        columns: Collection[str] | None = None,
    ) -> None:
        config = _with_extras(products, config)
        products = _with_top_level(products)
        _check_extra(products, config)
        filled = _filled(products)
        has_category = "category" in filled
        self._config = config
        self._nearest = dict(nearest or {}) if has_category else {}
        self._columns = columns
        self.vocabularies = (
            dict(vocabularies) if vocabularies is not None else _vocabularies(products, config)
        )
        self._table = products.select(
            "product_id",
            *(_LEVELS if has_category else ()),
            *_own_features(products, columns or ()),
            *(pl.col(name).alias(f"extra.{name}") for name in config.numeric or () if name in filled),
            *_coded(products, self.vocabularies),
        )

    def features(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
        """Row-aligned with `pairs`: Float32, or Enum for categoricals; null where unknown.

        Raises InputError for pairs of unknown products.
        """
        rows = rows_of(pairs["product_id"], self._table)
        frame = self._table[rows].with_columns(pairs["query_id"])
        if "structured.price" in frame.columns:
            frame = frame.with_columns(rank_within("structured.price"), z_within("structured.log_price"))
        asked = queries.join(pairs, on="query_id", how="semi")
        votes = [
            c for group, search in self._nearest.items() for c in self._agreement(group, search, asked, frame)
        ]
        found = frame.select(cs.starts_with("structured."), cs.starts_with("extra.")).with_columns(votes)
        return self._conformed(found.with_columns(cs.numeric().cast(pl.Float32)))

    def _agreement(
        self, group: str, search: Nearest, queries: pl.DataFrame, frame: pl.DataFrame
    ) -> list[pl.Series]:
        """The share of the query's neighbours in the product's category, and in its top level.

        Neighbours without a category have no vote; null where none votes or the product has none.
        """
        near = search(queries, self._config.category_neighbours).select("query_id", "product_id")
        votes = near.join(self._table.select("product_id", *_LEVELS), on="product_id").drop_nulls("category")
        cast = frame.join(
            votes.group_by("query_id").agg(cast=pl.len()), on="query_id", how="left", maintain_order="left"
        )["cast"]
        return [
            _votes_for(level, frame, votes, cast).alias(f"{group}.{level}_agreement") for level in _LEVELS
        ]

    def _conformed(self, found: pl.DataFrame) -> pl.DataFrame:
        if self._columns is None:
            return found
        wanted = [
            name
            for name in self._columns
            if name.startswith(("structured.", "extra.")) or name in found.columns
        ]
        absent = [
            pl.lit(None, pl.Enum(self.vocabularies[name]) if name in self.vocabularies else pl.Float32).alias(
                name
            )
            for name in wanted
            if name not in found.columns
        ]
        return found.with_columns(absent).select(wanted)


def _votes_for(level: str, frame: pl.DataFrame, votes: pl.DataFrame, cast: pl.Series) -> pl.Series:
    won = votes.group_by("query_id", level).agg(won=pl.len())
    found = frame.join(won, on=["query_id", level], how="left", maintain_order="left").with_columns(cast)
    share = pl.when(pl.col(level).is_not_null()).then(pl.col("won").fill_null(0) / pl.col("cast"))
    return found.select(share.cast(pl.Float32)).to_series()


def _own_features(products: pl.DataFrame, columns: Collection[str]) -> Iterator[pl.Expr]:
    """The features that hang on the product alone, of the columns that have any value."""
    filled = _filled(products)
    for name, (needed, values) in _formulas().items():
        if needed <= filled:
            yield values.alias(f"structured.{name}")
    for name in _FLAGGED:
        flag = f"structured.missing_{name}"
        some_missing = name in filled and products[name].null_count() > 0
        if some_missing or (flag in columns and name in products.columns):
            yield pl.col(name).is_null().cast(pl.Float32).alias(flag)


def _formulas() -> dict[str, tuple[set[str], pl.Expr]]:
    """By feature: the columns it needs, and its value for each product of the catalogue."""
    price, list_price = pl.col("price"), pl.col("list_price")
    age = pl.col("listed_at").max() - pl.col("listed_at")  # by the catalogue's clock: today's would drift
    return {
        "price": ({"price"}, price),
        "log_price": ({"price"}, price.log1p()),
        "discount": (
            {"price", "list_price"},
            pl.when(list_price > 0).then((1 - price / list_price).clip(lower_bound=0)),
        ),
        "price_rank_in_category": ({"price", "category"}, _among_peers(rank_share(price))),
        "log_price_z_in_category": ({"price", "category"}, _among_peers(z_score(price.log1p()))),
        "brand_frequency": ({"brand"}, _log_frequency("brand")),
        "category_frequency": ({"category"}, _log_frequency("category")),
        "rating": ({"rating"}, pl.col("rating")),
        "rating_count": ({"rating_count"}, pl.col("rating_count").log1p()),
        "age_days": ({"listed_at"}, age.dt.total_seconds(fractional=True) / _SECONDS_A_DAY),
    }


def _log_frequency(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null()).then(pl.len().over(name).log())


def _among_peers(standing: pl.Expr) -> pl.Expr:
    """Within the leaf category; products without one have no peers, though they share a null."""
    return pl.when(pl.col("category").is_not_null()).then(standing.over("category"))


def _filled(products: pl.DataFrame) -> set[str]:
    return {column.name for column in products if column.null_count() < len(column)}


def _with_top_level(products: pl.DataFrame) -> pl.DataFrame:
    if "category" not in products.columns:
        return products
    top = pl.col("category").cast(pl.String).str.split(">").list.first().str.strip_chars()
    return products.with_columns(category_top=top)


def _with_extras(products: pl.DataFrame, config: StructuredConfig) -> StructuredConfig:
    """The config with its columns named: where it names none, every column that is not canonical."""
    known = [*pl.Schema(Products), *file_columns(products.columns)]
    extra = products.drop(known, strict=False)
    found = {"numeric": extra.select(cs.numeric()).columns, "categorical": extra.select(cs.string()).columns}
    unset = {kind: tuple(names) for kind, names in found.items() if getattr(config, kind) is None}
    return config.model_copy(update=unset)


def _vocabularies(products: pl.DataFrame, config: StructuredConfig) -> dict[str, tuple[str, ...]]:
    """By feature: the most frequent values, sorted, and `(other)` last where some had to be left out."""
    found = {}
    for name in config.categorical or ():
        counts = products[name].cast(pl.String).drop_nulls().value_counts(name="count")
        ranked = counts.sort("count", name, descending=[True, False])[name].to_list()
        kept = sorted(ranked[: config.max_categories])
        if kept:
            found[f"extra.{name}"] = (*kept, OTHER) if len(kept) < len(ranked) else tuple(kept)
    return found


def _coded(products: pl.DataFrame, vocabularies: Mapping[str, tuple[str, ...]]) -> Iterator[pl.Expr]:
    for feature, values in vocabularies.items():
        if feature.removeprefix("extra.") in products.columns:
            yield _codes(feature, values)


def _codes(feature: str, values: tuple[str, ...]) -> pl.Expr:
    """The column as an Enum; a value without a code is `(other)` where there is such, else null."""
    column = pl.col(feature.removeprefix("extra.")).cast(pl.String)
    codes = column.cast(pl.Enum(values), strict=False)
    if OTHER in values:
        codes = pl.when(column.is_not_null()).then(codes.fill_null(OTHER))
    return codes.alias(feature)


def _check_extra(products: pl.DataFrame, config: StructuredConfig) -> None:
    for name in (*(config.numeric or ()), *(config.categorical or ())):
        if name not in products.columns:
            raise InputError(
                where="features.structured",
                expected="columns of the catalogue",
                got=f"{name!r}, which it lacks",
                cure=f"name it under data.products or leave it out; there are {', '.join(products.columns)}",
            )
    for name in config.numeric or ():
        if not products[name].dtype.is_numeric():
            raise InputError(
                where="features.structured.numeric",
                expected="numeric columns",
                got=f"{name!r} of type {products[name].dtype}",
                cure="name it under `categorical`, or have it read as a number",
            )
