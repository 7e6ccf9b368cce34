"""Exploration's propensities are exact: what is logged is how often it happens, by chi-square over many draws."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import binomtest, chisquare

from ltr.experiments.interleaving import optimised, probabilistic, team_draft
from ltr.experiments.interleaving.chances import chances_of
from ltr.experiments.interleaving.settings import Method
from ltr.serving.lists.exploration import (
    CONTROL,
    TREATMENT,
    Arranged,
    arm_of,
    generator,
    mixed,
    swapped,
)
from ltr.serving.settings import ServeSettings

DRAWS = 3000


def check_propensities(draws: list[Arranged]) -> None:
    """Of every row at every place: its share among the draws against the propensity that was logged for it."""
    seen: Counter[tuple[int, int]] = Counter()
    probabilities: dict[tuple[int, int], float] = {}
    for drawn in draws:
        for place, (row, propensity) in enumerate(zip(drawn.rows.tolist(), drawn.propensity, strict=True)):
            seen[row, place] += 1
            known = probabilities.setdefault((row, place), propensity)
            assert abs(known - propensity) < 1e-9  # it hangs on nothing that was drawn
    places = sorted({place for _, place in probabilities})
    p_values = []
    for place in places:
        cells = [cell for cell in probabilities if cell[1] == place]
        chances = np.array([probabilities[cell] for cell in cells])
        assert -1e-9 < 1 - chances.sum() < 10 / len(draws)  # nearly all that may stand there was drawn
        common = chances * len(draws) > 5
        found = np.array([seen[cell] for cell in cells])[common]
        expected = np.append(chances[common], 1 - chances[common].sum()) * len(draws)
        kept = expected > 1  # of what is left as a whole
        if kept.sum() > 1:
            found = np.append(found, len(draws) - found.sum())
            p_values.append(chisquare(found[kept], expected[kept], sum_check=False).pvalue)
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


LISTS: list[tuple[list[list[int]], int]] = [
    ([[1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5]], 4),
    ([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]], 6),
    ([[1, 2, 3, 4, 5, 6], [7, 8, 9]], 6),  # one runs out: so far and no further
    ([[1, 2, 3], [3, 9, 2, 1]], 12),
    ([[], [4, 5]], 4),
    ([[5, 1, 2, 8], [2, 5, 9, 1, 7, 3]], 4),
    ([[1, 2, 3, 4], [3, 9, 4, 1], [7, 3, 1, 2]], 4),
    ([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 5, 9]], 3),
]


@pytest.mark.parametrize("method", get_args(Method))
@pytest.mark.parametrize(("lists", "depth"), LISTS)
def test_interleaving(lists: list[list[int]], depth: int, method: Method) -> None:
    ranked = [np.array(one, dtype=np.int64) for one in lists]
    rng = np.random.default_rng(7)
    draws = [mixed(ranked, depth, method, rng) for _ in range(DRAWS // 3)]
    check_propensities(draws)
    for drawn in draws[:50]:
        assert sorted(drawn.rows.tolist()) == sorted({row for one in lists for row in one})
        assert drawn.explored == min(depth, *map(len, lists))
        assert drawn.team is not None
        assert drawn.ranks is not None
        for place, (row, ranks) in enumerate(zip(drawn.rows.tolist(), drawn.ranks.tolist(), strict=True)):
            assert ranks == [one.index(row) + 1 if row in one else 0 for one in lists]
            team = int(drawn.team[place])
            assert row in lists[team] if team >= 0 else method == "optimised" and place < drawn.explored


@pytest.mark.parametrize("method", get_args(Method))
def test_the_draft_is_that_of_the_experiments(method: Method) -> None:
    """The same lists as often as theirs by their own generator, and fair to each run at every place."""
    lists = [[1, 2, 3, 4], [3, 1, 5, 2]]
    ranked, rng = [np.array(one) for one in lists], np.random.default_rng(0)
    drawn = [mixed(ranked, 4, method, rng) for _ in range(2000)]
    ours = Counter(tuple(one.rows[:4].tolist()) for one in drawn)
    alone = _drawn_alone(method, lists, rng)
    theirs = Counter(next(alone) for _ in range(2000))
    seen = sorted({*ours, *theirs})
    table = np.array([[count[one] for one in seen] for count in (ours, theirs)]) + 1
    expected = table.sum(axis=0) / 2
    assert chisquare(table[0], expected * table[0].sum() / expected.sum()).pvalue > 1e-3


def _drawn_alone(
    method: Method, lists: list[list[int]], rng: np.random.Generator
) -> Iterator[tuple[Hashable, ...]]:
    mixture = optimised(lists, 4)
    while True:
        if method == "optimised":
            yield mixture.draw(rng)
        else:
            yield (team_draft if method == "team-draft" else probabilistic)(lists, 4, rng).items


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda runs: st.lists(
            st.permutations(range(6)).map(lambda p: tuple(p[:3])), min_size=runs, max_size=runs
        )
    ),
    st.sampled_from(("team-draft", "probabilistic")),
)
def test_chances_are_those_of_every_fall_of_the_lots(rankings: list[tuple[int, ...]], method: Method) -> None:
    """Gone through one by one: each order of the teams in each round, or each ranker and item at each place."""
    numbers = {item: n for n, item in enumerate(sorted({i for one in rankings for i in one}))}
    given_ranks = tuple(tuple(numbers[item] for item in one) for one in rankings)
    found, expected = chances_of(method, given_ranks), np.zeros((3, len(numbers)))
    together: Counter[frozenset[int]] = Counter()
    every = _team_falls(given_ranks) if method == "team-draft" else _probabilistic_falls(given_ranks)
    for items, chance in every:
        expected[np.arange(3), list(items)] += chance
        together[frozenset(items)] += chance
    assert found.places == pytest.approx(expected)
    heads = {
        frozenset(np.flatnonzero(head).tolist()): c
        for head, c in zip(found.heads, found.of_heads, strict=True)
    }
    assert heads == pytest.approx(dict(together))


def _team_falls(rankings: tuple[tuple[int, ...], ...]) -> Iterator[tuple[tuple[int, ...], float]]:
    orders = list(itertools.permutations(range(len(rankings))))
    for falls in itertools.product(orders, repeat=-(-3 // len(rankings))):
        items: list[int] = []
        for ranker in list(itertools.chain(*falls))[:3]:
            items.append(next(item for item in rankings[ranker] if item not in items))
        yield tuple(items), len(orders) ** -len(falls)


def _probabilistic_falls(rankings: tuple[tuple[int, ...], ...]) -> Iterator[tuple[tuple[int, ...], float]]:
    for items in itertools.permutations(sorted({item for one in rankings for item in one}), 3):
        chance = 1.0
        for place, item in enumerate(items):
            parts = [
                {i: rank**-3.0 for rank, i in enumerate(one, 1) if i not in items[:place]} for one in rankings
            ]
            chance *= sum(part.get(item, 0.0) / sum(part.values()) for part in parts) / len(rankings)
        yield items, chance


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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"others": ["b"]}, "--others RUN goes with"),
        ({"experiment": "ab"}, "--others RUN goes with"),
        ({"experiment": "ab", "others": ["b", "c"]}, "compares two runs"),
        ({"method": "optimised"}, "--method goes with"),
        ({"experiment": "ab", "others": ["b"], "method": "probabilistic"}, "--method goes with"),
        ({"experiment": "interleave", "others": ["b"], "explore_swaps": 0.1}, "not both"),
        ({"experiment": "interleave", "others": ["b", "c"], "method": "optimised"}, "mixes two runs"),
        (
            {"experiment": "interleave", "others": ["b"], "method": "optimised", "explore_depth": 11},
            "up to 10 places",
        ),
        ({"experiment": "interleave", "others": ["b"], "method": "probabilistic"}, "say --explore-depth 8"),
        ({"experiment": "interleave", "others": list("bcdef")}, "at most 4"),
    ],
)
def test_what_makes_no_sense_together_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ServeSettings.model_validate(given)
