"""Optimised interleaving: which lists to show how often, so that clicks at random prefer no ranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from ltr.experiments.interleaving.drafts import Item, check_rankings, ranks_of, team_draft

FloatArray = npt.NDArray[np.float64]

MOST = 1500  # lists among which the mixture is found; where there are more, that many are drawn
PENALTY = 1e3  # of bias against insensitivity


@dataclass(frozen=True)
class Mixture:
    """Lists and the chance to show each; bias: the most that clicks at random would prefer a ranker by."""

    lists: tuple[tuple[Item, ...], ...]
    chances: FloatArray
    bias: float

    def draw(self, rng: np.random.Generator) -> tuple[Item, ...]:
        return self.lists[int(rng.choice(len(self.lists), p=self.chances))]


def optimised(rankings: Sequence[Sequence[Item]], length: int, seed: int = 0) -> Mixture:
    """The mixture of lists that is unbiased at every cut, and of these the most sensitive.

    Every list is made of the rankers' best items left, credit is 1/rank. Radlinski and Craswell, WSDM 2013;
    for more than two rankers, and for the measure of sensitivity, Schuth et al., CIKM 2014.
    """
    check_rankings(rankings, length)
    lists = _allowed(rankings, length, seed)
    depth = max(map(len, rankings))
    credit = np.stack([reciprocal_ranks(ranks_of(rankings, items), depth) for items in lists])
    gap = credit - credit.mean(axis=2, keepdims=True)  # (lists, places, rankers)
    cuts = np.cumsum(gap, axis=1).reshape(len(lists), -1).T
    attention = 1 / np.arange(1, credit.shape[1] + 1)
    insensitive = ((gap * attention[:, None]).sum(axis=1) ** 2).sum(axis=1)
    rows = len(cuts)
    cost = np.concatenate((insensitive, np.full(2 * rows, PENALTY)))
    equal = np.block(
        [[cuts, np.eye(rows), -np.eye(rows)], [np.ones((1, len(lists))), np.zeros((1, 2 * rows))]]
    )
    found = linprog(cost, A_eq=equal, b_eq=np.concatenate((np.zeros(rows), [1.0])), method="highs")
    chances = found.x[: len(lists)].clip(min=0)
    chances /= chances.sum()
    return Mixture(tuple(lists), chances, float(np.abs(cuts @ chances).max()))


def reciprocal_ranks(ranks: FloatArray, depth: int) -> FloatArray:
    """1/rank of each item for each ranker (items, rankers); an item that is not in a list is just below it."""
    return 1 / np.where(np.isnan(ranks), depth + 1, ranks)


def _allowed(rankings: Sequence[Sequence[Item]], length: int, seed: int) -> list[tuple[Item, ...]]:
    """Every list whose next item is some ranker's best one left; a sample where there are too many."""
    grown: list[tuple[Item, ...]] = [()]
    for _ in range(length):
        longer: dict[tuple[Item, ...], None] = {}
        for items in grown:
            for ranking in rankings:
                following = next((item for item in ranking if item not in items), None)
                if following is not None:
                    longer[(*items, following)] = None
        if len(longer) > MOST:
            rng = np.random.default_rng(seed)
            return list(dict.fromkeys(team_draft(rankings, length, rng).items for _ in range(MOST)))
        if not longer:
            break
        grown = list(longer)
    return grown
