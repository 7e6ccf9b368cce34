"""Edges of the item graph against a recount by people, one midnight after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import polars as pl
import pytest

from features.behaviour import BehaviourConfig
from features.behaviour.together import GRAPHS, REACH, together
from features.sources.events import Events

DAY = timedelta(days=1)
START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, WINDOW = 30, 6
CONFIG = BehaviourConfig(windows=(3, WINDOW))


def made(draw: random.Random, count: int = 160) -> list[dict[str, Any]]:
    rows = []
    for _ in range(count):
        acted = START + draw.random() * DAYS * DAY
        who = {"session": f"s{draw.randrange(25)}", "shopper": draw.choice([None, f"p{draw.randrange(9)}"])}
        who["session"] = who["session"] if draw.random() < 0.9 else None
        about = {"product_id": draw.choice("abcdefgh"), "acted_at": acted} | who
        about["action"] = draw.choice(["click", "click", "cart", "like", "purchase", "purchase", "return"])
        rows.append(about | {"available_at": acted + draw.choice([0, 0, 0.5, 3]) * DAY})
    return rows


def edges(rows: list[dict[str, Any]], until: datetime = START + 99 * DAY) -> pl.DataFrame:
    return together(Events(Events.none().shown, pl.DataFrame(rows, infer_schema_length=None)), CONFIG, until)


def recounted(rows: list[dict[str, Any]], at: datetime) -> dict[tuple[str, str], list[int]]:
    """By pair the people who were known to have done something with both in the window before this midnight."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, (actions, order) in enumerate(
        [
            ({"click", "cart", "like", "purchase"}, ("session", "shopper")),
            ({"purchase"}, ("shopper", "session")),
        ]
    ):
        met: dict[str, set[str]] = {}
        for row in rows:
            who = row[order[0]] or row[order[1]]
            if who and row["action"] in actions and at - WINDOW * DAY <= row["available_at"] < at:
                met.setdefault(who, set()).add(row["product_id"])
        for products in met.values():
            for pair in combinations(sorted(products), 2):
                found.setdefault(pair, [0, 0])[place] += 1
    return found


def as_of(found: pl.DataFrame, at: datetime) -> dict[tuple[str, str], list[int]]:
    newest = (
        found.filter(pl.col("available_at") <= at)
        .group_by("product_id", "other_id", maintain_order=True)
        .last()
    )
    rows = newest.select("product_id", "other_id", *GRAPHS).iter_rows()
    return {(one, other): counts for one, other, *counts in rows if any(counts)}


def midnights() -> Iterator[datetime]:
    return (START + day * DAY for day in range(DAYS + WINDOW + 6))


@pytest.mark.parametrize("seed", range(5))
def test_edges_are_people_who_met_both_in_the_window(seed: int) -> None:
    rows = made(random.Random(seed))
    found = edges(rows)
    assert (found["product_id"] < found["other_id"]).all()
    for at in midnights():
        wanted = recounted(rows, at)
        assert as_of(found, at) == wanted
        assert as_of(edges(rows, at), at) == wanted, "counted then or later, it is the same"
    assert not as_of(found, START + 99 * DAY)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_not_known_yet_changes_no_edge(seed: int) -> None:
    """A list's clicks are never in the edges as of the list: later events leave that day alone."""
    draw = random.Random(seed)
    rows = made(draw)
    asked = START + (3 + 20 * draw.random()) * DAY
    midnight = asked.replace(hour=0, minute=0, second=0, microsecond=0)
    later = [row | {"product_id": draw.choice("abcdefgh")} for row in rows if row["available_at"] >= asked]
    earlier = [row for row in rows if row["available_at"] < asked]
    draw.shuffle(earlier)
    assert as_of(edges([*later, *earlier]), midnight) == as_of(edges(rows), midnight)


def test_a_long_history_is_paired_with_its_neighbours_alone() -> None:
    rows = [
        {"product_id": f"p{n:03}", "acted_at": START + n * DAY / 1000, "session": "s", "action": "click"}
        for n in range(100)
    ]
    found = edges([row | {"available_at": row["acted_at"]} for row in rows], START + DAY)
    assert found.height == sum(min(n, REACH) for n in range(100))


def test_nobody_and_nothing_make_no_edge() -> None:
    row = {"product_id": "a", "acted_at": START, "available_at": START, "session": None, "action": "click"}
    assert not edges([row, row | {"product_id": "b"}]).height
    assert not together(Events.none(), CONFIG, START).height
