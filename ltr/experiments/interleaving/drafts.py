"""One list from several rankers' lists, so that clicks tell which ranker is liked: team draft and probabilistic.

With more than two rankers this is multileaving. Rankings are sequences of item ids, best first.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import InputError
from ltr.experiments.interleaving.settings import TAU

Item = Hashable


@dataclass(frozen=True)
class Drafted:
    """The list to show, and for each place which ranker's item it is (its place among the rankers)."""

    items: tuple[Item, ...]
    team: tuple[int, ...]


def team_draft(rankings: Sequence[Sequence[Item]], length: int, rng: np.random.Generator) -> Drafted:
    """In rounds, in an order drawn anew for each, every ranker adds its best item that is not there yet.

    Radlinski, Kurup and Joachims, CIKM 2008; for more than two, Schuth, Sietsma, Whiteson, Lefortier and
    de Rijke, CIKM 2014.
    """
    check_rankings(rankings, length)
    items: list[Item] = []
    team: list[int] = []
    while len(items) < length:
        before = len(items)
        for ranker in rng.permutation(len(rankings)).tolist():
            following = next((item for item in rankings[ranker] if item not in items), None)
            if following is not None and len(items) < length:
                items.append(following)
                team.append(ranker)
        if len(items) == before:
            break
    return Drafted(tuple(items), tuple(team))


def probabilistic(
    rankings: Sequence[Sequence[Item]], length: int, rng: np.random.Generator, tau: float = TAU
) -> Drafted:
    """Each place: a ranker by lot, then one of its items left, with chance ∝ rank^−τ.

    Hofmann, Whiteson and de Rijke, CIKM 2011; Schuth et al., SIGIR 2015, for more than two.
    """
    check_rankings(rankings, length)
    items: list[Item] = []
    team: list[int] = []
    while len(items) < length:
        able = [r for r, ranking in enumerate(rankings) if any(item not in items for item in ranking)]
        if not able:
            break
        ranker = int(rng.choice(able))
        left = [(place, item) for place, item in enumerate(rankings[ranker], start=1) if item not in items]
        force = np.array([place for place, _ in left], dtype=np.float64) ** -tau
        items.append(left[int(rng.choice(len(left), p=force / force.sum()))][1])
        team.append(ranker)
    return Drafted(tuple(items), tuple(team))


def check_rankings(rankings: Sequence[Sequence[Item]], length: int) -> None:
    """Two rankings or more, none with an item twice, and a length of 1 or more."""
    twice = any(len(set(ranking)) < len(ranking) for ranking in rankings)
    if len(rankings) < 2 or twice or length < 1:
        got = "an item twice in one" if twice else f"{len(rankings)} and length {length}"
        raise InputError(
            where="interleaving",
            expected="two rankings or more of different items, and a length of 1 or more",
            got=got,
            cure="give each ranker's list once",
        )


def ranks_of(rankings: Sequence[Sequence[Item]], items: Sequence[Item]) -> np.ndarray:
    """Each item's rank from 1 in each ranking, NaN where it is not in it: (items, rankers). What a log keeps."""
    places = [{item: place for place, item in enumerate(ranking, start=1)} for ranking in rankings]
    return np.array([[place.get(item, np.nan) for place in places] for item in items], dtype=np.float64)
