"""Rules against brute force, nothing learnt from the future, and a world whose order is known."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.sources.events import Events
from ltr.recommendation import (
    CoOccurrence,
    GraphWalk,
    Histories,
    Likeness,
    Popularity,
    RankedRecommender,
    Recency,
    Recommender,
    SessionNeighbours,
    Transitions,
    all_rules,
    best_of,
    compare_recommenders,
    measure,
    moment_of,
    steps_of,
)

START = datetime(2024, 5, 1)
LOGS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 40)), min_size=1, max_size=60)


def histories_of(rows: list[tuple[int, int, int]], shuffle: int | None = None) -> Histories:
    """rows: session, product, hour."""
    if shuffle is not None:
        rows = [rows[place] for place in np.random.default_rng(shuffle).permutation(len(rows))]
    return Histories.of(
        pl.DataFrame(
            {
                "session": [f"s{session}" for session, _, _ in rows],
                "product_id": [f"p{product}" for _, product, _ in rows],
                "at": [START + timedelta(hours=hour) for *_, hour in rows],
            }
        )
    )


@given(LOGS, st.integers(0, 9))
def test_histories_are_those_of_the_table_in_any_order(rows: list[tuple[int, int, int]], seed: int) -> None:
    found = histories_of(rows, seed)
    assert len(found.product) == len(rows)
    for place, own in enumerate(found):
        session = found.sessions[place]
        mine = sorted((hour, f"p{product}") for s, product, hour in rows if f"s{s}" == session)
        assert found.products.gather(own).to_list() == [product for _, product in mine]
    ends = found.at[found.starts[1:] - 1]
    assert (np.diff(ends) >= 0).all()


@given(LOGS, st.integers(0, 41))
def test_before_and_ending_from_part_the_log(rows: list[tuple[int, int, int]], hour: int) -> None:
    whole, cut = histories_of(rows), moment_of(START + timedelta(hours=hour))
    early = whole.before(cut)
    assert len(early.product) == sum(h < hour for *_, h in rows)
    late = whole.ending_from(cut)
    kept = {f"s{s}" for s, _, h in rows if h >= hour}
    assert set(late.sessions) == kept
    assert early.products.equals(late.products)


@given(LOGS)
@settings(max_examples=50)
def test_pairs_and_sequences_are_counted_as_one_would(rows: list[tuple[int, int, int]]) -> None:
    histories = histories_of(rows)
    pairs, after = CoOccurrence(reach=1), Transitions(reach=1)
    pairs.fit(histories)
    after.fit(histories)
    together: Counter[tuple[int, int]] = Counter()
    followed: Counter[tuple[int, int]] = Counter()
    ends = zip(histories.starts[:-1], histories.starts[1:], strict=True)
    for own, at in ((histories.product[a:b], histories.at[a:b]) for a, b in ends):
        for one in set(own.tolist()):
            together.update((one, other) for other in set(own.tolist()) - {one})
        for first in range(len(own)):
            for step in range(1, min(10, len(own) - 1 - first) + 1):
                later = at[first + step] > at[first]
                followed[int(own[first]), int(own[first + step])] += later / step  # type: ignore[assignment]
    for product in range(histories.count):
        asked = np.array([product])
        expected = [together[product, other] for other in range(histories.count)]
        assert pairs.scores(asked).tolist() == expected
        steps = [followed[product, other] for other in range(histories.count)]
        assert after.scores(asked) == pytest.approx(steps)


def _every_rule(count: int) -> list[Recommender]:
    vectors = np.random.default_rng(0).normal(size=(count, 4))
    return [*all_rules(), Likeness(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))]


@given(LOGS, st.lists(st.integers(0, 7), max_size=6))
@settings(max_examples=40)
def test_every_rule_answers_any_history(rows: list[tuple[int, int, int]], asked: list[int]) -> None:
    """A score for each product, none below 0, the same whatever the order of the table's rows."""
    histories = histories_of(rows)
    history = np.array([product % histories.count for product in asked], dtype=np.int64)
    for one, other in zip(_every_rule(histories.count), _every_rule(histories.count), strict=True):
        one.fit(histories)
        other.fit(histories_of(rows, 3))
        scores = one.scores(history)
        assert scores.shape == (histories.count,)
        assert np.isfinite(scores).all()
        assert (scores >= 0).all()
        assert scores == pytest.approx(other.scores(history))


def test_neighbours_prefer_those_that_share_more_and_later() -> None:
    log = [(0, 0, 1), (0, 1, 2), (0, 5, 3), (1, 0, 1), (1, 6, 2), (2, 3, 1), (2, 7, 2)]
    rule = SessionNeighbours()
    rule.fit(histories_of(log))
    found = histories_of(log)
    scores = dict(zip(found.products, rule.scores(found.rows_of(["p0", "p1"])), strict=True))
    assert scores["p5"] > scores["p6"] > 0
    assert scores["p7"] == scores["p3"] == 0


