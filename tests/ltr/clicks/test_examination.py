"""Examination by harvesting and by logged lots, where it is known; refused where the data cannot tell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.clicks import drawn_evenly
from ltr.clicks import CannotTell, label
from ltr.clicks.examination import harvest, overlap
from ltr.clicks.lists import ShownLists
from ltr.training.click_strategies import evenly_drawn
from tests.ltr.clicks.click_worlds import lists_of, simulate

SHARED = Path(os.environ.get("LTR_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
GAMMA = 1 / np.arange(1.0, 7)


def logged(
    noise: float, count: int = 20_000, *, swaps: float = 0.0, drift: float = 0.0, seed: int = 0
) -> ShownLists:
    """Lists of 6 places of 30 queries' pairs, in the order of a score that moves by noise, good ones above."""
    rng = np.random.default_rng(seed)
    alpha = rng.beta(1.2, 4, (30, 9))
    query = rng.integers(0, 30, count)
    now = alpha[query]
    if drift:
        now = (
            now
            + np.where(np.arange(count)[:, None] > count / 2, 1, -1) * rng.normal(0, drift, (30, 9))[query]
        ).clip(0, 1)
    order = np.argsort(-(now + rng.normal(0, noise, now.shape)), axis=1)[:, :6]
    chance = np.ones(order.shape)
    if swaps:
        upper = rng.integers(0, 5, count)
        moved = np.flatnonzero(rng.random(count) < swaps)
        here = upper[moved]
        order[moved, here], order[moved, here + 1] = order[moved, here + 1], order[moved, here]
        stays = 1 - swaps * np.array([1, 2, 2, 2, 2, 1]) / 5
        chance[:] = stays
        chance[moved, here] = chance[moved, here + 1] = swaps / 5
    clicked = simulate("pbm", np.take_along_axis(now, order, axis=1), rng, GAMMA)
    return lists_of(query[:, None] * 9 + order, clicked, propensity=chance)


@pytest.mark.parametrize("method", ["pivot", "adjacent", "all pairs"])
@pytest.mark.parametrize("noise", [0.15, 10.0])
def test_harvesting_finds_what_is_true(method: Any, noise: float) -> None:
    lists = logged(noise, 40_000)
    found = harvest(lists, method)
    assert np.abs(found.seen - GAMMA).max() <= 0.03
    assert found.known.all()
    assert not overlap(lists, found).problems


def test_errors_are_those_of_repeats() -> None:
    found = [harvest(logged(0.3, 4000, seed=seed)) for seed in range(30)]
    spread = np.std([one.seen for one in found], axis=0)[1:]
    estimated = np.mean([one.error for one in found], axis=0)[1:]
    assert ((estimated / spread > 0.5) & (estimated / spread < 2)).all()


def test_lots_hold_where_worth_changes_and_harvesting_does_not() -> None:
    """Products move up as they become better: harvesting takes that for being seen less."""
    lists = logged(0.0, 60_000, swaps=0.5, drift=0.15)
    by_lot, harvested = harvest(lists, by_lot=True), harvest(lists)
    assert np.abs(by_lot.seen - GAMMA).max() <= 0.04
    assert np.abs(harvested.seen - GAMMA).max() > np.abs(by_lot.seen - GAMMA).max()
    assert overlap(lists, by_lot).by_lot == pytest.approx(1.0)


def test_one_place_for_each_product_is_refused() -> None:
    lists = logged(0.0)
    found = harvest(lists)
    seen = overlap(lists, found)
    assert seen.rows == 0
    assert len(seen.problems) == 2
    assert np.isnan(found.seen[1:]).all()


def test_places_that_share_no_product_are_not_compared() -> None:
    """Products move among the first three places, and among the last three, never between."""
    rng = np.random.default_rng(1)
    halves = [np.argsort(rng.random((20_000, 3)), axis=1) + offset for offset in (0, 3)]
    item = np.concatenate(halves, axis=1)
    lists = lists_of(item, simulate("pbm", np.full(item.shape, 0.4), rng, GAMMA))
    found = harvest(lists)
    assert found.known.tolist() == [True] * 3 + [False] * 3
    assert overlap(lists, found).problems == [
        "75% of clicks are at places that can be compared with the first, 80% are needed"
    ]


def test_a_real_log_of_random_recommendations_is_too_short_to_tell() -> None:
    """Open Bandit: 20,000 rows drawn evenly, 92 clicks; the three places stand side by side, so they may be alike."""
    folder = SHARED / "open_bandit" / "random"
    if not folder.is_dir():
        pytest.skip("open_bandit is not in ../shared/data")
    lists = drawn_evenly(folder)
    assert (len(lists), int(lists.clicked.sum())) == (20_000, 92)
    assert evenly_drawn(lists) == 1
    found = harvest(lists, by_lot=True)
    assert overlap(lists, found).rows == 1
    assert "of clicks are at places that can be compared" in overlap(lists, found).problems[0]
    assert (np.abs(found.seen - 1) < 2 * found.error + 1e-9).all()
    with pytest.raises(CannotTell):
        label(lists)
