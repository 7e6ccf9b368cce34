"""Events cleaned, each step counted: what came twice, bots, clicks without a list, late ones, repeats.

Nothing is used before it could be known: an action belongs to a list that was shown before it, at most so many days.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from features.sources.cleaning import remark_nearly_known
from features.sources.events.bots import bots_of, person
from features.sources.events.event_log import OF_PEOPLE, Events, set_apart
from features.sources.ledger import Ledger

_PAIR = ["request_id", "product_id"]
_ONCE = ("click", "cart", "like")  # of a list's product they count once; two pieces may well be bought


class EventRules(BaseModel):
    """Which actions belong to a list, and who is no person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attribution_days: float = Field(
        default=30, gt=0, description="an action later than this after its list was shown belongs to none"
    )
    repeat_seconds: float = Field(
        default=10, ge=0, description="the same action of a person on a product within it counts once"
    )
    bot_lists_an_hour: int = Field(default=120, ge=1, description="who is shown more is no person")
    bot_clicks_an_hour: int = Field(default=240, ge=1, description="who clicks more is no person")
    bot_least_lists: int = Field(
        default=20,
        ge=2,
        description="lists within an hour, from which pace is looked at",
    )
    bot_times: float = Field(
        default=10,
        ge=1,
        description="who is so many times as busy as the median person is no person from half those limits on",
    )
    bot_pace: float = Field(
        default=3, ge=1, description="nor who is so many times as busy and goes on so many times as fast"
    )
    bot_click_share: float = Field(
        default=0.9, gt=0, description="who clicks that share of what was shown is no person"
    )
    bot_shown: int = Field(default=40, ge=1, description="products shown, from which that share is looked at")


def query_key(text: pl.Expr) -> pl.Expr:
    """What a query is known by: its text in small letters, blanks tidied."""
    return text.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def with_known_queries(events: Events, queries: pl.DataFrame) -> Events:
    """The shop's query_id by a list's text, and the text by the query_id, where the list has one of them alone.

    A text is known as it is written, else by its `query_key`: shoppers type capitals where the shop's table has none.
    """
    known = queries.select("query_id", "text").drop_nulls()
    by_text = known.unique("text", keep="first", maintain_order=True).rename({"query_id": "its_id"})
    by_key = known.with_columns(key=query_key(pl.col("text"))).unique(
        "key", keep="first", maintain_order=True
    )
    by_id = known.unique("query_id", keep="first", maintain_order=True).rename({"text": "its_text"})
    shown = events.shown.with_columns(key=query_key(pl.col("text")))
    shown = shown.join(by_text, on="text", how="left", maintain_order="left")
    shown = shown.join(by_key.select("key", nearly="query_id"), on="key", how="left", maintain_order="left")
    shown = shown.join(by_id, on="query_id", how="left", maintain_order="left")
    both = shown.with_columns(
        query_id=pl.coalesce("query_id", "its_id", "nearly"), text=pl.coalesce("text", "its_text")
    )
    return Events(both.drop("its_id", "nearly", "key", "its_text"), events.actions)


def note_unknown(events: Events, products: pl.Series, ledger: Ledger) -> None:
    """Count what is of no product of the catalogue (an old log has much), and say how its ids would meet the others."""
    for what, frame in (("shown", events.shown), ("actions", events.actions)):
        unknown = frame.filter(~pl.col("product_id").is_in(products.implode())).select("product_id")
        near = remark_nearly_known(unknown["product_id"], products, "events", "product_id", ledger)
        step = f"{what}: product_id not among the products{'; ' * bool(near)}{near}"
        ledger.note("events", step, frame, unknown, "reported")


def known_until(events: Events, moment: datetime, ledger: Ledger) -> Events:
    """What could be known at a moment. A clock that is wrong, or stamps in another unit, put all into the future."""
    step = f"after {moment:%Y-%m-%d %H:%M}, up to which is counted: not yet"
    for what, frame, known in (
        ("shown", events.shown, "shown_at"),
        ("actions", events.actions, "available_at"),
    ):
        later = frame.filter(pl.col(known) > moment).select("product_id", known)
        ledger.note("events", f"{what} {step}", frame, later, "left out")
    return events.known_at(moment)


