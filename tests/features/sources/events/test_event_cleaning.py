"""Cleaning of events: each action finds its list or none, bots go, repeats count once, and all is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.sources.events import EventRules, Events, clean_events
from features.sources.ledger import Ledger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = EventRules(attribution_days=2, repeat_seconds=10)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def shown(request: str, *products: str, at: datetime = NOON, **fields: Any) -> list[dict[str, Any]]:
    row = {"request_id": request, "shown_at": at} | fields
    return [row | {"product_id": product, "position": place} for place, product in enumerate(products, 1)]


def acted(product: str, at: datetime, action: str = "click", **fields: Any) -> dict[str, Any]:
    return {"product_id": product, "action": action, "acted_at": at, "available_at": at} | fields


def clean(lists: list[dict[str, Any]], actions: list[dict[str, Any]]) -> tuple[Events, dict[str, int]]:
    none, ledger = Events.none(), Ledger()
    events = Events(
        pl.DataFrame(lists, schema=none.shown.schema), pl.DataFrame(actions, schema=none.actions.schema)
    )
    cleaned = clean_events(events, RULES, ledger)
    return cleaned, {step.step: step.affected for step in ledger.steps if step.affected}


def requests(events: Events) -> list[str | None]:
    return events.actions["request_id"].to_list()


def test_an_action_belongs_to_a_list_that_showed_its_product_in_time() -> None:
    actions = [
        acted("a", minutes(1), request_id="r1"),
        acted("z", minutes(2), request_id="r1"),
        acted("a", minutes(3), request_id="unknown"),
        acted("b", NOON + timedelta(days=3), request_id="r1"),
    ]
    events, steps = clean(shown("r1", "a", "b"), actions)
    assert requests(events) == ["r1", None, None, None]
    assert steps == {
        "its list is not in the log or did not show the product: belongs to none": 2,
        "later than 2 days after its list: belongs to none": 1,
    }


def test_an_action_without_a_list_finds_the_latest_of_its_person() -> None:
    lists = [
        *shown("r1", "a", session="s", shopper="p"),
        *shown("r2", "a", at=minutes(10), session="s", shopper="p"),
        *shown("r3", "a", at=minutes(20), session="other", shopper="p"),
        *shown("r4", "a", at=minutes(30), session="x", shopper="x"),
    ]
    actions = [
        acted("a", minutes(5), session="s"),
        acted("a", minutes(15), session="s"),
        acted("a", minutes(25), shopper="p"),
        acted("a", minutes(-1), session="s"),
        acted("b", minutes(35), session="s"),
        acted("a", minutes(40)),
        acted("a", NOON + timedelta(days=9), "purchase", shopper="p"),
    ]
    events, steps = clean(lists, actions)
    by_time = dict(events.actions.select("acted_at", "request_id").rows())
    assert [by_time[action["acted_at"]] for action in actions] == ["r1", "r2", "r3", None, None, None, None]
    assert steps == {"without a list: belongs to the latest that showed its product to that person": 3}


def test_attribution_agrees_with_a_search_row_by_row() -> None:
    random = np.random.default_rng(0)
    lists, actions = [], []
    for number in range(60):
        at, who = minutes(int(random.integers(5000))), f"s{random.integers(4)}"
        products = random.permutation(list("abcd"))[:2]
        lists += shown(f"r{number}", *products, at=at, session=who, shopper=f"p{int(who[1]) // 2}")
    for _ in range(150):
        at = minutes(int(random.integers(6000)) + 0.5)
        who = (
            {"session": f"s{random.integers(4)}"}
            if random.random() < 0.5
            else {"shopper": f"p{random.integers(2)}"}
        )
        actions.append(acted(str(random.choice(list("abcd"))), at, "purchase", **who))
    events, _ = clean(lists, actions)
    for row in events.actions.iter_rows(named=True):
        who = "session" if row["session"] else "shopper"
        before = [
            one
            for one in lists
            if one[who] == row[who]
            and one["product_id"] == row["product_id"]
            and timedelta(0) <= row["acted_at"] - one["shown_at"] <= timedelta(days=2)
        ]
        wanted = {
            one["request_id"] for one in before if one["shown_at"] == max(o["shown_at"] for o in before)
        }
        assert row["request_id"] in (wanted or {None})


def test_repeats_and_copies_count_once_but_pieces_do_not() -> None:
    actions = [
        acted("a", minutes(1), request_id="r1"),
        acted("a", minutes(1), request_id="r1"),
        acted("a", minutes(9), request_id="r1"),
        acted("b", minutes(1), shopper="p"),
        acted("b", minutes(1.1), shopper="p"),
        acted("b", minutes(2), shopper="p"),
        acted("b", minutes(1.05), shopper="other"),
        acted("a", minutes(3), "purchase", request_id="r1"),
        acted("a", minutes(3.1), "purchase", request_id="r1"),
    ]
    events, steps = clean([*shown("r1", "a"), *shown("r1", "a")], actions)
    assert events.shown.height == 1
    counts = dict(
        events.actions.group_by("product_id", "action")
        .len()
        .select(pl.concat_str("product_id", "action"), "len")
        .rows()
    )
    assert counts == {"aclick": 1, "bclick": 3, "apurchase": 2}
    assert steps == {
        "shown again in the same list": 1,
        "the same action again, to the microsecond": 1,
        "the same action on the same product of a list again": 1,
        "the same action on the same product within 10 seconds again": 1,
    }


@pytest.mark.parametrize("kind", ["many lists", "many clicks", "clicks all"])
def test_bots_go_and_people_stay(kind: str) -> None:
    lists = [*shown("r-p", "a", "b", "c", shopper="p"), *shown("r-none", "a")]
    actions = [
        acted("a", minutes(1), shopper="p", request_id="r-p"),
        acted("a", minutes(1), request_id="r-none"),
    ]
    if kind == "many lists":
        lists += [row for i in range(121) for row in shown(f"b{i}", "a", at=minutes(i / 4), shopper="bot")]
    if kind == "many clicks":
        actions += [acted(f"x{i}", minutes(i / 8), session="bot") for i in range(241)]
    if kind == "clicks all":
        products = [f"x{i}" for i in range(40)]
        lists += shown("b", *products, shopper="bot")
        actions += [
            acted(product, minutes(i * 3), request_id="b", shopper="bot")
            for i, product in enumerate(products)
        ]
    events, steps = clean(lists, actions)
    assert set(events.shown["shopper"]) == {"p", None}
    assert events.actions.height == 2
    assert sum(steps.values()) == len(lists) + len(actions) - 6


def test_the_order_of_the_rows_does_not_matter() -> None:
    random = np.random.default_rng(1)
    lists = [row for i in range(20) for row in shown(f"r{i}", *"abc", at=minutes(i), session=f"s{i % 3}")]
    actions = [acted("abc"[i % 3], minutes(i * 0.7), session=f"s{i % 3}") for i in range(60)]
    wanted, counted = clean(lists, actions)
    mixed = [list(random.permutation(np.array(rows, dtype=object))) for rows in (lists, actions)]
    got, also = clean(*mixed)
    assert got.shown.equals(wanted.shown)
    assert got.actions.sort(pl.all()).equals(wanted.actions.sort(pl.all()))
    assert counted == also
