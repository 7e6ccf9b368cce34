"""What each query's shopper had met before it was asked: its column `history`, from a log of events."""

from __future__ import annotations

import polars as pl

from features.errors import InputError
from features.sources.events.event_log import MOMENT, Events
from features.sources.parsing.histories import HISTORY

MOST = 50
_WHO = ("shopper", "session")
_AT_ONCE = 2_000  # queries: a join holds all that their shoppers ever did


def with_history(queries: pl.DataFrame, events: Events, most: int = MOST) -> pl.DataFrame:
    """The queries with `history`: products that the same shopper or session acted on, oldest first; null for none.

    queries: with `at` (without a zone: UTC), and session, shopper or both, as the events call them. Only actions that
    could be known before the query's own time count (`available_at < at`), so never what was clicked in its own list
    or later. Returns do not count. Each product once, where it was met last; of more than `most` the newest.

    Raises InputError for queries without a time or anybody's name.
    """
    who = [name for name in _WHO if name in queries.columns]
    if "at" not in queries.columns or not who:
        raise InputError(
            where="with_history, queries",
            expected="columns at, and session or shopper",
            got=", ".join(queries.columns),
            cure="add when each was asked, and by whom",
        )
    kind, at = queries.schema["at"], pl.col("at")
    zoned = isinstance(kind, pl.Datetime) and kind.time_zone
    at = at.cast(MOMENT) if zoned else at.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    asked = queries.select(at, *(pl.col(name).cast(pl.String) for name in who))
    asked = asked.with_row_index("row")
    actions = events.actions.filter(pl.col("action") != "return")
    parts = [_of(part, actions, who, most) for part in asked.iter_slices(_AT_ONCE)]
    found = (
        pl.concat(parts) if parts else pl.DataFrame(schema={"row": pl.UInt32, HISTORY: pl.List(pl.String)})
    )
    joined = asked.select("row").join(found, on="row", how="left", maintain_order="left")
    return queries.with_columns(joined[HISTORY])


def _of(asked: pl.DataFrame, actions: pl.DataFrame, who: list[str], most: int) -> pl.DataFrame:
    """row and history of the queries that have one."""
    met = [
        asked.select("row", "at", name)
        .drop_nulls()
        .join(actions.select(name, "product_id", "acted_at", "available_at"), on=name)
        .filter(pl.col("available_at") < pl.col("at"))
        .select("row", "product_id", "acted_at")
        for name in who
    ]
    last = pl.concat(met).group_by("row", "product_id").agg(pl.col("acted_at").max())
    in_order = last.sort("row", "acted_at", "product_id")
    return in_order.group_by("row", maintain_order=True).agg(pl.col("product_id").tail(most).alias(HISTORY))
