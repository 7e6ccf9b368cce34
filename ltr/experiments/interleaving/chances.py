"""How likely each way of mixing lists puts each item at each place: exact, over all that chance could have done.

Rankings are of the same length here, and so long is the list: then no ranker runs out of items, and every place is
fair. Items are numbers from 0.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ltr.experiments.interleaving.drafts import Drafted, probabilistic, team_draft
from ltr.experiments.interleaving.optimised import Mixture, optimised
from ltr.experiments.interleaving.settings import TAU, Method

Rankings = tuple[tuple[int, ...], ...]
_KEPT = 128  # rankings whose chances are kept: the same query is asked by many


@dataclass(frozen=True)
class Chances:
    """places (length, items): of each item at each place; heads (sets, items): which items may be shown together,
    of_heads (sets,): and how likely."""

    places: npt.NDArray[np.float64]
    heads: npt.NDArray[np.bool_]
    of_heads: npt.NDArray[np.float64]


def draw(method: Method, rankings: Rankings, rng: np.random.Generator) -> Drafted:
    """The list to show; an optimised one is of no ranker's team."""
    length = len(rankings[0])
    if method == "optimised":
        return Drafted(_mixture(rankings).draw(rng), (-1,) * length)
    return (team_draft if method == "team-draft" else probabilistic)(rankings, length, rng)


@lru_cache(maxsize=_KEPT)
def chances_of(method: Method, rankings: Rankings) -> Chances:
    """Probabilistic drafts go over all sets of items, so that 16 items are about as many as a request bears."""
    if method == "optimised":
        return _of_mixture(_mixture(rankings), _count(rankings))
    return _of_team_draft(rankings) if method == "team-draft" else _of_probabilistic(rankings)


@lru_cache(maxsize=_KEPT)
def _mixture(rankings: Rankings) -> Mixture:
    return optimised(rankings, len(rankings[0]))


def _count(rankings: Rankings) -> int:
    return 1 + max(max(ranking) for ranking in rankings)


def _of_team_draft(rankings: Rankings) -> Chances:
    """From place to place, over what is shown so far (a bit for each item) and who of the round is still to come."""
    everyone = frozenset(range(len(rankings)))
    states: dict[tuple[int, frozenset[int]], float] = {(0, everyone): 1.0}
    places = np.zeros((len(rankings[0]), _count(rankings)))
    for place in places:
        grown: defaultdict[tuple[int, frozenset[int]], float] = defaultdict(float)
        for (shown, to_come), chance in states.items():
            for ranker in to_come:
                item = next(one for one in rankings[ranker] if not shown >> one & 1)
                place[item] += chance / len(to_come)
                grown[shown | 1 << item, (to_come - {ranker}) or everyone] += chance / len(to_come)
        states = grown
    sets: defaultdict[int, float] = defaultdict(float)
    for (shown, _), chance in states.items():
        sets[shown] += chance
    return Chances(places, _bits(np.array(list(sets)), places.shape[1]), np.array(list(sets.values())))


def _of_probabilistic(rankings: Rankings) -> Chances:
    """From place to place, over all sets of items that may be shown so far, a bit for each item."""
    length, count = len(rankings[0]), _count(rankings)
    force = np.zeros((len(rankings), count))
    for ranker, ranking in enumerate(rankings):
        force[ranker, list(ranking)] = np.arange(1, length + 1, dtype=np.float64) ** -TAU
    bits = 1 << np.arange(count)
    sets, places = np.zeros(1, dtype=np.int64), np.zeros((length, count))
    chance: npt.NDArray[np.float64] = np.ones(1)
    for place in places:
        free = ~_bits(sets, count)
        following = np.zeros(free.shape)
        for own in force:
            left = own * free
            following += left / left.sum(axis=1, keepdims=True) / len(rankings)
        following *= chance[:, None]
        place[:] = following.sum(axis=0)
        reached = np.bincount((sets[:, None] | bits)[free], following[free], 1 << count).astype(np.float64)
        sets = np.flatnonzero(reached)
        chance = reached[sets]
    return Chances(places, _bits(sets, count), chance)


def _of_mixture(mixture: Mixture, count: int) -> Chances:
    lists = np.array(mixture.lists, dtype=np.int64)
    places = np.zeros((lists.shape[1], count))
    for place, items in zip(places, lists.T, strict=True):
        np.add.at(place, items, mixture.chances)
    sets, of_list = np.unique(np.bitwise_or.reduce(1 << lists, axis=1), return_inverse=True)
    return Chances(places, _bits(sets, count), np.bincount(of_list, mixture.chances).astype(np.float64))


def _bits(sets: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.bool_]:
    """(sets, items) whether each item is in each set."""
    return (sets[:, None] >> np.arange(count) & 1).astype(bool)
