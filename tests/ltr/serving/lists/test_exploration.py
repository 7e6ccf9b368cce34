"""Exploration's propensities are exact: what is logged is how often it happens, by chi-square over many draws."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare

from ltr.experiments.interleaving.drafts import team_draft
from ltr.serving.lists.exploration import (
    CONTROL,
    TREATMENT,
    Arranged,
    arm_of,
    generator,
    interleaved,
    swapped,
)

DRAWS = 3000


def check_propensities(draws: list[Arranged]) -> None:
    """Of every row at every place: its share among the draws against the propensity that was logged for it."""
    seen: Counter[tuple[int, int]] = Counter()
    told: dict[tuple[int, int], float] = {}
    for drawn in draws:
        for place, (row, propensity) in enumerate(zip(drawn.rows.tolist(), drawn.propensity, strict=True)):
            seen[row, place] += 1
            assert (
                told.setdefault((row, place), propensity) == propensity
            )  # it hangs on nothing that was drawn
    places = sorted({place for _, place in told})
    p_values = []
    for place in places:
        cells = [cell for cell in told if cell[1] == place]
        chances = np.array([told[cell] for cell in cells])
        assert chances.sum() == pytest.approx(1)  # all that may stand there was drawn
        if len(cells) > 1:
            found = np.array([seen[cell] for cell in cells])
            p_values.append(chisquare(found, chances * len(draws)).pvalue)
    assert not p_values or min(p_values) * len(p_values) > 1e-3  # Bonferroni


@pytest.mark.parametrize(
    ("length", "depth", "share"), [(2, 10, 0.3), (3, 10, 0.5), (8, 5, 0.1), (20, 10, 0.25)]
)
def test_swaps(length: int, depth: int, share: float) -> None:
    rng, rows = np.random.default_rng(length), np.arange(length)[::-1]
    draws = [swapped(rows, share, depth, rng) for _ in range(DRAWS)]
    check_propensities(draws)
    for drawn in draws[:200]:
        assert np.abs(drawn.rows - rows).max() <= 1
        assert (drawn.rows[depth:] == rows[depth:]).all()


@pytest.mark.parametrize("length", [0, 1])
def test_nothing_to_swap(length: int) -> None:
    assert swapped(np.arange(length), 0.5, 10, np.random.default_rng(0)).propensity.tolist() == [1.0] * length


@pytest.mark.parametrize(
    ("first", "second", "depth"),
    [
        ([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], 4),
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], 6),
        ([1, 2, 3, 4, 5, 6], [7, 8, 9], 6),  # one runs out
        ([1, 2, 3], [3, 9, 2, 1], 12),
        ([], [4, 5], 4),
        ([5, 1, 2, 8], [2, 5, 9, 1, 7, 3], 5),
    ],
)
def test_interleaving(first: list[int], second: list[int], depth: int) -> None:
    ranked = [np.array(one, dtype=np.int64) for one in (first, second)]
    rng = np.random.default_rng(7)
    draws = [interleaved(*ranked, depth, rng) for _ in range(DRAWS // 3)]
    check_propensities(draws)
    for drawn in draws[:50]:
        assert sorted(drawn.rows.tolist()) == sorted({*first, *second})
        assert drawn.team is not None
        assert drawn.ranks is not None
        for row, ranks in zip(drawn.rows.tolist(), drawn.ranks.tolist(), strict=True):
            assert ranks == [one.index(row) + 1 if row in one else 0 for one in (first, second)]


def test_the_draft_is_that_of_the_experiments() -> None:
    """The same lists as often as `team_draft` by its own generator."""
    first, second = np.array([1, 2, 3, 4]), np.array([3, 1, 5, 2])
    rng = np.random.default_rng(0)
    ours = Counter(tuple(interleaved(first, second, 4, rng).rows[:4].tolist()) for _ in range(2000))
    theirs = Counter(team_draft([first.tolist(), second.tolist()], 4, rng).items for _ in range(2000))
    lists = sorted({*ours, *theirs})
    table = np.array([[count[one] for one in lists] for count in (ours, theirs)]) + 1
    expected = table.sum(axis=0) / 2
    assert chisquare(table[0], expected * table[0].sum() / expected.sum()).pvalue > 1e-3


def test_a_list_is_drawn_by_its_id() -> None:
    rows = np.arange(30)
    again = [swapped(rows, 0.4, 10, generator("list")).rows.tolist() for _ in range(2)]
    assert again[0] == again[1]
    assert len({tuple(swapped(rows, 0.4, 10, generator(str(n))).rows.tolist()) for n in range(50)}) > 20


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_arms_are_shares_and_stay(share: float) -> None:
    arms = [arm_of(f"k1-{n}", share, "salt") for n in range(4000)]
    assert arms == [arm_of(f"k1-{n}", share, "salt") for n in range(4000)]
    assert set(arms) == {CONTROL, TREATMENT}
    assert binomtest(arms.count(TREATMENT), 4000, share).pvalue > 1e-3
    other = [arm_of(f"k1-{n}", share, "another") for n in range(4000)]
    both = sum(a == b == TREATMENT for a, b in zip(arms, other, strict=True))
    assert binomtest(both, 4000, share**2).pvalue > 1e-3  # another salt is an independent split
    assert arm_of(None, share, "salt") is None
