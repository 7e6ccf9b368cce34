"""Bots found and people left alone, in worlds of all sizes and paces: shares over many drawn logs."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from features.sources.events import EventRules, Events, clean_events
from features.sources.ledger import Ledger

START = int(datetime(2024, 5, 1, tzinfo=UTC).timestamp())
DAY = 86_400


def visits(
    rng: np.random.Generator, name: str, lists: int, gap: float, click: float, shown: int, begin: float
) -> tuple[list[tuple], list[tuple]]:
    """One sitting: rows of lists and of clicks. gap: median seconds between lists; click: chance a product."""
    at = START + begin + np.cumsum(gap * rng.lognormal(0, 0.8, lists))
    rows, clicks = [], []
    for number, moment in enumerate(at):
        request = f"{name}-{begin:.3f}-{number}"
        when = datetime.fromtimestamp(moment, UTC)
        for place in range(shown):
            rows.append((request, f"q{number % 5}", name, when, f"p{place}", place + 1))
            if rng.random() < click:
                clicks.append((request, f"p{place}", "click", when, when, name))
    return rows, clicks


def world(seed: int, people: int, pace: float, kinds: tuple[str, ...]) -> tuple[Events, set[str], set[str]]:
    """People with busy and idle days at a pace of so many seconds a list; bots of these kinds, one each or more."""
    rng = np.random.default_rng(seed)
    shown, rows, clicks = int(rng.integers(3, 12)), list[tuple](), list[tuple]()
    keen = rng.beta(2, 14, people)
    for who in range(people):
        for _ in range(1 + rng.geometric(0.4)):
            lists = min(60, 1 + int(rng.lognormal(0.8, 0.9)))
            made = visits(rng, f"u{who}", lists, pace, keen[who], shown, rng.uniform(0, 20 * DAY))
            rows, clicks = rows + made[0], clicks + made[1]
    bots = set()
    for kind in kinds:
        for copy in range(max(1, people // 40)):
            name = f"bot-{kind}-{copy}"
            bots.add(name)
            lists = int(rng.integers(50, 150))
            gap, click = {"crawls": (pace / 10, 0.0), "fast": (pace / 15, 0.5), "clicks": (pace, 0.7)}[kind]
            made = visits(rng, name, lists, gap, click, shown, rng.uniform(0, 20 * DAY))
            rows, clicks = rows + made[0], clicks + made[1]
    names = ["request_id", "query_id", "shopper", "shown_at", "product_id", "position"]
    acted = ["request_id", "product_id", "action", "acted_at", "available_at", "shopper"]
    frames = pl.DataFrame(rows, schema=names, orient="row"), pl.DataFrame(clicks, schema=acted, orient="row")
    return Events(*frames), bots, {f"u{who}" for who in range(people)}


@pytest.mark.parametrize("pace", [15.0, 45.0, 120.0])
@pytest.mark.parametrize("people", [6, 30, 150])
def test_bots_are_found_and_people_stay(people: int, pace: float) -> None:
    found = thrown = bots = everyone = 0
    for seed in range(3):
        events, wrong, right = world(seed, people, pace, ("crawls", "fast", "clicks"))
        ledger = Ledger()
        left = set(clean_events(events, EventRules(), ledger).shown["shopper"])
        found, bots = found + len(wrong - left), bots + len(wrong)
        thrown, everyone = thrown + len(right - left), everyone + len(right)
        counted = {step.step: step.affected for step in ledger.steps if "bot" in step.step}
        gone = events.shown.filter(~pl.col("shopper").is_in(left)).height
        assert counted["shown to a bot (faster than people, or clicks nearly all)"] == gone
    assert found >= 0.9 * bots
    assert thrown <= 0.02 * everyone


@pytest.mark.parametrize("people", [1, 2, 5, 40])
def test_where_there_are_no_bots_people_stay(people: int) -> None:
    kept = [world(seed, people, 40.0, ()) for seed in range(4)]
    left = [set(clean_events(events, EventRules(), Ledger()).shown["shopper"]) for events, _, _ in kept]
    assert sum(map(len, left)) >= 0.98 * people * len(kept)


def test_busy_people_are_the_measure_where_all_are_busy() -> None:
    """Seventy lists an hour are a bot's among people of two, and nobody's among people of thirty."""
    rng = np.random.default_rng(0)

    def log(lists: int) -> set[str]:
        parts = [visits(rng, f"u{who}", lists, 60.0, 0.1, 4, who * DAY) for who in range(12)]
        parts.append(visits(rng, "busy", 70, 30.0, 0.1, 4, 0.0))
        rows = [row for part in parts for row in part[0]]
        names = ["request_id", "query_id", "shopper", "shown_at", "product_id", "position"]
        shown = pl.DataFrame(rows, schema=names, orient="row")
        return set(
            clean_events(Events(shown, Events.none().actions), EventRules(), Ledger()).shown["shopper"]
        )

    assert "busy" not in log(2)
    assert "busy" in log(30)
