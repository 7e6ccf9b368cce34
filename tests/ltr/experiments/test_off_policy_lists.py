"""List estimators by enumeration: each is the truth where its assumption holds, and not where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from ltr.experiments import Columns, OffPolicySettings, judge_off_policy
from ltr.experiments.estimates import mean_of
from ltr.experiments.off_policy import list_estimators as of_lists
from ltr.experiments.off_policy.lists import ListLog, reward_to_come
from ltr.experiments.off_policy.plackett_luce import (
    all_rankings,
    next_chances,
    place_chances,
    ranking_chances,
    taken,
)
from tests.ltr.experiments.off_policy_worlds import ListShop, list_shop

SOUND = {  # under which click behaviour each is the truth
    "whole list": ("independent", "cascade", "whole"),
    "reward-interaction": ("independent", "cascade"),
    "cascade-dr": ("independent", "cascade"),
    "item-position": ("independent",),
    "pseudo-inverse": ("independent",),
}


def values_of(log: ListLog) -> dict[str, np.ndarray]:
    """What each estimator makes of each list (n,)."""
    conditional = log.conditional
    rankings = log.rankings
    assert rankings is not None
    rng = np.random.default_rng(0)  # any model of a list's items up to a place
    codes = np.cumsum((log.shown + 1) * 7 ** np.arange(log.shown.shape[1]), axis=1)
    expected = rng.normal(size=codes.max() + 1)[codes]
    before = _mean_over_next(log, expected)
    found = {
        "whole list": of_lists.whole_list(log.rewards, conditional),
        "reward-interaction": of_lists.reward_interaction(log.rewards, conditional),
        "cascade-dr": of_lists.cascade_dr(log.rewards, conditional, expected, before),
        "item-position": of_lists.item_position(log.rewards, log.marginal),
        "pseudo-inverse": of_lists.pseudo_inverse(log.rewards, log.logging, log.target, log.shown, rankings),
    }
    return {name: estimate.value + estimate.influence for name, estimate in found.items()}


def _mean_over_next(log: ListLog, expected: np.ndarray) -> np.ndarray:
    """Mean of `expected` over the new ranker's next item given those above, by going through all lists."""
    target = taken(log.target_next, log.shown)
    before = np.zeros_like(expected)
    for row, shown in enumerate(log.shown):
        for place in range(len(shown)):
            alike = (log.shown[:, :place] == shown[:place]).all(axis=1)
            _, first = np.unique(log.shown[alike, place], return_index=True)
            before[row, place] = (target[alike, place] * expected[alike, place])[first].sum()
    return before


@pytest.mark.parametrize("kind", ["independent", "cascade", "whole"])
@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("seed", [0, 1])
def test_expectation_is_the_truth_where_the_assumption_holds(kind: str, name: str, seed: int) -> None:
    shop = list_shop(kind, seed)
    found = float(shop.chances @ values_of(shop.whole())[name])
    if kind in SOUND[name]:
        assert found == pytest.approx(shop.truth, abs=1e-9)
    else:
        assert abs(found - shop.truth) > 5e-4


def test_chances_of_rankings() -> None:
    scores = np.array([0.3, -0.2, 1.0, 0.0])
    rankings = all_rankings(4, 3)
    chances = ranking_chances(scores, rankings)
    force = np.exp(scores)
    first = rankings[5]
    expected = 1.0
    for place, item in enumerate(first):
        expected *= force[item] / force[[i for i in range(4) if i not in first[:place]]].sum()
    assert chances.sum() == pytest.approx(1)
    assert chances[5] == pytest.approx(expected)
    assert place_chances(scores[None], 3)[0].sum(axis=1) == pytest.approx([1, 1, 1])
    drawn = next_chances(np.tile([0.0, -np.inf, 1.0, 2.0], (1, 1)), np.array([[3, 2]]))
    assert drawn[0, :, 1].tolist() == [0, 0]
    assert drawn.sum(axis=2) == pytest.approx(np.ones((1, 2)))


@given(
    st.lists(st.floats(-30, 30) | st.just(-np.inf), min_size=2, max_size=6).filter(
        lambda scores: np.isfinite(scores).sum() > 1
    ),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_chances_of_places_are_those_of_every_ranking(scores: list[float], length: int) -> None:
    known = np.array(scores)
    length = min(length, int(np.isfinite(known).sum()))
    rankings = all_rankings(len(known), length)
    rankings = rankings[np.isfinite(known[rankings]).all(axis=1)]
    chances = ranking_chances(known, rankings)
    summed = np.zeros((length, len(known)))
    for place in range(length):
        np.add.at(summed[place], rankings[:, place], chances)
    assert place_chances(known[None], length)[0] == pytest.approx(summed, abs=1e-9)


def test_chances_of_places_of_many_candidates() -> None:
    """Far too many rankings to go through: each place takes one, nobody twice, better ones sooner."""
    scores = np.random.default_rng(0).normal(size=(3, 60))
    found = place_chances(scores, 5)
    assert found.sum(axis=2) == pytest.approx(np.ones((3, 5)))
    assert (found.sum(axis=1) <= 1 + 1e-9).all()
    assert found[:, 0] == pytest.approx(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))
    order = np.argsort(scores, axis=1)
    assert (np.diff(np.take_along_axis(found.sum(axis=1), order, axis=1), axis=1) > 0).all()


