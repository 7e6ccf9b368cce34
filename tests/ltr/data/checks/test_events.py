"""The data doctor on events: each fault found at its limit, and not below it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from features.sources.events import ACTIONS, Events
from ltr.data.checks.events import examine_events

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRODUCTS = pl.DataFrame({"product_id": ["a", "b"]})


def log(*, twice: int = 0, clicked: int = 20, orphans: int = 0, foreign: int = 0, nobody: int = 0) -> Events:
    """100 lists of two products, and so many clicks."""
    lists = [
        {
            "request_id": f"r{i}",
            "shown_at": NOON,
            "product_id": product,
            "position": 1 if i < twice else place,
        }
        for i in range(100)
        for place, product in enumerate("ab", 1)
    ]
    actions = [
        {
            "request_id": None if i < orphans else f"r{i}",
            "product_id": "z" if i < foreign else "a",
            "action": "click",
            "acted_at": NOON,
            "available_at": NOON + timedelta(days=2 * (i % 2)),
            "session": None if i < nobody else f"s{i}",
        }
        for i in range(clicked)
    ]
    return Events(pl.DataFrame(lists), pl.DataFrame(actions, schema_overrides=dict(ACTIONS)))


@pytest.mark.parametrize(
    ("fine", "faulty", "check"),
    [
        ({"twice": 1}, {"twice": 2}, "lists with a position twice"),
        ({"clicked": 95}, {"clicked": 96}, "lists that somebody acted on"),
        ({"orphans": 2}, {"orphans": 3}, "actions without a list"),
        ({"foreign": 10}, {"foreign": 11}, "actions on products that are not in the catalogue"),
        ({"nobody": 10}, {"nobody": 11}, "actions of nobody known"),
    ],
)
def test_each_fault_is_found(fine: dict[str, int], faulty: dict[str, int], check: str) -> None:
    assert {one.level for one in examine_events(log(**fine), PRODUCTS)} == {"PASS"}
    found = [one for one in examine_events(log(**faulty), PRODUCTS) if one.level != "PASS"]
    assert [one.check for one in found] == [check]
    assert found[0].cure


def test_what_is_not_there_is_not_examined() -> None:
    assert not examine_events(None, PRODUCTS)
    assert [one.level for one in examine_events(Events.none(), PRODUCTS)] == ["WARN"]
    message = next(
        one for one in examine_events(log(), PRODUCTS) if one.check == "actions known more than a day later"
    )
    assert "10 of 20" in message.evidence
