"""Rankings drawn by Plackett-Luce from scores: every item next with chance ∝ exp(score) of those left.

What a serving log of explored lists holds: each candidate's score, and which were shown where.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ENUMERATED = 6000  # rankings of a list: more, and the pseudo-inverse is not computed
_LISTS_AT_ONCE = 256
_STEP, _EARLIEST = 0.3, 30.0  # of log time: an error of exp(−π²/step) and of exp(−earliest)


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


def place_chances(scores: FloatArray, length: int) -> FloatArray:
    """Chance of each candidate at each of the first places, whatever came before: (n, m) → (n, length, m).

    Exact to about 1e-10 for any number of candidates. A Plackett-Luce ranking is the order in which clocks ring
    that are exponential with rates exp(score) (Luce, 1959; Yellott, JMP 1977): a candidate is at place k when k − 1
    of the others rang before it, an integral over its own time of a Poisson-binomial chance.
    """
    known = np.isfinite(scores)
    shifted = np.where(known, scores - np.where(known, scores, -np.inf).max(axis=1, keepdims=True), -np.inf)
    found = np.zeros((len(scores), length, scores.shape[1]))
    for start in range(0, len(scores), _LISTS_AT_ONCE):
        part = slice(start, start + _LISTS_AT_ONCE)
        found[part] = _place_chances(np.exp(shifted[part]), length)
    return found


def _place_chances(rates: FloatArray, length: int) -> FloatArray:
    """By the trapezoid over log time, where the integrand dies out at both ends: it converges exponentially."""
    lists, candidates = rates.shape
    later = -np.sort(-rates, axis=1)[:, min(length, candidates - 1)]  # when it has rung, the places are full
    slowest = np.where(later > 0, later, np.where(rates > 0, rates, np.inf).min(axis=1))
    steps = int(np.ceil((np.log(40 / slowest.min()) + _EARLIEST) / _STEP))
    time = np.exp(np.arange(steps) * _STEP - _EARLIEST)
    found = np.zeros((lists, length, candidates))
    for now in time:
        rung = -np.expm1(-rates * now)
        before = np.zeros((candidates + 1, lists, length))  # chances of 0, 1, … rung among the first i
        after = np.zeros((candidates + 1, lists, length))  # and among those from i on
        before[0, :, 0] = after[-1, :, 0] = 1
        for i in range(candidates):
            before[i + 1] = _with_one(before[i], rung[:, i])
            last = candidates - 1 - i
            after[last] = _with_one(after[last + 1], rung[:, last])
        density = rates * now * np.exp(-rates * now) * _STEP
        for place in range(length):
            others = np.einsum("inl,inl->ni", before[:-1, :, : place + 1], after[1:, :, place::-1])
            found[:, place] += density * others
    return found


def _with_one(counts: FloatArray, rung: FloatArray) -> FloatArray:
    """Chances of 0, 1, … rung (n, L) with one more clock that has rung with chance (n,); more than L − 1 are cut."""
    more = counts * (1 - rung)[:, None]
    more[:, 1:] += counts[:, :-1] * rung[:, None]
    return more