@pytest.mark.parametrize("kind", ["independent", "cascade"])
def test_intervals_of_lists_cover_the_truth(kind: str) -> None:
    """500 logs; the weights of a ranking are the same in each, so that they are found once."""
    shop = list_shop(kind, 2)
    whole = shop.whole()
    conditional, marginal = whole.conditional, whole.marginal
    inverse = of_lists.pseudo_inverse_weights(whole.logging, whole.target, whole.shown, whole.rankings)
    covered: dict[str, list[bool]] = {}
    for seed in range(500):
        log, drawn = shop.log(500, seed), shop.draw(500, seed)
        up_to = conditional[drawn]
        found = {
            "whole list": of_lists.whole_list(log.rewards, up_to),
            "reward-interaction": of_lists.reward_interaction(log.rewards, up_to),
            "item-position": of_lists.item_position(log.rewards, marginal[drawn]),
            "pseudo-inverse": mean_of(inverse[drawn] * log.rewards.sum(axis=1)),
        }
        if kind == "cascade":
            found["cascade-dr"] = of_lists.cascade_dr(log.rewards, up_to, *reward_to_come(log))
        for name, estimate in found.items():
            low, high = estimate.interval()
            covered.setdefault(name, []).append(low <= shop.truth <= high)
    for name, behaviours in SOUND.items():
        if kind in behaviours and name in covered:
            assert 0.93 <= np.mean(covered[name]) <= 0.97, name


def test_the_reward_model_lowers_the_noise() -> None:
    shop = list_shop("cascade", 3)
    errors = []
    for seed in range(150):
        log = shop.log(400, seed)
        robust = of_lists.cascade_dr(log.rewards, log.conditional, *reward_to_come(log))
        plain = of_lists.reward_interaction(log.rewards, log.conditional)
        errors.append((robust.value - shop.truth, plain.value - shop.truth))
    assert np.std(errors, axis=0)[0] < np.std(errors, axis=0)[1]


def test_the_model_is_fitted_out_of_fold() -> None:
    log = list_shop("cascade", 4).log(60, 0)
    expected, before = reward_to_come(log)
    changed = ListLog(log.logging, log.target, log.item, log.shown, log.rewards.copy())
    changed.rewards[0] += 100
    again, _ = reward_to_come(changed)
    assert again[0] == pytest.approx(expected[0])  # its own reward says nothing of its own expectation
    assert np.isfinite(before).all()


def table_of(shop: ListShop, lists: int, seed: int = 0) -> pl.DataFrame:
    log = shop.log(lists, seed)
    rows: list[dict[str, Any]] = []
    for number in range(lists):
        place = {int(item): k for k, item in enumerate(log.shown[number])}
        rows += [
            {
                "query": f"q{number}",
                "item": f"i{item}",
                "place": place[item] + 1 if item in place else None,
                "click": log.rewards[number, place[item]] if item in place else None,
                "old": shop.logging[item],
                "new": shop.target[item],
            }
            for item in range(len(shop.logging))
        ]
    return pl.DataFrame(rows)


LISTS = OffPolicySettings(
    data=Path("log"),
    reward="click",
    list="query",
    action="item",
    position="place",
    logging_score="old",
    target_score="new",
)


def test_lists_from_a_table() -> None:
    shop = list_shop("cascade", 5)
    outcome = judge_off_policy(LISTS, Columns(table_of(shop, 1500)))
    assert outcome.says in {"yes", "no"}
    first = outcome.figures["estimates"][0]
    assert first["estimator"] == "cascade-dr"
    assert first["low"] < shop.truth < first["high"]


def test_an_assumption_that_does_not_hold_is_refuted() -> None:
    shop = list_shop("cascade", 5)
    checks = judge_off_policy(LISTS, Columns(table_of(shop, 6000))).checks
    state = {check.name: check.state for check in checks}
    assert state["assumption of item-position"] == "WARN"
    assert state["assumption of reward-interaction"] == "PASS"


def test_scores_that_were_not_those_shown_by_are_seen() -> None:
    table = table_of(list_shop("independent", 6), 1500).with_columns(old=pl.col("old") * -2)
    outcome = judge_off_policy(LISTS, Columns(table))
    assert outcome.status == 2
    assert "mean weight" in outcome.verdict or "effective size" in outcome.verdict


def test_too_far_a_ranker_is_refused() -> None:
    table = table_of(list_shop("independent", 7), 800).with_columns(new=pl.col("new") * 12)
    assert judge_off_policy(LISTS, Columns(table)).status == 2


def test_short_lists_are_left_out_and_counted() -> None:
    table = table_of(list_shop("independent", 8), 400)
    cut = table.with_columns(
        place=pl.when((pl.col("query") == "q3") & (pl.col("place") == 3)).then(None).otherwise("place")
    )
    check = next(c for c in judge_off_policy(LISTS, Columns(cut)).checks if c.name == "lists")
    assert check.state == "WARN"
    assert check.evidence.startswith("399 of 400")


def test_places_that_are_none() -> None:
    table = table_of(list_shop("independent", 9), 20)
    with pytest.raises(InputError, match="places 1, 2"):
        judge_off_policy(LISTS, Columns(table.with_columns(place=pl.col("place") - 1)))
