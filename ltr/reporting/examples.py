"""Queries to look at in a report: most improved over the baseline, most harmed, and a random sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ltr.reporting.clips import Clip, Clips
from ltr.reporting.query_gains import query_text
from ltr.reporting.thumbnails import thumbnail

PER_KIND = 3
SHOWN = 8
_ROOM = 500_000  # characters for clips to play: beside the tables and photos the page stays below 5 MB

Reasons = Mapping[tuple[str, str], Sequence[tuple[str, float]]]
"""By query and product: the leading modalities with their signed share, as from `reasons_for`."""


@dataclass(frozen=True)
class Item:
    """A product as the report shows it, at `place` of one list; elsewhere: its place in the other list.

    photo: a data URI or empty; reasons: what the model has for or against it.
    """

    product_id: str
    title: str
    brand: str
    price: str
    grade: float
    photo: str
    place: int
    elsewhere: int
    reasons: Sequence[tuple[str, float]]
    clips: Sequence[Clip]

    @property
    def climbed(self) -> int:
        """Places above (below, if negative) that of the other list."""
        return self.elsewhere - self.place

    @property
    def only_here(self) -> bool:
        return self.elsewhere > SHOWN


@dataclass(frozen=True)
class Choice:
    """A query to show: why, against which baseline, and the headline metric of that baseline and of the model."""

    why: str
    query_id: str
    baseline: str
    before: float
    after: float


@dataclass(frozen=True)
class Example:
    """One query with the first products of the baseline's and of the model's list, out of `candidates`."""

    choice: Choice
    text: str
    photo: str
    candidates: int
    baseline: list[Item]
    model: list[Item]
    clips: Sequence[Clip]


def choose_queries(gains: pl.DataFrame) -> list[Choice]:
    """Queries where the model gained most, lost most, and a random sample; none twice.

    gains: as from `query_gains`.
    """
    gains = gains.sort("gain", "query_id")
    middle = gains.slice(PER_KIND, max(gains.height - 2 * PER_KIND, 0))
    shown = {
        "most improved": gains.filter(pl.col("gain") > 0).tail(PER_KIND).reverse(),
        "most harmed": gains.filter(pl.col("gain") < 0).head(PER_KIND),
        "random sample": middle.sample(min(PER_KIND, middle.height), seed=0),
    }
    columns = ("query_id", "baseline", "before", "after")
    chosen = [Choice(why, *row) for why, part in shown.items() for row in part.select(columns).rows()]
    return list({choice.query_id: choice for choice in reversed(chosen)}.values())[::-1]


def build_examples(
    chosen: Sequence[Choice],
    pairs: pl.DataFrame,
    scores: Mapping[str, np.ndarray],
    model: str,
    shop: tuple[pl.DataFrame, pl.DataFrame],
    reasons: Reasons,
) -> list[Example]:
    """The chosen queries with both lists; `scores` (n,) by system are aligned with `pairs`.

    shop: its queries and its products.
    """
    asked, products = shop
    ids = [choice.query_id for choice in chosen]
    queries = {r["query_id"]: r for r in asked.filter(pl.col("query_id").is_in(ids)).iter_rows(named=True)}
    examples, clips = [], Clips(_ROOM)
    for choice in chosen:
        query = queries[choice.query_id]
        mine = (pairs["query_id"] == choice.query_id).to_numpy()
        before, after = (_ranked(pairs, scores[name], mine) for name in (choice.baseline, model))
        examples.append(
            Example(
                choice,
                query_text(query),
                thumbnail(query.get("image")),
                before.height,
                _items(before, after, products, reasons, clips),
                _items(after, before, products, reasons, clips),
                clips.of(query),
            )
        )
    return examples


def _ranked(pairs: pl.DataFrame, scores: np.ndarray, rows: np.ndarray) -> pl.DataFrame:
    """query_id, product_id, grade, place by these scores; ties as in the metrics, by product_id."""
    scored = pairs.filter(rows).select("query_id", "product_id", "grade")
    ranked = scored.with_columns(score=pl.Series(scores[rows])).sort(
        "score", "product_id", descending=[True, False]
    )
    return ranked.drop("score").with_row_index("place", offset=1)


def _items(
    ranked: pl.DataFrame, other: pl.DataFrame, products: pl.DataFrame, reasons: Reasons, clips: Clips
) -> list[Item]:
    places = other.select("product_id", elsewhere="place")
    shown = ranked.head(SHOWN).join(places, on="product_id", how="left", maintain_order="left")
    joined = shown.join(products, on="product_id", how="left", maintain_order="left")
    return [
        Item(
            row["product_id"],
            row.get("title") or row["product_id"],
            row.get("brand") or "",
            "" if row.get("price") is None else f"{row['price']:,.2f}",
            row["grade"],
            thumbnail(row.get("image")),
            row["place"],
            row["elsewhere"],
            reasons.get((row["query_id"], row["product_id"]), ()),
            clips.of(row),
        )
        for row in joined.iter_rows(named=True)
    ]
