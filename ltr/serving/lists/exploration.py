"""What is changed in a list on purpose, so that clicks can teach something; with the exact probability of each place.

Swaps: neighbours of a random pairing change places (Radlinski and Joachims, AAAI 2006, by chance `share`).
Interleaving: a team draft of two runs' lists. A/B: shoppers are split by a hash. A draw hangs on the id of the list
alone, so that further pages, and a replay of the log, see the same list.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ltr.experiments.interleaving.drafts import team_draft

CONTROL, TREATMENT, MIXED = "control", "treatment", "interleave"


@dataclass(frozen=True)
class Arranged:
    """A list to show. rows: (n,) of the index; propensity: (n,) of each row, to stand where it stands.

    team: (n,) whose item each is, 0 the first run's and 1 the second's; ranks: (n, 2) its rank in either's own list
    from 1, 0 where it is not in it; both None where one run made the list.
    """

    rows: np.ndarray
    propensity: np.ndarray
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
    return Arranged(rows[order], propensity)


class _Coins:
    """Stands for a generator whose coins have fallen already: in each round, who begins."""

    def __init__(self, falls: Sequence[int]) -> None:
        self._falls = iter(falls)

    def permutation(self, rankers: int) -> np.ndarray:
        begins = next(self._falls, 0)  # of a round in which one list has run out, nothing hangs on it
        return np.array([begins, 1 - begins])[:rankers]


def interleaved(first: np.ndarray, second: np.ndarray, depth: int, rng: np.random.Generator) -> Arranged:
    """A team draft of two lists for the first `depth` places, then what is left of the first and of the second list.

    Propensities are exact: a round adds two rows while both lists have some, so that at most depth / 2 coins count,
    and all their falls are gone through.
    """
    if not len(first) and not len(second):
        return as_ranked(first)
    rankings = [[int(row) for row in ranked[:depth]] for ranked in (first, second)]
    tails: dict[frozenset[int], tuple[np.ndarray, np.ndarray]] = {}

    def whole(falls: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        drafted = team_draft(rankings, depth, _Coins(falls))
        head = np.array(drafted.items, dtype=np.int64)
        among = frozenset(head.tolist())
        if among not in tails:
            left = first[~np.isin(first, head)]
            others = second[~np.isin(second, np.concatenate([head, left]))]
            team = np.repeat([0, 1], [len(left), len(others)])
            tails[among] = np.concatenate([left, others]), team
        rows, team = tails[among]
        return np.concatenate([head, rows]), np.concatenate([np.array(drafted.team, dtype=np.int64), team])

    rounds = -(-depth // 2)
    drawn, team = whole(rng.integers(2, size=rounds).tolist())
    every = list(itertools.product((0, 1), repeat=rounds))
    stands = np.mean([whole(falls)[0] == drawn for falls in every], axis=0)
    ranks = np.stack([_ranks_in(ranked, drawn) for ranked in (first, second)], axis=1)
    return Arranged(drawn, stands, team, ranks)


def _ranks_in(ranked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) the rank from 1 of each row in a list, 0 where it is not in it."""
    places = {int(row): place for place, row in enumerate(ranked, start=1)}
    return np.array([places.get(int(row), 0) for row in rows], dtype=np.int64)


def arm_of(person: str | None, share: float, salt: str) -> str | None:
    """The arm of a shopper (or visit), by pseudonym: always the same; None for nobody, who is in no test."""
    if person is None:
        return None
    digest = hashlib.blake2b(f"{salt}\0{person}".encode(), digest_size=8).digest()
    return TREATMENT if int.from_bytes(digest) < share * 2**64 else CONTROL
