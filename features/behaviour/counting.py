"""Clean events → counts over windows, as of each midnight: a day's own events tell it nothing.

What could be known on a day counts from the next midnight (UTC) on, and until its window has passed. There is no
other way to count: whoever joins these rows as of any time of a day gets what was known when that day began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from features.behaviour.settings import BehaviourConfig
from features.sources.events.bots import person
from features.sources.events.cleaning import query_key
from features.sources.events.event_log import Events

KINDS = ("shown", "clicks", "carts", "purchases")
MEASURES = ("click_rate", "cart_rate", "purchase_rate", "popularity", "purchases")
LEVELS: Mapping[str, tuple[str, ...]] = {
    "product": ("product_id",),
    "query": ("query_key", "product_id"),
    "category": ("category",),
    "brand": ("brand",),
}
_OF_ACTIONS = {"click": "clicks", "cart": "carts", "purchase": "purchases", "return": "purchases"}


def happened(events: Events, products: pl.DataFrame, config: BehaviourConfig) -> pl.DataFrame:
    """One row an event that counts: product_id, query_key, category, brand, who, at (the midnight), and the KINDS.

    Of one person `most_a_day` of a kind on a product count; who has no id is somebody else in each list.
    """
    texts = events.shown.select("request_id", query_key=query_key(pl.col("text"))).unique("request_id")
    absent = [pl.lit(None).alias(name) for name in ("category", "brand") if name not in products.columns]
    about = products.with_columns(absent).select("product_id", pl.col("category", "brand").cast(pl.String))
    shown = events.shown.select(
        "request_id", "product_id", person(), known="shown_at", kind=pl.lit("shown"), count=pl.lit(1)
    )
    acted = events.actions.filter(pl.col("action").is_in(list(_OF_ACTIONS))).select(
        "request_id",
        "product_id",
        person(),
        known="available_at",
        kind=pl.col("action").replace_strict(_OF_ACTIONS),
        count=pl.when(pl.col("action") == "return").then(-1).otherwise(1),
    )
    rows = pl.concat([shown, acted]).with_columns(
        at=pl.col("known").dt.truncate("1d") + pl.duration(days=1),
        who=pl.coalesce("person", "request_id"),
    )
    place = pl.int_range(pl.len()).over("who", "product_id", "kind", "at", "count", order_by="known")
    bounded = rows.filter(pl.col("who").is_null() | (place < config.most_a_day))
    bounded = bounded.join(texts, on="request_id", how="left").join(about, on="product_id", how="left")
    counts = (pl.when(pl.col("kind") == kind).then("count").otherwise(0).alias(kind) for kind in KINDS)
    return bounded.select("product_id", "query_key", "category", "brand", "person", "at", *counts)


def counted(rows: pl.DataFrame, level: str, config: BehaviourConfig, moment: datetime) -> pl.DataFrame:
    """The level's keys, available_at, and for each window W the MEASURES (`click_rate_Wd`), as they changed.

    rows: as `happened` gives them. Up to `moment`, and never a row of the time after it. A rate is missing where
    nothing was shown; the prior that smooths it is the rate of all products together at that midnight.
    """
    keys = LEVELS[level]
    own = _changes(rows.drop_nulls(keys), keys, config.windows, moment)
    if level == "query":
        # From the midnight at which so many people were known to have asked the query.
        asked = (
            rows.drop_nulls(["query_key", "person"]).group_by("query_key", "person").agg(pl.col("at").min())
        )
        nth = pl.col("at").sort().get(config.least_people - 1, null_on_oob=True)
        known = asked.group_by("query_key").agg(known_from=nth).drop_nulls()
        own = own.join(known, on="query_key", how="inner")
        own = own.filter(pl.col("at") >= pl.col("known_from")).drop("known_from")
    overall = _changes(rows.with_columns(all=pl.lit(1)), ["all"], config.windows, moment).drop("all")
    both = own.sort("at").join_asof(overall.sort("at"), on="at", suffix="_all")
    measured = [measure for days in config.windows for measure in _measures(days, config.smoothing)]
    return both.select(*keys, pl.col("at").alias("available_at"), *measured).sort(*keys, "available_at")


def _changes(
    rows: pl.DataFrame, keys: Sequence[str], windows: Sequence[int], moment: datetime
) -> pl.DataFrame:
    """By keys and midnight, `KIND_W`: an event enters every window at its midnight, and leaves it W days later."""
    days = rows.group_by(*keys, "at").agg(pl.col(*KINDS).sum().cast(pl.Int64))
    names = [f"{kind}_{window}" for window in windows for kind in KINDS]
    parts = [days.select(*keys, "at", *(pl.col(name.rsplit("_", 1)[0]).alias(name) for name in names))]
    for window in windows:
        gone = {f"{kind}_{window}": -pl.col(kind) for kind in KINDS}
        left = days.select(*keys, pl.col("at") + pl.duration(days=window), **gone)
        parts.append(left)
    changes = pl.concat(parts, how="diagonal").filter(pl.col("at") <= moment)
    summed = changes.group_by(*keys, "at").agg(pl.col(names).fill_null(0).sum())
    return summed.with_columns(pl.col(names).cum_sum().over(keys, order_by="at"))


def _measures(days: int, smoothing: float) -> list[pl.Expr]:
    """In the order of MEASURES."""
    shown = pl.col(f"shown_{days}")
    rates = []
    for kind in ("clicks", "carts", "purchases"):
        overall = pl.col(f"{kind}_{days}_all").clip(0) / pl.col(f"shown_{days}_all")
        rate = (pl.col(f"{kind}_{days}").clip(0) + smoothing * overall) / (shown + smoothing)
        rates.append(pl.when(shown > 0).then(rate))
    acted = pl.sum_horizontal(pl.col(f"{kind}_{days}").clip(0) for kind in ("clicks", "carts", "purchases"))
    bought = pl.col(f"purchases_{days}").clip(0)
    values = [*rates, acted.log1p(), bought.log1p()]
    return [
        value.cast(pl.Float32).alias(f"{name}_{days}d") for name, value in zip(MEASURES, values, strict=True)
    ]
