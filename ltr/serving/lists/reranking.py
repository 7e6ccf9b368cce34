"""Candidates that a shop's own engine found, put into the run's order; with the shop's own feature values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from features.batch import Block, PairBatch, QueryBatch
from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema
from ltr.serving.lists.searching import Asked
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import best_first

Features = Mapping[str, float | str | None]
_MOST = float(np.finfo(np.float32).max)  # of 64 bits: compared as 32 bits, what is larger overflows


@dataclass
class Reranking:
    """Candidates under way. given: by product id, in the shop's order, the features that the shop sends.

    query: what they are candidates of; checked: whether all of them can be scored, so that a request that ran out of
    time may answer them as they came.
    """

    given: Mapping[str, Features]
    query: QueryBatch | None = None
    checked: bool = False

    def as_given(self) -> list[dict[str, Any]]:
        """In the shop's own order, without a score."""
        return [
            {"position": place, "product_id": product, "score": None}
            for place, product in enumerate(self.given, start=1)
        ]


def rerank(live: LiveRun, asked: Asked, under_way: Reranking) -> list[dict[str, Any]]:
    """position, product_id, score of each candidate, best first, ties by product_id.

    Features that the shop does not send are made here; of a product that the catalogue does not have they are
    missing. Raises InputError for such a product without features, and for a value that the run's feature does not
    take.
    """
    given = under_way.given
    ids = pl.Series("product_id", sorted(given))
    rows = _rows(ids, live.builder.catalogue.product_ids)
    _check_known(live, ids, rows >= 0, given)
    own = _own_values(live.builder.schema, ids, given)
    under_way.checked = True
    query = under_way.query = live.query(asked.text, asked.photo, asked.list_id)
    block = _block(live, query, rows)
    for row, place, value in own:
        block.matrix[row, place] = value
    scores = live.run.score_dataset(live.run.list_dataset(query, ids, block), query.frame, live.builder)
    order = best_first(np.arange(len(ids)), scores)
    return [
        {"position": place, "product_id": ids[row], "score": float(scores[row])}
        for place, row in enumerate(order.tolist(), start=1)
    ]


def _rows(ids: pl.Series, product_ids: pl.Series) -> np.ndarray:
    """(n,) row in the catalogue of each of the rising ids, -1 for none; by halving: a request joins no million ids."""
    if not len(product_ids):
        return np.full(len(ids), -1)
    places = np.minimum(product_ids.search_sorted(ids).to_numpy(), len(product_ids) - 1)
    found = (product_ids.gather(places) == ids).to_numpy()
    return np.where(found, places.astype(np.int64), -1)


def _check_known(live: LiveRun, ids: pl.Series, known: np.ndarray, given: Mapping[str, Features]) -> None:
    unknown = ids.filter(pl.Series(~known)).to_list()
    if live.run.config.embeddings is None:
        unknown = [product for product in unknown if not given[product]]
    if unknown:
        raise InputError(
            where="candidates",
            expected="products of the catalogue, or features beside the id",
            got=f"{len(unknown)} unknown, such as {unknown[0]!r}",
            cure="send their features, or leave them out",
        )


def _block(live: LiveRun, query: QueryBatch, rows: np.ndarray) -> Block:
    """Features of the known products as one list; the others', of row -1, are missing."""
    known = rows >= 0
    made = live.builder.block(PairBatch.of_one(query, rows[known]))
    if known.all():
        return made
    whole = Block.empty(made.features, len(rows))
    whole.matrix[known] = made.matrix
    return whole


def _own_values(
    schema: FeatureSchema, ids: pl.Series, given: Mapping[str, Features]
) -> list[tuple[int, int, float]]:
    """Row, column, value of each feature that the shop sends."""
    places = {feature.name: (place, feature) for place, feature in enumerate(schema.features)}
    found = []
    for row, product in enumerate(ids):
        for name, value in given[product].items():
            where = f"candidates.{product}.features.{name}"
            if name not in places:
                few = ", ".join(list(places)[:5])
                raise InputError(
                    where=where,
                    expected="a feature of the run",
                    got=repr(name),
                    cure=f"send some of {few}, …",
                )
            place, feature = places[name]
            found.append((row, place, _number(feature, value, where)))
    return found


def _number(feature: Feature, value: float | str | None, where: str) -> float:
    """NaN for none, and for a category that training did not see."""
    if value is None:
        return float("nan")
    if feature.kind == "numeric":
        if isinstance(value, str) or abs(value) > _MOST:
            raise InputError(where=where, expected="a 32-bit number", got=repr(value), cure="send a number")
        return float(value)
    if not isinstance(value, str):
        raise InputError(where=where, expected="the category's text", got=repr(value), cure="send a text")
    return float(feature.categories.index(value)) if value in feature.categories else float("nan")
