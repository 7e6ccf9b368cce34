"""Counts as of each midnight, against a count by hand from the events known when the day began."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.behaviour.counting import KINDS, LEVELS, counted, happened, query_key
from features.behaviour.settings import BehaviourConfig
from features.behaviour.views import COUNTED
from features.sources.events import Events
from features.store import join_as_of
from tests.features.behaviour.world import DAYS, PRODUCTS, START, make_events

CONFIG = BehaviourConfig(windows=(3, 10), smoothing=4, most_a_day=2, least_people=3)
EVENTS = make_events()
END = START + timedelta(days=DAYS + 30)
TABLES = {level: counted(happened(EVENTS, PRODUCTS, CONFIG), level, CONFIG, END) for level in LEVELS}


def midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def by_hand(events: Events, at: datetime, days: int, keep: dict[str, Any]) -> dict[str, int]:
    """Counts of the products and query that `keep` names, of what could be known before the day of `at` began."""
    about = {row["product_id"]: row for row in PRODUCTS.to_dicts()}
    texts = {row["request_id"]: row["text"] for row in events.shown.to_dicts()}
    rows = [row | {"known": row["shown_at"], "action": "shown"} for row in events.shown.to_dicts()]
    rows += [row | {"known": row["available_at"]} for row in events.actions.to_dicts()]
    kinds = {
        "shown": "shown",
        "click": "clicks",
        "cart": "carts",
        "purchase": "purchases",
        "return": "purchases",
    }
    counts, seen = dict.fromkeys(KINDS, 0), {}
    for row in sorted(rows, key=lambda row: row["known"]):
        day = midnight(row["known"])
        who = row["shopper"] or row["session"] or row["request_id"]
        once = (who, row["product_id"], kinds[row["action"]], day, row["action"] == "return")
        seen[once] = seen.get(once, 0) + 1
        text = texts[row["request_id"]]
        values = {**about[row["product_id"]], "query_key": text and " ".join(text.lower().split())}
        inside = midnight(at) - timedelta(days=days) <= day < midnight(at)
        if inside and seen[once] <= CONFIG.most_a_day and all(values[name] == keep[name] for name in keep):
            counts[kinds[row["action"]]] += -1 if row["action"] == "return" else 1
    return counts


def keys_at(level: str, random: np.random.Generator) -> dict[str, Any]:
    row = TABLES[level].select(LEVELS[level]).unique(maintain_order=True)
    return row.row(int(random.integers(row.height)), named=True)


@pytest.mark.parametrize("level", LEVELS)
def test_values_are_those_counted_by_hand(level: str) -> None:
    random = np.random.default_rng(1)
    for _ in range(6):
        keys = keys_at(level, random)
        at = START + timedelta(seconds=int(random.integers(10 * 86_400, (DAYS + 8) * 86_400)))
        asked = pl.DataFrame({**{name: [value] for name, value in keys.items()}, "at": [at]})
        found = join_as_of(asked, TABLES[level], keys=list(keys), available_at="available_at").row(
            0, named=True
        )
        before = TABLES[level].filter(pl.col("available_at") <= at, **keys)["available_at"].max()
        if before is None:
            assert all(
                found[name] is None
                for name in found
                if name.endswith("d") and "_" in name and name not in keys
            )
            continue
        for days in CONFIG.windows:
            own, overall = by_hand(EVENTS, at, days, keys), by_hand(EVENTS, before, days, {})
            assert found[f"purchases_{days}d"] == pytest.approx(
                math.log1p(max(own["purchases"], 0)), abs=1e-6
            )
            acted = sum(max(own[kind], 0) for kind in KINDS[1:])
            assert found[f"popularity_{days}d"] == pytest.approx(math.log1p(acted), abs=1e-6)
            if own["shown"] == 0:
                assert found[f"click_rate_{days}d"] is None
                continue
            prior = overall["clicks"] / overall["shown"]
            wanted = (own["clicks"] + 4 * prior) / (own["shown"] + 4)
            assert found[f"click_rate_{days}d"] == pytest.approx(wanted, abs=1e-6)


def test_no_value_can_hold_the_day_s_own_events() -> None:
    """An event more, known at any time of a day, changes nothing that is read on that day."""
    for hour in (0, 0.001, 11, 23.999):
        known = START + timedelta(days=20, hours=hour)
        row = {"product_id": "p1", "action": "purchase", "acted_at": known, "available_at": known}
        more = Events(
            EVENTS.shown, pl.concat([EVENTS.actions, Events(EVENTS.shown, pl.DataFrame([row])).actions])
        )
        for level in ("product", "category", "brand"):
            table = counted(happened(more, PRODUCTS, CONFIG), level, CONFIG, END)
            until = pl.col("available_at") < START + timedelta(days=21)
            assert table.filter(until).equals(TABLES[level].filter(until))
            assert not table.equals(TABLES[level])


def test_no_row_lies_after_the_moment_and_earlier_ones_stay_as_they_were() -> None:
    for days in (5, 17.5, 33):
        moment = START + timedelta(days=days)
        known = EVENTS.known_at(moment)
        for level in LEVELS:
            table = counted(happened(known, PRODUCTS, CONFIG), level, CONFIG, moment)
            assert table["available_at"].max() <= moment
            assert table.equals(TABLES[level].filter(pl.col("available_at") <= moment))


def test_a_query_is_counted_once_enough_people_have_asked_it() -> None:
    keys = TABLES["query"]["query_key"].unique().to_list()
    assert "red hat" in keys
    assert "rare wish" not in keys
    who = pl.coalesce("shopper", "session").alias("person")
    asked = EVENTS.shown.filter(query_key(pl.col("text")) == "red hat").select("shown_at", who)
    first = asked.group_by("person").agg(pl.col("shown_at").min())["shown_at"].sort()
    assert TABLES["query"].filter(query_key="red hat")["available_at"].min() > first[2]


def test_many_events_of_one_person_count_as_few() -> None:
    at = START + timedelta(hours=1)
    rows = [
        {"product_id": "p1", "action": "purchase", "acted_at": at, "available_at": at, "shopper": "k"}
        for _ in range(500)
    ]
    events = Events(Events.none().shown, pl.DataFrame(rows))
    table = counted(happened(events, PRODUCTS, CONFIG), "product", CONFIG, START + timedelta(days=1))
    assert table["purchases_3d"].to_list() == [pytest.approx(math.log1p(2))]
    assert table["click_rate_3d"].to_list() == [None]


def test_views_have_the_keys_of_their_levels() -> None:
    assert {level: view.keys for level, view in COUNTED.items()} == dict(LEVELS)
