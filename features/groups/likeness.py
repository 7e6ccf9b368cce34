"""How alike two products are: by photo, by title, by price and by category, and by all of them together."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from features.encoders import vectors
from features.encoders.cache import EmbeddingCache
from features.encoders.protocol import Encoder
from features.encoders.vectors import RowVectors
from features.errors import InputError

PARTS = ("photo", "text", "price", "category")
# The column that each part of a modality is read from.
_COLUMNS = {"photo": "image", "text": "title"}
_MODALITIES = {"photo": "image", "text": "text"}
_COMPARED = 20_000  # ids that a wrong one is compared with: a fifth of a second


class LikenessWeights(BaseModel):
    """What each part counts for in the mean; a part that either product lacks is left out of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    photo: float = Field(1.0, ge=0)
    text: float = Field(1.0, ge=0)
    price: float = Field(0.25, ge=0)
    category: float = Field(0.5, ge=0)


def product_rows(known: pl.Series, product_ids: Sequence[str]) -> list[int]:
    """The ids' places among those of a catalogue; InputError, with ids near it, for one that is not there."""
    places = dict(zip(known, range(len(known)), strict=True))
    for product_id in product_ids:
        if product_id not in places:
            compared = known
            if len(known) > _COMPARED:  # of very many ids only those that begin alike
                compared = known.filter(known.str.starts_with(product_id[:3])).head(_COMPARED)
            near = difflib.get_close_matches(product_id, compared.to_list(), n=3)
            raise InputError(
                where="command line",
                expected=f"the id of a product of the catalogue, such as {known.first()!r}",
                got=repr(product_id),
                cure=f"near it: {', '.join(near)}" if near else "look the id up in the table of products",
            )
    return [places[product_id] for product_id in product_ids]


class Likeness:
    """Likeness within one catalogue; photos and titles are encoded at the first question, and cached.

    encoders: by role; the first that reads text compares titles, the first that reads photos compares photos.
    A part for which there is no encoder or no column is null throughout.
    """

    def __init__(
        self, products: pl.DataFrame, encoders: Mapping[str, Encoder], cache: EmbeddingCache
    ) -> None:
        self._products, self._cache = products, cache
        self._encoders = {
            part: next((e for e in encoders.values() if modality in e.modalities), None)
            for part, modality in _MODALITIES.items()
        }

    def to(self, product_id: str) -> pl.DataFrame:
        """product_id and PARTS (Float32, null where unknown) of every product beside one, in catalogue order.

        Raises InputError for a product that is not in the catalogue.
        """
        row = self.rows_of([product_id])[0]
        every = np.arange(self._products.height)
        return self._between(np.full(len(every), row), every).select(
            self._products["product_id"], pl.col(PARTS)
        )

    def between(self, product_ids: Sequence[str]) -> pl.DataFrame:
        """a, b and PARTS for each pair of these products, in the order given."""
        rows = np.array(self.rows_of(product_ids))
        first, second = np.triu_indices(len(rows), k=1)
        ids = pl.Series(list(product_ids), dtype=pl.String)
        keys = pl.DataFrame({"a": ids.gather(first), "b": ids.gather(second)})
        return pl.concat([keys, self._between(rows[first], rows[second])], how="horizontal")

    def rows_of(self, product_ids: Sequence[str]) -> list[int]:
        """Their places in the catalogue; InputError for one that is not in it."""
        return product_rows(self._products["product_id"], product_ids)

    def _between(self, left: np.ndarray, right: np.ndarray) -> pl.DataFrame:
        found = {
            "photo": self._cosines("photo", left, right),
            "text": self._cosines("text", left, right),
            "price": _prices_alike(self._column("price", left), self._column("price", right)),
            "category": _categories_alike(self._column("category", left), self._column("category", right)),
        }
        return pl.DataFrame({part: found[part].cast(pl.Float32) for part in PARTS})

    def _column(self, name: str, rows: np.ndarray) -> pl.Series:
        if name not in self._products.columns:
            return pl.Series(name, [None] * len(rows), dtype=pl.Float64 if name == "price" else pl.String)
        return self._products[name].gather(rows)

    def _cosines(self, part: str, left: np.ndarray, right: np.ndarray) -> pl.Series:
        encoder, column = self._encoders[part], _COLUMNS[part]
        if encoder is None or column not in self._products.columns:
            return pl.Series([None] * len(left), dtype=pl.Float32)
        used, places = np.unique(np.concatenate([left, right]), return_inverse=True)
        items = self._products[column].gather(used)
        if part == "text":
            items = items.cast(pl.String)
        made = self._cache.embed(encoder, items, _MODALITIES[part], f"product {column}")
        used_rows = RowVectors(made.vectors, made.rows)
        cosines = vectors.of_pairs(used_rows.take(places[: len(left)]), used_rows.take(places[len(left) :]))
        return pl.Series(cosines, nan_to_null=True)


def overall(parts: pl.DataFrame, weights: LikenessWeights) -> pl.Series:
    """The weighted mean of PARTS, row by row, over the parts that are known; null where none is."""
    weight = weights.model_dump()
    total = pl.sum_horizontal(pl.col(part).fill_null(0) * weight[part] for part in PARTS)
    known = pl.sum_horizontal(pl.col(part).is_not_null() * weight[part] for part in PARTS)
    return parts.select(overall=pl.when(known > 0).then(total / known)).to_series()


def _prices_alike(left: pl.Series, right: pl.Series) -> pl.Series:
    """The lower price over the higher one: 1 for equal prices, ½ for twice the price."""
    prices = pl.DataFrame({"left": left, "right": right})
    ratio = pl.min_horizontal("left", "right") / pl.max_horizontal("left", "right")
    both = pl.col("left").is_not_null() & pl.col("right").is_not_null()
    return prices.select(alike=pl.when(both).then(ratio)).to_series()


def _categories_alike(left: pl.Series, right: pl.Series) -> pl.Series:
    """Levels that two category paths begin with alike, over the levels of the longer: Wu and Palmer's idea."""
    pairs = pl.DataFrame({"left": left, "right": right}).unique()
    alike = [_shared(a, b) for a, b in pairs.iter_rows()]
    scored = pairs.with_columns(alike=pl.Series(alike, dtype=pl.Float64))
    asked = pl.DataFrame({"left": left, "right": right})
    return asked.join(scored, on=["left", "right"], how="left", nulls_equal=True, maintain_order="left")[
        "alike"
    ]


def _shared(left: str | None, right: str | None) -> float | None:
    if left is None or right is None:
        return None
    a, b = ([level.strip() for level in path.split(">")] for path in (left, right))
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return same / max(len(a), len(b))
