"""Joining the scores of several rankers over the same lists: pure functions over all lists at once.

`scores` is (n, m): n rows, the rows of a query together, and m members; NaN where a member abstains.
`groups` is (q,): the rows of each query, in order. Higher is better, before and after.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from ltr.rankers.lists import divided, extremes, list_of, mean_ndcg, place_in_list, simplex, z_scores

MOST_POINTS = 300  # of the first grid over the simplex: 231 of step 1/20 for three members
FINER = (2, 4)  # the grid's step is halved twice around the best point


def mid_ranks(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Rank (n, m) of every row in its list, 1 the best; equal scores share the mean of their ranks.

    Rows on which a member abstains tie for its last places. Shared ranks make what follows independent
    of the order of rows.
    """
    column = np.where(np.isnan(scores), -np.inf, scores)
    return np.stack([_mid_ranks(values, groups) for values in column.T], axis=1)


def _mid_ranks(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    query = list_of(groups)
    order = np.lexsort((-scores, query))
    place = place_in_list(groups)
    first = np.ones(len(order), dtype=bool)
    ordered = scores[order]
    first[1:] = (query[1:] != query[:-1]) | (ordered[1:] != ordered[:-1])
    tie = np.cumsum(first) - 1
    mean = np.bincount(tie, place) / np.bincount(tie)
    ranks = np.empty(len(order))
    ranks[order] = mean[tie] + 1
    return ranks


def min_max(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Scores (n, m) from 0, a member's lowest in the list, to 1; 0 where all are equal."""
    low, high = extremes(scores, groups)
    return divided(scores - low, high - low)


NORMALISATIONS = {"min_max": min_max, "z": z_scores}


def reciprocal_rank_fusion(scores: np.ndarray, groups: np.ndarray, k: float = 60.0) -> np.ndarray:
    """Σ 1 / (k + rank) over the members that score the row: Cormack, Clarke and Büttcher, SIGIR 2009."""
    return np.where(np.isnan(scores), 0.0, 1 / (k + mid_ranks(scores, groups))).sum(axis=1)


def borda(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Σ (rows of the list - rank); rows a member leaves out share what it has left: Aslam and Montague, SIGIR 2001."""
    return (np.repeat(groups, groups)[:, None] - mid_ranks(scores, groups)).sum(axis=1)


def comb_sum(normalised: np.ndarray) -> np.ndarray:
    """Sum of the members' normalised scores: Fox and Shaw, TREC-2, 1994."""
    return np.nansum(normalised, axis=1)


def comb_mnz(normalised: np.ndarray) -> np.ndarray:
    """CombSUM times the number of members whose score is above 0: Fox and Shaw, TREC-2, 1994.

    A sum below 0 (of z-scores) is not multiplied: agreement may only lift.
    """
    total = comb_sum(normalised)
    votes = (np.nan_to_num(normalised) > 0).sum(axis=1)
    return np.where(total > 0, total * votes, total)


def weighted(normalised: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of the normalised scores times the members' weights (m,)."""
    return np.nan_to_num(normalised) @ weights


def learn_weights(normalised: np.ndarray, gains: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    """The weights (m,), 0 or more with sum 1, of the highest mean nDCG@k on these lists.

    Searched on a grid over the simplex, then more finely around its best point. Of equals the one nearest
    to equal weights is taken, so that lists which tell nothing leave the members equal.
    """
    members = normalised.shape[1]
    fitting = (s for s in range(20, 0, -1) if math.comb(s + members - 1, members - 1) <= MOST_POINTS)
    steps = next(fitting, 1)

    def better(points: list[np.ndarray]) -> np.ndarray:
        return max(
            points,
            key=lambda w: (
                round(mean_ndcg(weighted(normalised, w), gains, groups, k), 12),
                -round(float((w**2).sum()), 12),
            ),
        )

    best = better([np.full(members, 1 / members), *simplex(members, steps)])
    for finer in FINER:
        best = better([best, *_neighbours(best, 1 / (finer * steps))])
    return best / best.sum()


def _neighbours(weights: np.ndarray, step: float) -> Iterator[np.ndarray]:
    """The weights with a step moved from one member to another, where it has as much."""
    for giver, taker in itertools.permutations(range(len(weights)), 2):
        if weights[giver] >= step:
            moved = weights.copy()
            moved[giver] -= step
            moved[taker] += step
            yield moved
