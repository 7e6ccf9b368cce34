"""The data doctor on events: what in a log would mislead whoever learns from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from features.sources.events import Events
from features.sources.events.bots import person
from ltr.data.doctor import NOTABLE, Finding, Findings, finding

ORPHANS = 0.1  # share of actions without a list, where there are lists
UNKNOWN = 0.5  # share of events of products that are not in the catalogue
ALWAYS_CLICKED = 0.95  # share of lists with an action: more, and lists without one were not logged
NOBODY = 0.5  # share of events that are nobody's
LATE = timedelta(days=1)
FEWEST = 20  # lists or actions, below which shares say nothing
_PAIR = ["request_id", "product_id"]


def examine_events(events: Events | None, products: pl.DataFrame) -> Findings:
    """Findings on clean events; none where there are no events."""
    if events is None:
        return Findings()
    return Findings(
        [
            _check_size(events),
            *_check_lists(events),
            *_check_actions(events, products),
        ]
    )


def _check_size(events: Events) -> Finding:
    times = pl.concat([events.shown["shown_at"], events.actions["acted_at"]])
    days = times.dt.date().n_unique()
    kinds = events.actions["action"].value_counts(sort=True, name="count").rows()
    counted = ", ".join(f"{count:,} {name}" for name, count in kinds) or "no actions"
    lists = events.shown["request_id"].n_unique()
    return finding(
        "PASS" if len(events) else "WARN",
        "events",
        f"{lists:,} lists of {events.shown.height:,} products, {counted}, on {days:,} days",
        "check data.events: nothing is left after cleaning",
    )


def _check_lists(events: Events) -> Iterator[Finding]:
    shown = events.shown
    lists = shown.group_by("request_id").agg(
        twice=pl.col("position").is_duplicated().any(), least=pl.col("position").min()
    )
    if lists.height < FEWEST:
        return
    twice = int(lists["twice"].sum())
    yield finding(
        "WARN" if twice > NOTABLE * lists.height else "PASS",
        "lists with a position twice",
        f"{twice:,} of {lists.height:,} ({twice / lists.height:.1%})",
        "does the second page count from 1 again? log the position in the whole list",
    )
    acted = shown.join(events.actions.select(_PAIR).unique(), on=_PAIR, how="semi")["request_id"].n_unique()
    yield finding(
        "WARN" if acted > ALWAYS_CLICKED * lists.height else "PASS",
        "lists that somebody acted on",
        f"{acted:,} of {lists.height:,} ({acted / lists.height:.0%})",
        "lists without a click seem not to be logged: rates are far too high, only their order means anything",
    )
    known = shown["propensity"].count() / shown.height
    yield finding("PASS", "products shown whose propensity is known", f"{known:.0%} of {shown.height:,}", "")


def _check_actions(events: Events, products: pl.DataFrame) -> Iterator[Finding]:
    actions = events.actions
    if actions.height < FEWEST:
        return
    if events.shown.height:
        lone = actions["request_id"].null_count()
        yield finding(
            "WARN" if lone > ORPHANS * actions.height else "PASS",
            "actions without a list",
            f"{lone:,} of {actions.height:,} ({lone / actions.height:.1%})",
            "log the request's id with each action, or the session; see the steps of cleaning for why",
        )
    late = int((actions["available_at"] - actions["acted_at"] > LATE).sum())
    yield finding(
        "PASS",
        "actions known more than a day later",
        f"{late:,} of {actions.height:,} ({late / actions.height:.1%}): features count them from then on",
        "",
    )
    unknown = actions.join(products.select("product_id"), on="product_id", how="anti").height
    yield finding(
        "WARN" if unknown > UNKNOWN * actions.height else "PASS",
        "actions on products that are not in the catalogue",
        f"{unknown:,} of {actions.height:,} ({unknown / actions.height:.0%})",
        "check that data.events.columns.product_id and data.products.columns.product_id mean the same",
    )
    nobody = actions.select(person())["person"].null_count()
    yield finding(
        "WARN" if nobody > NOBODY * actions.height else "PASS",
        "actions of nobody known",
        f"{nobody:,} of {actions.height:,} ({nobody / actions.height:.0%})",
        "log a session: without one, bots are not found and one person's actions are not bounded",
    )
