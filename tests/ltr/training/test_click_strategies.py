"""Training on clicks: each way learns, lists keep their order, and the choice follows what the log can tell."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from ltr.clicks import CannotTell, ShownLists
from ltr.data.dataset import Dataset
from ltr.rankers import RankerSettings, XGBoostConfig, parse_settings
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig
from ltr.rankers.lists import mean_ndcg
from ltr.training.click_rows import as_shown
from ltr.training.click_settings import STRATEGIES, Strategy
from ltr.training.click_smoothing import prior_views, smoothed
from ltr.training.click_strategies import choose_strategy, evenly_drawn, refusal, settings_for, train
from tests.ltr.clicks.click_worlds import lists_of, simulate

QUERIES, PRODUCTS = 30, 8
CONFIG = LightGBMConfig(trees=20, learning_rate=0.2, leaves=7, threads=1)
XGBOOST = XGBoostConfig(trees=20, learning_rate=0.2, leaves=7, threads=1)
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
    ranker = train(strategy, logged(3000, "even"), data, XGBOOST if strategy == "unbiased" else CONFIG)
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
    assert choose_strategy(even, data, CONFIG).strategy == "smoothed"
    unknown = logged(1500, "unknown")
    assert evenly_drawn(unknown) == 0
    choice = choose_strategy(unknown, data, CONFIG)
    assert (choice.strategy, choice.tried) == ("naive", ())
    assert "drawn by lot" in choice.why
    some = dataclasses.replace(
        even, propensity=np.broadcast_to(np.where(np.arange(PRODUCTS) < 4, 0.1, 0.2), even.item.shape)
    )
    choice = choose_strategy(some, data, CONFIG, ("naive", "labels", "positions"))
    assert {one.strategy for one in choice.tried} == {"naive", "labels", "positions"}
    surely = {one.strategy for one in choice.tried if one.gain > 2 * one.error} | {"naive"}
    assert choice.strategy in surely


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
@pytest.mark.parametrize("shown", [1, 2, 5])
def test_lots_are_even_where_every_place_is_as_likely_and_no_likelier(share: float, shown: int) -> None:
    """A list in its ranker's own order, though some are shuffled, has propensities that are alike as well."""
    products, count = 8, 40
    chance = share / products + (1 - share)
    lists = lists_of(
        np.tile(np.arange(shown), (count, 1)),
        np.zeros((count, shown)),
        propensity=np.full((count, shown), chance),
    )
    assert evenly_drawn(lists) == (1.0 if share == 1 else 0.0)


def test_a_shown_pair_without_features_is_named() -> None:
    data = features().take(["q0", "q1"])
    with pytest.raises(InputError, match=r"expected every pair that was shown, got none of query 'q[^01]'"):
        as_shown(logged(50, "even"), data)


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost", "logistic", "mlp"])
def test_what_a_ranker_cannot_do_is_refused_with_one_that_can(kind: str) -> None:
    config: RankerSettings = parse_settings({"kind": kind})
    refused = {one for one in STRATEGIES if refusal(one, config)}
    wanted = {"lightgbm": {"unbiased"}, "xgboost": {"positions"}}.get(kind, {"positions", "unbiased"})
    assert refused == wanted
    for strategy in refused:
        with pytest.raises(InputError, match=rf"train\.clicks\.strategy: .*{strategy}.*choose ranker"):
            settings_for(strategy, config)
    drawn = LightGBMConfig(objective="rank_xendcg")
    assert "lambdarank" in refusal("positions", drawn)


@pytest.mark.parametrize("views", [2.0, 20.0, 2000.0])
def test_rates_are_drawn_to_their_features_the_more_the_fewer_views(views: float) -> None:
    data, rng = features(), np.random.default_rng(4)
    truth = np.clip(data.grades, 0, 1)
    seen = np.full(len(truth), views)
    rates = rng.binomial(int(views), truth) / views
    found = smoothed(rates, seen, data)
    if views < 100:
        assert np.mean((found - truth) ** 2) < 0.8 * np.mean((rates - truth) ** 2)
    else:
        np.testing.assert_allclose(found, rates, atol=0.02)


def test_how_much_the_prior_weighs_is_found_again() -> None:
    rng = np.random.default_rng(5)
    mean, strength, views = rng.uniform(0.05, 0.4, 20_000), 12.0, rng.integers(5, 60, 20_000)
    truth = rng.beta(mean * strength, (1 - mean) * strength)
    rates = rng.binomial(views, truth) / views
    assert prior_views(rates, views.astype(float), mean) == pytest.approx(strength, rel=0.1)
    assert prior_views(rng.binomial(views, mean) / views, views.astype(float), mean) > 200
