"""Since when each product has had its price and its stock."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from features.store import FeatureStore, FeatureView

CHANGING = ("price", "stock")


def view_of(column: str) -> FeatureView:
    return FeatureView(f"catalogue_{column}", keys=("product_id",))


def note_changes(store: FeatureStore, products: pl.DataFrame, moment: datetime) -> int:
    """A row for each product whose value is another than the newest noted before `moment`; how many that were."""
    noted = 0
    for column in CHANGING:
        if column not in products.columns or not products[column].count():
            continue
        now = products.select("product_id", pl.col(column).cast(pl.Float64), at=pl.lit(moment))
        now = now.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))
        view = view_of(column)
        if store.exists(view):
            before = store.as_of(now.select("product_id", "at"), [view])
            now = now.filter(now[column].ne_missing(before[column]))
        noted += now.height
        if now.height:
            store.write(view, now.rename({"at": "available_at"}), mode="upsert")
    return noted
