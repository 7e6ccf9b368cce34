"""The simulated people: the same for the same seed; what is logged and what is true agree with what happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ltr.demo.shop import DemoShop
from ltr.demo.shoppers import Policy, Shoppers, ShopperSettings
from ltr.demo.shoppers.browsing import browse, chances
from ltr.demo.shoppers.people import People
from tests.ltr.demo.shopper_world import bare_shop

PAIR = ["request_id", "product_id"]


@pytest.fixture(scope="module")
def shop() -> DemoShop:
    return bare_shop()


def settings(**given: Any) -> ShopperSettings:
    return ShopperSettings.model_validate(given)


def test_the_same_seeds_give_the_same_events_and_others_do_not(shop: DemoShop) -> None:
    shoppers = Shoppers(shop)
    policy = Policy(shoppers.worth, "best", "swap", 0.5)
    one, again, other = (
        Shoppers(shop).visit(policy, 200, seed=1),
        shoppers.visit(policy, 200, seed=1),
        shoppers.visit(policy, 200, seed=2),
    )
    for table in ("shown", "actions"):
        assert_frame_equal(getattr(one.events, table), getattr(again.events, table))
        assert not getattr(one.events, table).equals(getattr(other.events, table))
    assert_frame_equal(one.truth, again.truth)
    assert not set(one.events.shown["request_id"]) & set(other.events.shown["request_id"])


def test_more_people_begin_with_the_same_ones() -> None:
    few, many = People.draw(5, seed=3), People.draw(50, seed=3)
    np.testing.assert_array_equal(few.colours, many.colours[:5])
    np.testing.assert_array_equal(few.dearness, many.dearness[:5])


@pytest.mark.parametrize("examination", ["position", "cascade", "dynamic-bayesian", "trust"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"strength": 0},
        {"layout": "grid", "columns": 3},
        {"fold": 2, "scrolls": 0.3},
        {"layout": "grid", "columns": 2, "fold": 4, "strength": 2.0},
    ],
)
def test_exact_chances_are_what_happens(examination: str, more: dict[str, Any]) -> None:
    rng = np.random.default_rng(5)
    world = settings(examination=examination, shown=6, **more)
    attraction, satisfaction = (np.tile(rng.random(6) * 0.7, (20_000, 1)) for _ in range(2))
    seen, clicked = browse(world, attraction, satisfaction, rng)
    expected = chances(world, attraction, satisfaction)
    for happened, chance in zip((seen, clicked), expected, strict=True):
        error = np.sqrt(chance[0] * (1 - chance[0]) / 20_000)
        assert (np.abs(happened.mean(axis=0) - chance[0]) <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("exploration", ["none", "swap", "shuffle", "random"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("found", [1, 3, 7])
def test_propensities_are_the_frequencies(exploration: Any, share: float, found: int) -> None:
    scores = np.where(np.arange(9) < found, -np.arange(9.0), -np.inf)[None, :]
    policy = Policy(scores, "p", exploration, share)
    count = 20_000
    shown = policy.show(
        np.zeros(count, dtype=np.int64), np.zeros(count), np.zeros(9), 5, np.random.default_rng(1)
    )
    assert shown.filled.sum(axis=1).tolist() == [min(5, found)] * count
    for place in range(min(5, found)):
        for product in range(found):
            here = shown.products[:, place] == product
            chance = np.unique(shown.propensity[here, place].round(12))
            assert len(chance) <= 1
            expected = chance[0] if len(chance) else 0.0
            assert abs(here.mean() - expected) <= 5 * np.sqrt(0.25 / count)
    assert np.isnan(shown.propensity[~shown.filled]).all()


def test_nobody_sees_a_product_before_it_has_come(shop: DemoShop) -> None:
    shoppers = Shoppers(shop, settings(new_products=0.5, weeks=2, bots=0))
    shown = shoppers.visit(Policy(shoppers.worth), 400).events.shown
    arrives = pl.DataFrame({"product_id": shop.products["product_id"], "day": shoppers.arrives})
    start = pl.lit(shoppers.settings.starts).dt.replace_time_zone("UTC")
    day = (pl.col("shown_at") - start).dt.total_seconds(fractional=True) / 86_400
    joined = shown.join(arrives, on="product_id").with_columns(at=day)
    assert (joined["at"] >= joined["day"] - 1e-6).all()
    assert (joined["day"] > 0).any()


def test_actions_follow_one_another_and_bots_never_buy(shop: DemoShop) -> None:
    shoppers = Shoppers(shop, settings(bots=0.1, carts=0.9, buys=0.9, returns=0.5, late=0.2))
    visit = shoppers.visit(Policy(shoppers.worth), 1500)
    actions = visit.events.actions
    assert (actions["available_at"] > actions["acted_at"]).all()
    first = actions.group_by(*PAIR, "action").agg(pl.col("acted_at").min())
    wide = first.pivot("action", index=PAIR, values="acted_at")
    assert wide["click"].null_count() == 0
    for before, after in (("click", "cart"), ("cart", "purchase"), ("purchase", "return")):
        both = wide.drop_nulls(after)
        assert both.height > 20
        assert (both[after] > both[before]).all()
    bots = visit.truth.filter("bot").select(PAIR)
    theirs = actions.join(bots, on=PAIR, how="semi")
    assert theirs["action"].unique().to_list() == ["click"]
    assert theirs.height / bots.height == pytest.approx(0.5, abs=0.05)
    assert (actions["value"].is_not_null() == actions["action"].is_in(["purchase", "return"])).all()


def test_better_orders_earn_more_and_their_expectation_is_what_is_clicked(shop: DemoShop) -> None:
    shoppers = Shoppers(shop, settings(bots=0, repeats=0))
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.5, shoppers.worth.shape)
    earned = []
    for scores in (shoppers.worth, shoppers.worth + noise, rng.random(noise.shape)):
        visit = shoppers.visit(Policy(scores), 1500)
        earned.append(visit.clicks_expected())
        clicks = visit.events.actions.filter(action="click").height
        lists = visit.events.shown["request_id"].n_unique()
        assert clicks / lists == pytest.approx(earned[-1], abs=0.1)
    assert earned[0] > earned[1] > earned[2]


def test_a_shopper_stays_in_one_arm(shop: DemoShop) -> None:
    shoppers = Shoppers(shop)
    rng = np.random.default_rng(0)
    arms = {
        "old": Policy(rng.random(shoppers.worth.shape), "run 1"),
        "new": Policy(shoppers.worth, "run 2"),
    }
    visit = shoppers.visit(arms, 800)
    by_shopper = visit.events.shown.group_by("shopper").agg(pl.col("arm", "run").n_unique())
    assert by_shopper["arm"].unique().to_list() == [1]
    shares = visit.events.shown.unique("request_id")["arm"].value_counts(normalize=True)
    assert shares["proportion"].min() > 0.35
    joined = visit.truth.join(visit.events.shown, on=[*PAIR, "position"])
    gains = joined.group_by("arm").agg(pl.col("click_chance").mean()).sort("arm")["click_chance"]
    assert gains[0] > gains[1]


def test_taste_is_personal_and_weeks_differ(shop: DemoShop) -> None:
    plain = Shoppers(shop, settings(taste=0, drift=0, new_products=0))
    worth = plain.visit(Policy(plain.worth), 300).truth
    listed = plain.visit(Policy(plain.worth), 300).events.shown
    spread = (
        worth.with_columns(listed["query_id"]).group_by("query_id", "product_id").agg(pl.col("worth").std())
    )
    assert spread["worth"].fill_null(0).max() < 1e-12
    own = Shoppers(shop, settings(taste=0.3, drift=0.5, weeks=6))
    visit = own.visit(Policy(own.worth), 3000)
    by_product = (
        visit.truth.with_columns(visit.events.shown["query_id"])
        .group_by("query_id", "product_id")
        .agg(pl.col("worth").std())
    )
    assert by_product["worth"].fill_null(0).mean() > 0.05
    asked = visit.events.shown.unique("request_id").with_columns(week=pl.col("shown_at").dt.week())
    mixes = asked.group_by("week").agg(share=pl.col("query_id").value_counts(normalize=True, sort=True))
    tops = [row[0]["query_id"] for row in mixes.sort("week")["share"]]
    assert len(tops) == 6
    assert len({tuple(row[:3].struct.field("query_id")) for row in mixes["share"]}) > 1


def test_a_policy_of_a_ranker_shows_what_it_ranks(shop: DemoShop) -> None:
    products = shop.products["product_id"]

    def ranker(query_id: str) -> pl.DataFrame:
        rows = products.gather([int(query_id[1:]), 50, 51])
        return pl.DataFrame({"product_id": rows, "score": [1.0, 3.0, 2.0]})

    policy = Policy.of(shop, ranker, "three")
    shoppers = Shoppers(shop, settings(new_products=0))
    shown = shoppers.visit(policy, 50).events.shown
    assert shown["position"].max() == 3
    assert set(shown.filter(position=1)["product_id"]) == {products[50]}
    assert set(shown["run"]) == {"three"}
