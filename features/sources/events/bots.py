"""Who is no person, by what the people of the same log do: how many lists and clicks an hour, how fast, of how much.

Three ways, any of which will do. Limits that no person reaches, whatever the log. Busy hours far beyond those of the
median person, or well beyond them and much faster than people go on; the median stands as long as fewer than half are
bots. Clicks on far more of what is shown than the median person's, beyond chance (the lower end of Wilson's interval).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from features.sources.events.cleaning import EventRules

_PAUSE = 1800.0  # seconds after which a session's next list says nothing of pace
_SEEN = 10  # products shown, from which a person's share of clicks goes into the median one's
_SURE = 3.0  # standard errors
_KEEN = 0.3  # a share of clicks that some people reach


def person() -> pl.Expr:
    """Whom an event is of: the shopper, else the session; null where neither is known."""
    return pl.coalesce("shopper", "session").alias("person")


def bots_of(shown: pl.DataFrame, actions: pl.DataFrame, rules: EventRules) -> pl.Series:
    """Names of those who are no people; shown and actions as in `Events`."""
    lists = shown.select("request_id", person(), at="shown_at").unique("request_id", keep="first")
    clicks = actions.filter(pl.col("action") == "click").select(
        "request_id", "product_id", person(), at="acted_at"
    )
    asking = _busiest(lists).join(_pace(lists), on="person", how="left")
    clicking = _busiest(clicks)
    found: Sequence[pl.DataFrame] = [
        asking.filter(_beyond(rules.bot_lists_an_hour, rules) | _fast(rules)),
        clicking.filter(_beyond(rules.bot_clicks_an_hour, rules)),
        _click_nearly_all(shown, clicks, rules),
    ]
    return pl.concat([one["person"] for one in found]).unique()


def _busiest(rows: pl.DataFrame) -> pl.DataFrame:
    """person and most: of these rows within an hour, wherever it begins."""
    hours = rows.drop_nulls("person").sort("at").rolling("at", period="1h", closed="both", group_by="person")
    return hours.agg(most=pl.len()).group_by("person").agg(pl.col("most").max().cast(pl.Float64))


def _pace(lists: pl.DataFrame) -> pl.DataFrame:
    """person and gap: median seconds from one list to the next, pauses left out."""
    since = pl.col("at").diff().over("person", order_by="at").dt.total_microseconds() / 1e6
    gaps = lists.drop_nulls("person").select("person", gap=since).filter(pl.col("gap") <= _PAUSE)
    return gaps.group_by("person").agg(pl.col("gap").median())


def _beyond(limit: int, rules: EventRules) -> pl.Expr:
    """Over the limit; or over half of it and far from the median: at a usual pace some people make 40 lists an hour."""
    usual = rules.bot_times * pl.col("most").median()
    return pl.col("most") > pl.min_horizontal(pl.lit(limit), pl.max_horizontal(pl.lit(limit / 2), usual))


def _fast(rules: EventRules) -> pl.Expr:
    many = (pl.col("most") >= rules.bot_least_lists) & (
        pl.col("most") > rules.bot_pace * pl.col("most").median()
    )
    return (many & (rules.bot_pace * pl.col("gap") < pl.col("gap").median())).fill_null(value=False)


def _click_nearly_all(shown: pl.DataFrame, clicks: pl.DataFrame, rules: EventRules) -> pl.DataFrame:
    pair = ["request_id", "product_id"]
    seen = shown.select(person(), *pair).drop_nulls("person")
    hit = seen.join(clicks.select(pair).unique(), on=pair, how="semi").group_by("person").len("clicked")
    counts = seen.group_by("person").len("seen").join(hit, on="person", how="left")
    counts = counts.with_columns(pl.col("clicked").fill_null(0))
    usual = (
        counts.filter(pl.col("seen") >= _SEEN).select((pl.col("clicked") / pl.col("seen")).median()).item()
    )
    keen = max(_KEEN, rules.bot_pace * (usual or 0.0))
    n, share = pl.col("seen"), pl.col("clicked") / pl.col("seen")
    spread = _SURE * (share * (1 - share) / n + _SURE**2 / (4 * n**2)).sqrt()
    surely = (share + _SURE**2 / (2 * n) - spread) / (1 + _SURE**2 / n)
    enough = n >= rules.bot_shown
    return counts.filter(
        enough & ((share >= rules.bot_click_share) | (surely > min(keen, rules.bot_click_share)))
    )
