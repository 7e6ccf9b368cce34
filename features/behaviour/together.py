"""Which products the same people looked at, and bought, as of each midnight: the edges of the item graph.

An edge counts people, each once, who did something with both products within the longest window. It is there from the
midnight after the later of the two became known: what comes of a list is never in an edge that the list's features saw.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from features.behaviour.settings import BehaviourConfig
from features.sources.events.bots import person
from features.sources.events.event_log import Events

GRAPHS = ("looked", "bought")
REACH = (
    20  # products of one person before each that it is paired with: a long history makes no square of edges
)
_LOOKED = ("click", "cart", "like", "purchase")
_PAIR = ["product_id", "other_id"]


def together(events: Events, config: BehaviourConfig, moment: datetime) -> pl.DataFrame:
    """product_id < other_id, available_at, and the people of each of GRAPHS, as they changed up to `moment`.

    looked: in one session (of who has none: by one shopper); bought: by one shopper (of who is none: in one session).
    """
    actions = events.actions
    looked = actions.filter(pl.col("action").is_in(_LOOKED)).with_columns(
        who=pl.coalesce("session", "shopper")
    )
    bought = actions.filter(action="purchase").with_columns(person().alias("who"))
    days = max(config.windows)
    parts = [
        _changes(rows, days, moment).rename({"change": name})
        for name, rows in zip(GRAPHS, (looked, bought), strict=True)
    ]
    keys = [*_PAIR, "available_at"]
    both = pl.concat(parts, how="diagonal").group_by(keys).agg(pl.col(GRAPHS).sum())
    kept = both.filter(pl.any_horizontal(pl.col(name) != 0 for name in GRAPHS))
    sums = pl.col(GRAPHS).cum_sum().over(_PAIR, order_by="available_at")
    return kept.with_columns(sums.cast(pl.Int32)).sort(keys)


def _changes(rows: pl.DataFrame, days: int, moment: datetime) -> pl.DataFrame:
    """_PAIR, available_at, change: one more person from when both are in the window, one less when one has left it."""
    met = _spells(rows, days)
    names = met["product_id"].unique().sort()
    product = met["product_id"].cast(pl.Enum(names)).to_physical().cast(pl.Int64).to_numpy()
    who, (start, end) = (
        met["who"].to_numpy(),
        (met[name].to_physical().to_numpy() for name in ("start", "end")),
    )
    last_moment = int(moment.timestamp() * 1e6)
    parts = [_MADE.to_frame()]
    for back in range(1, min(REACH, len(who) - 1) + 1):
        later = back + np.flatnonzero((who[back:] == who[:-back]) & (product[back:] != product[:-back]))
        first, last = np.maximum(start[later], start[later - back]), np.minimum(end[later], end[later - back])
        one, other = product[later], product[later - back]
        for at, change in ((first, 1), (last, -1)):
            kept = (first < last) & (at <= last_moment)
            low, high = np.minimum(one, other)[kept], np.maximum(one, other)[kept]
            each = (
                pl.DataFrame({"low": low, "high": high, "at": at[kept]})
                .group_by("low", "high", "at")
                .len("change")
            )
            parts.append(each.with_columns(pl.col("change").cast(pl.Int64) * change))
    found = pl.concat(parts)
    pair = [
        names.gather(found[place]).alias(name) for place, name in zip(("low", "high"), _PAIR, strict=True)
    ]
    at = found["at"].cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("available_at")
    return pl.DataFrame([*pair, at, found["change"]])


_MADE = pl.Schema({"low": pl.Int64, "high": pl.Int64, "at": pl.Int64, "change": pl.Int64})


def _spells(rows: pl.DataFrame, days: int) -> pl.DataFrame:
    """Times in which somebody's last action on a product is at most so many days old: who, product_id, start, end.

    By person in the order of their beginnings. An action is known from the next midnight on.
    """
    known = rows.drop_nulls("who").select(
        "who", "product_id", "available_at", at=pl.col("available_at").dt.truncate("1d") + pl.duration(days=1)
    )
    one = ["who", "product_id"]
    since = pl.col("at").diff().over(one, order_by="available_at")
    marked = known.with_columns(new=(since > pl.duration(days=days)).fill_null(value=True))
    marked = marked.with_columns(spell=pl.col("new").cum_sum().over(one, order_by="available_at"))
    spells = marked.group_by(*one, "spell").agg(
        pl.col("available_at").min(),
        start=pl.col("at").min(),
        end=pl.col("at").max() + pl.duration(days=days),
    )
    return spells.sort("who", "available_at", "product_id").with_columns(pl.col("who").rank("dense"))
