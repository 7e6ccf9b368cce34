"""Training on clicks: each way learns, lists keep their order, and the choice follows what the log can tell."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from ltr.clicks import CannotTell, ShownLists
from ltr.data.dataset import Dataset
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig
from ltr.rankers.lists import mean_ndcg
from ltr.training.click_strategies import (
    STRATEGIES,
    Strategy,
    as_shown,
    choose_strategy,
    evenly_drawn,
    train,
)
from tests.ltr.clicks.click_worlds import lists_of, simulate

QUERIES, PRODUCTS = 30, 8
CONFIG = LightGBMConfig(trees=20, learning_rate=0.2, leaves=7, threads=1)
WORTH = np.random.default_rng(0).beta(1, 3, (QUERIES, PRODUCTS))


def features() -> Dataset:
    """Pairs as `lists_of` names them: pair q · 8 + p is product q · 8 + p of its query; one feature tells the worth."""
    number = np.arange(QUERIES * PRODUCTS)
    noise = np.random.default_rng(1).normal(0, 1, (3, len(number)))
    frame = pl.DataFrame(
        {
            "query_id": [f"q{n % QUERIES}" for n in number],
            "product_id": [f"{n:06d}" for n in number],
            "grade": WORTH[number % QUERIES, number // QUERIES],
            "good": WORTH[number % QUERIES, number // QUERIES] + 0.05 * noise[0],
            "noise": noise[1],
        }
    )
    return Dataset.from_frame(frame)


def logged(count: int, how: str) -> ShownLists:
    """how: even (any order), fixed (a bad ranker's order), or unknown (any order, nothing logged)."""
    rng = np.random.default_rng(2)
    query = rng.integers(0, QUERIES, count)
    lots = rng.random((count, PRODUCTS))
    order = np.argsort(
        lots if how != "fixed" else np.random.default_rng(3).random((QUERIES, PRODUCTS))[query], axis=1
    )
    alpha = np.take_along_axis(WORTH[query], order, axis=1)
    clicked = simulate("pbm", alpha, rng, 1 / np.arange(1.0, PRODUCTS + 1))
    chance = {"even": 1 / PRODUCTS, "fixed": 1.0, "unknown": np.nan}[how]
    return lists_of(
        order * QUERIES + query[:, None],
        clicked,
        propensity=np.full(order.shape, chance),
        queries=QUERIES,
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_way_learns_what_is_good(strategy: Strategy) -> None:
    data = features()
    ranker = train(strategy, logged(3000, "even"), data, CONFIG)
    random = mean_ndcg(np.zeros(len(data.X)), data.grades, data.groups, 5)
    assert mean_ndcg(ranker.score(data), data.grades, data.groups, 5) > random + 0.1


def test_shown_lists_keep_their_order_and_features() -> None:
    data, lists = features(), logged(50, "even")
    made = as_shown(lists, data)
    assert made.positions is not None
    clicked = lists.rows(lists.clicked.any(axis=1))
    assert len(made.groups) == len(clicked)
    assert (made.groups == PRODUCTS).all()
    assert made.positions.tolist() == list(range(PRODUCTS)) * len(clicked)
    first = made.frame["query_id"][0]
    row = clicked.request.to_list().index(first)
    pairs = clicked.pairs[clicked.item[row]].join(
        data.frame, on=["query_id", "product_id"], maintain_order="left"
    )
    np.testing.assert_allclose(made.X[:PRODUCTS, 0], pairs["good"].to_numpy(), rtol=1e-6)
    assert made.grades[:PRODUCTS].tolist() == clicked.clicked[row].astype(float).tolist()


def test_the_choice_follows_what_the_log_can_tell() -> None:
    data = features()
    fixed = choose_strategy(logged(600, "fixed"), data, CONFIG)
    assert fixed.strategy == "naive"
    assert "cannot tell" in fixed.why
    with pytest.raises(CannotTell):
        train("labels", logged(600, "fixed"), data, CONFIG)
    even = logged(1500, "even")
    assert evenly_drawn(even) == 1
    assert choose_strategy(even, data, CONFIG).strategy == "rates"
    unknown = logged(1500, "unknown")
    assert evenly_drawn(unknown) == 0
    choice = choose_strategy(unknown, data, CONFIG, ("naive", "labels", "position"))
    assert {one.strategy for one in choice.tried} == {"naive", "labels", "position"}
    surely = {one.strategy for one in choice.tried if one.gain > 2 * one.error} | {"naive"}
    assert choice.strategy in surely


def test_a_shown_pair_without_features_is_named() -> None:
    data = features().take(["q0", "q1"])
    with pytest.raises(InputError, match=r"expected every pair that was shown, got none of query 'q2'"):
        as_shown(logged(50, "even"), data)
