"""Labels from clicks where the truth is known: nearer to it than click rates, refused where nothing can be told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from features.sources.events import Events
from ltr.clicks import CannotTell, ShownLists, agreement, disagreements, label, mixed, on_human_scale
from ltr.clicks.lists import PAIR
from ltr.demo.shoppers import Policy, Shoppers, ShopperSettings
from tests.ltr.demo.shopper_world import bare_shop


def visited(sessions: int = 2500, **given: Any) -> tuple[ShownLists, pl.DataFrame]:
    """Lists of a weak ranker with some lists shuffled, and each pair's true attraction."""
    shop = bare_shop(200, 40)
    exploration = given.pop("exploration", "shuffle")
    settings = ShopperSettings.model_validate({"bots": 0, "new_products": 0, "drift": 0} | given)
    shoppers = Shoppers(shop, settings)
    noise = np.random.default_rng(0).normal(0, 0.3, shoppers.worth.shape)
    visit = shoppers.visit(Policy(shoppers.worth + noise, "weak", exploration, 0.3), sessions)
    truth = visit.truth.with_columns(visit.events.shown["query_id"])
    return ShownLists.of(visit.events), truth.group_by(PAIR).agg(grade=pl.col("attraction").mean())


@pytest.mark.parametrize("examination", ["position", "dynamic-bayesian"])
def test_labels_are_nearer_to_the_truth_than_click_rates(examination: str) -> None:
    lists, truth = visited(examination=examination)
    error = {}
    for seen in ("automatic", "naive"):
        found = label(lists, seen)  # type: ignore[arg-type]
        both = found.judgements.join(truth, on=PAIR, suffix="_true").filter(pl.col("effective_size") > 2)
        error[seen] = float((both["rate"] - both["grade_true"]).pow(2).mean() ** 0.5)  # type: ignore[operator]
        assert found.judgements["grade"].is_between(0, 3).all()
        assert found.judgements["weight"].is_between(0, 1, closed="left").all()
        assert (found.judgements["effective_size"] <= found.judgements["shown"] + 1e-9).all()
    assert error["automatic"] < 0.8 * error["naive"]


def test_lists_that_never_change_are_refused_but_for_naive() -> None:
    lists, _ = visited(400, exploration="none")
    with pytest.raises(CannotTell, match=r"0\.0% of rows are of pairs seen at two places or more"):
        label(lists)
    assert label(lists, "naive").judgements.height


def test_a_cascade_is_read_as_one() -> None:
    lists, _ = visited(1500, examination="cascade")
    found = label(lists)
    assert found.counted.model is not None
    assert found.models[0].key in ("cascade", "sdbn", "dbn", "ubm")


def test_clipped_places_are_counted() -> None:
    lists, _ = visited(1500, strength=1.0)
    assert label(lists, "places", clip=0.3).clipped > label(lists, "places", clip=0.01).clipped == 0


def events(rows: list[tuple[str, str, int]], actions: list[tuple[str, str, str, float]]) -> Events:
    """rows: request, product, position; actions: request, product, action, hours after showing."""
    start = pl.datetime(2024, 1, 1, time_zone="UTC")
    shown = pl.DataFrame(rows, schema=["request_id", "product_id", "position"], orient="row").with_columns(
        query_id=pl.lit(None, pl.String), text=pl.lit(" Red Shoes"), shown_at=start
    )
    acted = pl.DataFrame(
        actions,
        schema={"request_id": pl.String, "product_id": pl.String, "action": pl.String, "hours": pl.Float64},
        orient="row",
    ).with_columns(acted_at=start + pl.duration(minutes=pl.col("hours") * 60))
    return Events(shown, acted.with_columns(available_at="acted_at"))


def test_lists_count_what_they_leave_out() -> None:
    rows = [("a", "x", 1), ("a", "y", 2), ("a", "y", 3), ("a", "z", 3), ("b", "y", 1), ("b", "w", 9)]
    acts = [("a", "x", "click", 1.0), ("a", "x", "click", 2.0), ("b", "y", "cart", 5.0)]
    more = [("b", "y", "click", 4.0), ("a", "gone", "click", 1.0), ("a", "y", "click", 200.0)]
    found = ShownLists.of(
        events(rows, acts + more), places=5, window=timedelta(days=2), values={"click": 1.0, "cart": 2.0}
    )
    assert found.pairs.rows() == [("red shoes", "x"), ("red shoes", "y")]
    assert found.item.tolist() == [[0, 1], [1, -1]]
    assert found.clicked.tolist() == [[True, False], [True, False]]
    assert found.value.tolist() == [[0.5, 0.0], [1.0, 0.0]]
    assert found.left_out == {
        "shown without a query": 0,
        "below place 5": 1,
        "a place or product twice in a list": 2,
        "actions on nothing shown": 1,
        "actions outside the window": 1,
        "actions repeated on a row": 2,
    }


def test_nothing_shown_is_an_error() -> None:
    with pytest.raises(InputError, match="expected shown lists of a known query, got none"):
        ShownLists.of(Events.none())


@pytest.fixture(scope="module")
def judged() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Judgements of 60 pairs, and human ones that rise with the rate."""
    rng = np.random.default_rng(1)
    rate = rng.random(60)
    pairs = pl.DataFrame(
        {"query_id": [f"q{i % 6}" for i in range(60)], "product_id": [f"p{i:02d}" for i in range(60)]}
    )
    ours = pairs.with_columns(grade=rate * 3, rate=rate, weight=0.5, effective_size=30.0)
    return ours, pairs.with_columns(grade=4 * rate + rng.normal(0, 0.2, 60))


def test_the_human_scale_is_met_and_mixing_weighs(judged: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    ours, human = judged
    scaled, fitted = on_human_scale(ours, human)
    assert fitted
    assert float((scaled["grade"] - human["grade"]).abs().mean()) < 0.3  # type: ignore[arg-type]
    both = mixed(scaled, human.head(50), 30.0)
    half = (scaled["grade"].head(50) + human["grade"].head(50)) / 2
    joined = pl.concat([scaled.head(50).select(PAIR), half.to_frame("half")], how="horizontal").join(
        both, on=PAIR
    )
    assert float((joined["half"] - joined["grade"]).abs().max()) < 1e-9  # type: ignore[arg-type]
    assert both["source"].value_counts().sort("source").rows() == [("both", 50), ("clicks", 10)]
    alone = mixed(ours.head(10), human, 0.0).sort(PAIR).filter(source="human")
    assert (
        alone.join(human, on=PAIR).select((pl.col("grade") - pl.col("grade_right")).abs().max()).item() == 0
    )


def test_agreement_rises_with_what_agrees(judged: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    ours, human = judged
    found = agreement(ours, human)
    assert found is not None
    assert found.spearman > 0.9
    assert found.interval[0] <= found.kendall <= found.interval[1]
    backwards = agreement(ours.with_columns(rate=-pl.col("rate")), human)
    assert backwards is not None
    assert backwards.spearman == pytest.approx(-found.spearman)
    assert on_human_scale(ours.with_columns(rate=-pl.col("rate")), human)[1] is False
    assert agreement(ours, human.head(1)) is None
    worst = disagreements(on_human_scale(ours, human)[0], human, 3)
    assert worst["force"].is_sorted(descending=True)
    assert worst.height == 3