def test_a_walk_reaches_what_no_history_links_directly() -> None:
    log = [(0, 0, 1), (0, 1, 2), (1, 1, 1), (1, 2, 2), (2, 4, 1), (2, 5, 2)]
    walk, pairs = GraphWalk(), CoOccurrence()
    for rule in (walk, pairs):
        rule.fit(histories_of(log))
    assert pairs.scores(np.array([0]))[2] == 0
    assert walk.scores(np.array([0]))[1] > walk.scores(np.array([0]))[2] > 0
    assert walk.scores(np.array([0]))[3:].sum() == 0


def test_popularity_forgets_and_recency_remembers() -> None:
    log = [(0, 1, 0), (1, 1, 1), (2, 2, 24 * 60)]
    popular, recent = Popularity(half_life_days=7), Recency()
    for rule in (popular, recent):
        rule.fit(histories_of(log))
    assert popular.scores(np.zeros(0, dtype=np.int64)).argmax() == 1  # p2: the last one
    assert best_of(recent.scores(np.array([0, 1, 0])), 5).tolist() == [0, 1]


def world(days: int = 6, a_day: int = 150, seed: int = 0) -> Histories:
    """Each product is followed by the next one of its ring of five, nearly always: a transition rule is right."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(days * a_day):
        place = int(rng.integers(40))
        at = number / a_day * 24
        for step in range(4):
            rows.append((number, place, at + step / 100))
            ring = place // 5 * 5
            place = ring + (place - ring + 1) % 5 if rng.random() < 0.9 else int(rng.integers(40))
    frame = pl.DataFrame(
        {
            "session": [f"s{row[0]}" for row in rows],
            "product_id": [f"p{row[1]:02}" for row in rows],
            "at": [START + timedelta(hours=row[2]) for row in rows],
        }
    )
    return Histories.of(frame)


def test_the_ranker_finds_the_rule_that_holds() -> None:
    trial = compare_recommenders(world(), all_rules(), days=1, candidates=15, learn_days=2, k=1)
    rates = {name: found.hits.mean() for name, found in trial.found.items()}
    assert rates["transitions"] > 0.8
    assert rates["popularity"] < 0.1
    assert rates["ranked"] > rates["transitions"] - 0.03
    assert trial.best == "transitions"
    table = trial.table()
    assert set(table["way"]) == {*rates}
    assert "the best plain rule" in trial.in_words


def test_training_steps_are_not_counted_in_what_they_are_found_by() -> None:
    """Products that are drawn anew for each step: nothing can be known of them, and nothing is claimed.

    Many happen at one moment, where the order of ids must not tell which "came next".
    """
    rng = np.random.default_rng(1)
    rows = [(n // 3, int(rng.integers(60)), n // 50) for n in range(4500)]
    trial = compare_recommenders(histories_of(rows), all_rules(), days=1, candidates=15, learn_days=1)
    chance = 20 / 60
    assert trial.found["ranked"].hits.mean() < chance + 0.08


def test_too_little_to_learn_from_leaves_the_first_rule() -> None:
    small = world(days=2, a_day=15)
    ranked = RankedRecommender(all_rules(), candidates=10)
    ranked.fit(small)
    assert not ranked.learned
    history = small.product[:2]
    assert (
        ranked.recommend(history, 5).tolist() == best_of(ranked.recommenders[0].scores(history), 5).tolist()
    )


def test_intervals_are_by_session() -> None:
    steps = steps_of(world(days=1, a_day=40))
    found = measure(steps, lambda history: history[-1:], k=1)
    estimate = found.mean(found.hits)
    assert estimate.units == 40
    assert estimate.value == pytest.approx(found.hits.mean())


def test_events_become_histories_of_sessions_or_shoppers() -> None:
    at = pl.Series([START, START + timedelta(hours=1), START + timedelta(hours=2)])
    actions = pl.DataFrame(
        {
            "product_id": ["a", "b", "c"],
            "action": ["click", "purchase", "return"],
            "acted_at": at,
            "available_at": at,
            "session": ["x", "y", "y"],
            "shopper": ["u", "u", "u"],
        }
    )
    events = Events(Events.none().shown, actions)
    assert len(Histories.of_events(events)) == 2
    by_shopper = Histories.of_events(events, "shopper")
    assert by_shopper.products.gather(by_shopper.product).to_list() == ["a", "b"]  # a return is no interest


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"session": ["a"], "product_id": ["p"]}),
        pl.DataFrame(
            {"session": [None], "product_id": ["p"], "at": [START]}, schema_overrides={"session": pl.String}
        ),
    ],
)
def test_tables_without_histories_are_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(InputError):
        Histories.of(frame)
    with pytest.raises(InputError, match="trial"):
        compare_recommenders(world(days=1, a_day=5), all_rules(), days=30)
