"""What is changed in a list on purpose, so that clicks can teach something; with the exact probability of each place.

Swaps: neighbours of a random pairing change places (Radlinski and Joachims, AAAI 2006, by chance `share`).
Interleaving: the lists of two runs or more mixed by a team draft, a probabilistic draft, or the optimised mixture.
A/B: shoppers are split by a hash. A draw hangs on the id of the list alone, so that further pages, and a replay of the
log, see the same list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ltr.experiments.interleaving.chances import Chances, chances_of, draw
from ltr.experiments.interleaving.settings import Method

CONTROL, TREATMENT, MIXED = "control", "treatment", "interleave"


@dataclass(frozen=True)
class Arranged:
    """A list to show. rows: (n,) of the index; propensity: (n,) of each row, to stand where it stands; explored:
    places from the top that were left to chance.

    Of several runs' lists also team: (n,) whose item each is by the run's place among them, −1 for an optimised list's;
    ranks: (n, runs) its rank in each run's own list from 1, 0 where it is not in it. Both None where one run made it.
    """

    rows: np.ndarray
    propensity: np.ndarray
    explored: int = 0
    team: np.ndarray | None = None
    ranks: np.ndarray | None = None


def as_ranked(rows: np.ndarray) -> Arranged:
    """Nothing left to chance."""
    return Arranged(rows, np.ones(len(rows)))


def generator(list_id: str) -> np.random.Generator:
    """The draws of one list."""
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(list_id.encode(), digest_size=16).digest()))


def swapped(rows: np.ndarray, share: float, depth: int, rng: np.random.Generator) -> Arranged:
    """The first `depth` rows with neighbours swapped: a coin says whether pairs begin at place 1 or 2, then each pair
    of that pairing changes places with chance `share`.

    A row stands one place off with chance share / 2 where there is a neighbour on that side, and else in its place.
    """
    depth = min(depth, len(rows))
    if depth < 2 or not share:
        return as_ranked(rows)
    order, propensity = np.arange(len(rows)), np.ones(len(rows))
    neighbours = np.full(depth, 2)
    neighbours[[0, -1]] = 1
    propensity[:depth] = 1 - share / 2 * neighbours
    for first in range(int(rng.integers(2)), depth - 1, 2):
        if rng.random() < share:
            order[[first, first + 1]] = order[[first + 1, first]]
            propensity[[first, first + 1]] = share / 2
    return Arranged(rows[order], propensity, depth)


def mixed(lists: Sequence[np.ndarray], depth: int, method: Method, rng: np.random.Generator) -> Arranged:
    """Lists mixed for the first `depth` places, then what is left of the first list, of the second, and so on.

    Where a list is shorter than `depth`, no more places than it has rows are mixed: a run that has nothing left to put
    in would make the rest unfair. Propensities are exact for every row, those below the mixed places too.
    """
    places = min(depth, *map(len, lists))
    every, first_seen = np.unique(np.concatenate(lists), return_index=True)
    by_place = np.argsort(first_seen)
    order = every[by_place]  # each row once, as the rest stands where nothing is mixed
    whose = np.searchsorted(np.cumsum([len(one) for one in lists]), first_seen[by_place], side="right")
    place_of = {row: place for place, row in enumerate(order.tolist())}
    ranks = np.zeros((len(order), len(lists)), dtype=np.int64)
    for run, one in enumerate(lists):
        ranks[[place_of[row] for row in one.tolist()], run] = np.arange(1, len(one) + 1)
    if not places:
        return Arranged(order, np.ones(len(order)), 0, whose, ranks)
    tops = [[place_of[row] for row in one[:places].tolist()] for one in lists]
    pool = np.unique(np.concatenate(tops))
    rankings = tuple(tuple(np.searchsorted(pool, top).tolist()) for top in tops)
    drafted = draw(method, rankings, rng)
    items = np.array(drafted.items, dtype=np.int64)
    chances = chances_of(method, rankings)
    below = np.setdiff1d(np.arange(len(order)), pool[items])
    propensity = np.concatenate(
        [chances.places[np.arange(places), items], _below(chances, pool, items, below)]
    )
    shown = np.concatenate([pool[items], below])
    team = np.concatenate([np.array(drafted.team, dtype=np.int64), whose[below]])
    return Arranged(order[shown], propensity, places, team, ranks[shown])


def _below(chances: Chances, pool: np.ndarray, items: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Of each row below the mixed places, given by its place in the unmixed order: the chance that it is not shown
    above, and that as many of those before it are as in this draw. pool: the unmixed places of what may be mixed."""
    drawn = np.zeros(len(pool), dtype=bool)
    drawn[items] = True
    before = np.searchsorted(pool, below)  # how many of the pool come before each row
    counts = np.pad(np.cumsum(chances.heads, axis=1), ((0, 0), (1, 0)))  # (sets, 0 … items)
    alike = counts == np.pad(np.cumsum(drawn), (1, 0))
    stands = chances.of_heads @ alike
    found = stands[before]
    for row in np.flatnonzero(np.isin(below, pool)):  # might itself be shown above
        item = before[row]
        found[row] = chances.of_heads @ (alike[:, item] & ~chances.heads[:, item])
    return found


def arm_of(person: str | None, share: float, salt: str) -> str | None:
    """The arm of a shopper (or visit), by pseudonym: always the same; None for nobody, who is in no test."""
    if person is None:
        return None
    digest = hashlib.blake2b(f"{salt}\0{person}".encode(), digest_size=8).digest()
    return TREATMENT if int.from_bytes(digest) < share * 2**64 else CONTROL
