"""Queries to look at in a report: most improved over the baseline, most harmed, and a few by chance."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.images import ImageError, decode, read_bytes

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
class Example:
    """One query with the first products of the baseline's and of the model's list."""

    why: str
    query_id: str
    text: str
    photo: str
    before: float
    after: float
    baseline: list[Item]
    model: list[Item]


def choose_queries(
    per_query: pl.DataFrame, model: str, baseline: str, metric: str
) -> list[tuple[str, str, float, float]]:
    """(why, query_id, baseline's value, model's value): no query twice."""
    wide = (
        per_query.filter(pl.col("system").is_in([model, baseline]))
        .pivot("system", index="query_id", values=metric)
        .drop_nulls()
        .with_columns(gain=pl.col(model) - pl.col(baseline))
        .sort("gain", "query_id")
    )
    middle = wide.slice(PER_KIND, max(wide.height - 2 * PER_KIND, 0))
    parts = {
        "most improved": wide.filter(pl.col("gain") > 0).tail(PER_KIND).reverse(),
        "most harmed": wide.filter(pl.col("gain") < 0).head(PER_KIND),
        "by chance": middle.sample(min(PER_KIND, middle.height), seed=0),
    }
    seen: set[str] = set()
    chosen = []
    for why, part in parts.items():
        for row in part.iter_rows(named=True):
            if row["query_id"] not in seen:
                seen.add(row["query_id"])
                chosen.append((why, row["query_id"], row[baseline], row[model]))
    return chosen


def build_examples(
    chosen: list[tuple[str, str, float, float]],
    pairs: pl.DataFrame,
    scores: dict[str, np.ndarray],
    queries: pl.DataFrame,
    products: pl.DataFrame,
) -> list[Example]:
    """`pairs` (query_id, product_id, grade) with `scores` = {"baseline": (n,), "model": (n,)}."""
    ids = [query_id for _, query_id, _, _ in chosen]
    scored = pairs.select("query_id", "product_id", "grade").with_columns(
        **{k: pl.Series(v) for k, v in scores.items()}
    )
    shown = scored.filter(pl.col("query_id").is_in(ids))
    facts = queries.filter(pl.col("query_id").is_in(ids))
    examples = []
    for why, query_id, before, after in chosen:
        query = facts.filter(pl.col("query_id") == query_id).row(0, named=True)
        rows = shown.filter(pl.col("query_id") == query_id)
        lists = {
            name: rows.sort([name, "product_id"], descending=[True, False]).head(SHOWN)
            for name in ("baseline", "model")
        }
        examples.append(
            Example(
                why,
                query_id,
                query.get("text") or "",
                thumbnail(query.get("image")),
                before,
                after,
                _items(lists["baseline"], products),
                _items(lists["model"], products),
            )
        )
    return examples


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


def thumbnail(image: bytes | str | None) -> str:
    """A photo as a small JPEG data URI; empty where there is none that can be read."""
    if image is None:
        return ""
    try:
        picture = decode(read_bytes(image))
    except ImageError:
        return ""
    picture.thumbnail(THUMBNAIL)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