def clean_events(events: Events, rules: EventRules, ledger: Ledger) -> Events:
    """The events of people, each action with the list it belongs to, or none."""
    shown = events.shown.sort("shown_at", "request_id", "position", maintain_order=True)
    again = ~pl.struct(_PAIR).is_first_distinct()
    shown = set_apart(shown, again, "shown again in the same list", ledger)
    actions = events.actions.sort("acted_at", "available_at", maintain_order=True)
    # Deliveries that came twice; where times have no hour, equal rows are two pieces and no copies.
    copy = ~pl.struct(pl.all().exclude("available_at")).is_first_distinct()
    hours = actions.select((pl.col("acted_at").dt.truncate("1d") != pl.col("acted_at")).any()).item()
    copied = copy & pl.lit(bool(hours))
    actions = set_apart(actions, copied, "the same action again, to the microsecond", ledger)
    is_bot = person().is_in(bots_of(shown, actions, rules).implode()).fill_null(value=False)
    why = "a bot (faster than people, or clicks nearly all)"
    shown = set_apart(shown, is_bot, f"shown to {why}", ledger)
    actions = set_apart(actions, is_bot, f"action of {why}", ledger)
    actions = _attributed(shown, actions, rules, ledger)
    return Events(shown, _without_repeats(actions, rules, ledger))


def _attributed(
    shown: pl.DataFrame, actions: pl.DataFrame, rules: EventRules, ledger: Ledger
) -> pl.DataFrame:
    """Actions whose list is one that showed their product, in time; the others have none."""
    window = timedelta(days=rules.attribution_days)
    found = actions.join(shown.select(*_PAIR, "shown_at"), on=_PAIR, how="left", maintain_order="left")
    named, known = pl.col("request_id").is_not_null(), pl.col("shown_at").is_not_null()
    late = known & (pl.col("acted_at") - pl.col("shown_at") > window)
    _note(
        ledger,
        "acted before its list was shown (clocks differ)",
        found,
        pl.col("acted_at") < pl.col("shown_at"),
        "reported",
    )
    _note(
        ledger,
        "its list is not in the log or did not show the product: belongs to none",
        found,
        named & ~known,
    )
    _note(ledger, f"later than {rules.attribution_days:g} days after its list: belongs to none", found, late)
    searched = found.with_columns(_latest_list(shown, actions, window))
    found_now = ~named & pl.col("latest").is_not_null()
    _note(
        ledger,
        "without a list: belongs to the latest that showed its product to that person",
        searched,
        found_now,
    )
    own = pl.when(named & known & ~late).then("request_id").when(~named).then("latest")
    return searched.with_columns(request_id=own).drop("shown_at", "latest")


def _latest_list(shown: pl.DataFrame, actions: pl.DataFrame, window: timedelta) -> pl.Series:
    """Of each action the latest list that showed its product in its session, or else to its shopper."""
    found = []
    for who in ("session", "shopper"):
        offered = shown.drop_nulls(who).select(who, "product_id", acted_at="shown_at", latest="request_id")
        asked = actions.select(who, "product_id", "acted_at").with_row_index("row").sort("acted_at")
        joined = asked.join_asof(
            offered.sort("acted_at"),
            on="acted_at",
            by=[who, "product_id"],
            tolerance=window,
            check_sortedness=False,
        )
        found.append(joined.sort("row")["latest"].set(joined.sort("row")[who].is_null(), None))
    return pl.select(latest=pl.coalesce(*found)).to_series()


def _without_repeats(actions: pl.DataFrame, rules: EventRules, ledger: Ledger) -> pl.DataFrame:
    once = pl.col("action").is_in(_ONCE)
    key = ["request_id", "product_id", "action"]
    again = once & pl.col("request_id").is_not_null() & ~pl.struct(key).is_first_distinct()
    actions = set_apart(actions, again, "the same action on the same product of a list again", ledger)
    who = [person(), "product_id", "action"]
    since = pl.col("acted_at") - pl.col("acted_at").shift(1).over(who, order_by="acted_at")
    soon = (since <= timedelta(seconds=rules.repeat_seconds)).fill_null(value=False)
    lone = once & person().is_not_null() & pl.col("request_id").is_null()
    step = f"the same action on the same product within {rules.repeat_seconds:g} seconds again"
    return set_apart(actions, lone & soon, step, ledger)


def _note(
    ledger: Ledger,
    step: str,
    rows: pl.DataFrame,
    hit: pl.Expr,
    action: Literal["changed", "reported"] = "changed",
) -> None:
    hits = rows.filter(hit).drop(OF_PEOPLE, strict=False)
    ledger.note("events", step, rows, hits, action)
