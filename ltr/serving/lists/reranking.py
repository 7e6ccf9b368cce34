"""Candidates that a shop's own engine found, put into the run's order; with the shop's own feature values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from features.batch import Block, PairBatch, QueryBatch
from features.errors import InputError
from features.feature_schema import Feature
from ltr.serving.lists.searching import Asked
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import best_first

Features = Mapping[str, float | str | None]


def rerank(live: LiveRun, asked: Asked, given: Mapping[str, Features]) -> list[dict[str, Any]]:
    """position, product_id, score of each candidate, best first, ties by product_id.

    given: by product id the features that the shop sends; the others are made here, of a product that the catalogue
    does not have they are missing. Raises InputError for such a product without features, and for a value that the
    run's feature does not take.
    """
    ids = pl.Series("product_id", sorted(given))
    known = ids.is_in(live.builder.catalogue.product_ids.implode()).to_numpy()
    bare = [product for product, there in zip(ids, known, strict=True) if not there and not given[product]]
    if bare or (live.run.config.embeddings is not None and not known.all()):
        unknown = bare or [product for product, there in zip(ids, known, strict=True) if not there]
        raise InputError(
            where="candidates",
            expected="products of the catalogue, or features beside the id",
            got=f"{len(unknown)} unknown, such as {unknown[0]!r}",
            cure="send their features, or leave them out",
        )
    query = live.query(asked.text, asked.photo, asked.list_id)
    block = _block(live, query, ids, known)
    _lay_over(block, ids, given)
    scores = live.run.score_dataset(live.run.list_dataset(query, ids, block), query.frame, live.builder)
    order = best_first(np.arange(len(ids)), scores)
    return [
        {"position": place, "product_id": ids[row], "score": float(scores[row])}
        for place, row in enumerate(order.tolist(), start=1)
    ]


def _block(live: LiveRun, query: QueryBatch, ids: pl.Series, known: np.ndarray) -> Block:
    """Features of the known products as one list; the others' are missing."""
    rows = live.builder.catalogue.rows_of(ids.filter(pl.Series(known)))
    made = live.builder.block(PairBatch.of_one(query, rows))
    if known.all():
        return made
    whole = Block.empty(made.features, len(ids))
    whole.matrix[known] = made.matrix
    return whole


def _lay_over(block: Block, ids: pl.Series, given: Mapping[str, Features]) -> None:
    """The shop's own values in place of those made here."""
    places = {feature.name: (place, feature) for place, feature in enumerate(block.features)}
    for row, product in enumerate(ids):
        for name, value in given[product].items():
            if name not in places:
                raise InputError(
                    where=f"candidates.{product}.features.{name}",
                    expected="a feature of the run",
                    got=repr(name),
                    cure=f"send some of {', '.join(list(places)[:5])}, …",
                )
            place, feature = places[name]
            block.matrix[row, place] = _number(feature, value, f"candidates.{product}.features.{name}")


def _number(feature: Feature, value: float | str | None, where: str) -> float:
    """NaN for none, and for a category that training did not see."""
    if value is None:
        return float("nan")
    if feature.kind == "numeric":
        if isinstance(value, str) or abs(value) > np.finfo(np.float32).max:
            raise InputError(where=where, expected="a 32-bit number", got=repr(value), cure="send a number")
        return float(value)
    if not isinstance(value, str):
        raise InputError(where=where, expected="the category's text", got=repr(value), cure="send a text")
    return float(feature.categories.index(value)) if value in feature.categories else float("nan")
