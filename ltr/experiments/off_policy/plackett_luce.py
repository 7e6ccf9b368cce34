"""Rankings drawn by Plackett-Luce from scores: every item next with chance ∝ exp(score) of those left.

What a serving log of explored lists holds: each candidate's score, and which were shown where.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ENUMERATED = 6000  # rankings of a list: more, and marginal chances are not computed


def next_chances(scores: FloatArray, shown: IntArray) -> FloatArray:
    """Chance of every candidate at each place given those shown before: (n, m), (n, L) → (n, L, m)."""
    left = np.isfinite(scores)
    found = np.zeros((*shown.shape, scores.shape[1]))
    rows = np.arange(len(shown))
    for place in range(shown.shape[1]):
        masked = np.where(left, scores, -np.inf)
        force = np.exp(masked - masked.max(axis=1, keepdims=True))
        found[:, place] = force / force.sum(axis=1, keepdims=True)
        left = left.copy()
        left[rows, shown[:, place]] = False
    return found


def taken(chances: FloatArray, shown: IntArray) -> FloatArray:
    """The chance of what was shown at each place: (n, L, m), (n, L) → (n, L)."""
    return np.take_along_axis(chances, shown[:, :, None], axis=2)[:, :, 0]


def count_rankings(candidates: int, length: int) -> int:
    return int(np.prod(np.arange(candidates - length + 1, candidates + 1, dtype=np.float64)))


def all_rankings(candidates: int, length: int) -> IntArray:
    """Every ordered choice: (rankings, length)."""
    return np.array(list(itertools.permutations(range(candidates), length)), dtype=np.int64)


def ranking_chances(scores: FloatArray, rankings: IntArray) -> FloatArray:
    """Chance of each ranking under one list's scores (m,): (rankings,)."""
    repeated = np.broadcast_to(scores, (len(rankings), len(scores)))
    return np.asarray(taken(next_chances(repeated, rankings), rankings).prod(axis=1))


def place_chances(scores: FloatArray, rankings: IntArray) -> FloatArray:
    """Chance of each candidate at each place, whatever came before: (length, m)."""
    chances = ranking_chances(scores, rankings)
    found = np.zeros((rankings.shape[1], len(scores)))
    for place in range(rankings.shape[1]):
        np.add.at(found[place], rankings[:, place], chances)
    return found
