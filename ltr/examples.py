"""Queries to look at in a report: most improved over the baseline, most harmed, and a few by chance."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.images import ImageError, decode, read_bytes
from features.load import Collection
from ltr.measurement import ALL, Measurement, segments

PER_KIND = 3
SHOWN = 8
THUMBNAIL = (96, 96)  # pixels; keeps a report of 9 queries far under 5 MB


@dataclass(frozen=True)
class Item:
    """A product as the report shows it; photo is a data URI or empty."""

    title: str
    brand: str
    price: str
    grade: float
    photo: str


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
    """One query with the first products of the baseline's and of the model's list."""

    choice: Choice
    text: str
    photo: str
    baseline: list[Item]
    model: list[Item]


def choose_queries(measured: Measurement, baselines: Sequence[str]) -> list[Choice]:
    """Queries where the model gained most, lost most, and a few by chance; none twice.

    Each against the best of `baselines` for queries of its kind: BM25 says nothing of a photo.
    """
    parts = segments(measured.per_query)
    if len(parts) > 1:
        parts.pop(ALL)
    gains = pl.concat(_gains(part, measured, baselines) for part in parts.values()).sort("gain", "query_id")
    middle = gains.slice(PER_KIND, max(gains.height - 2 * PER_KIND, 0))
    shown = {
        "most improved": gains.filter(pl.col("gain") > 0).tail(PER_KIND).reverse(),
        "most harmed": gains.filter(pl.col("gain") < 0).head(PER_KIND),
        "by chance": middle.sample(min(PER_KIND, middle.height), seed=0),
    }
    chosen = [Choice(why, *row) for why, part in shown.items() for row in part.drop("gain").rows()]
    return list({choice.query_id: choice for choice in reversed(chosen)}.values())[::-1]


def _gains(part: pl.DataFrame, measured: Measurement, baselines: Sequence[str]) -> pl.DataFrame:
    """query_id, baseline, before, after, gain of the queries of one segment."""
    metric = pl.col(measured.headline)
    plain = part.filter(pl.col("system").is_in(baselines))
    means = plain.group_by("system", maintain_order=True).agg(metric.mean()).sort(metric, descending=True)
    best = means["system"][0]
    before = part.filter(system=best).select(
        "query_id", pl.lit(best).alias("baseline"), metric.alias("before")
    )
    after = part.filter(system=measured.model).select("query_id", metric.alias("after"))
    both = before.join(after, on="query_id").drop_nulls()
    return both.with_columns(gain=pl.col("after") - pl.col("before"))


def build_examples(
    chosen: Sequence[Choice],
    pairs: pl.DataFrame,
    scores: Mapping[str, np.ndarray],
    model: str,
    collection: Collection,
) -> list[Example]:
    """The chosen queries with both lists; `scores` (n,) by system are aligned with `pairs`."""
    queries = {row["query_id"]: row for row in collection.queries.iter_rows(named=True)} if chosen else {}
    examples = []
    for choice in chosen:
        query = queries[choice.query_id]
        mine = (pairs["query_id"] == choice.query_id).to_numpy()
        ranked = [_ranked(pairs, scores[name], mine) for name in (choice.baseline, model)]
        examples.append(
            Example(
                choice,
                query.get("text") or "",
                thumbnail(query.get("image")),
                *(_items(rows, collection.products) for rows in ranked),
            )
        )
    return examples


def _ranked(pairs: pl.DataFrame, scores: np.ndarray, rows: np.ndarray) -> pl.DataFrame:
    """The first products of one query by these scores; ties as in the metrics, by product_id."""
    scored = pairs.filter(rows).select("product_id", "grade").with_columns(score=pl.Series(scores[rows]))
    return scored.sort("score", "product_id", descending=[True, False]).head(SHOWN)


def _items(ranked: pl.DataFrame, products: pl.DataFrame) -> list[Item]:
    joined = ranked.join(products, on="product_id", how="left", maintain_order="left")
    return [
        Item(
            row.get("title") or row["product_id"],
            row.get("brand") or "",
            "" if row.get("price") is None else f"{row['price']:,.2f}",
            row["grade"],
            thumbnail(row.get("image")),
        )
        for row in joined.iter_rows(named=True)
    ]


def thumbnail(image: bytes | str | None, size: tuple[int, int] = THUMBNAIL) -> str:
    """A photo as a JPEG data URI, within `size` pixels; empty where there is none that can be read."""
    if image is None:
        return ""
    try:
        picture = decode(read_bytes(image))
    except ImageError:
        return ""
    picture.thumbnail(size)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
