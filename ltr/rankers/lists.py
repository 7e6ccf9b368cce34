"""Lists laid end to end: where each begins, nDCG, z-scores, and weights on a grid; each of them once.

`groups` is (q,): the rows of each list, in order; the rows of a list lie together. Scores: higher is better.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np


def starts_of(groups: np.ndarray) -> np.ndarray:
    """(q,) the first row of each list."""
    return np.cumsum(groups) - groups


def list_of(groups: np.ndarray) -> np.ndarray:
    """(n,) the number of each row's list, from 0."""
    return np.repeat(np.arange(len(groups)), groups)


def place_in_list(groups: np.ndarray) -> np.ndarray:
    """(n,) each row's place in its list, from 0."""
    return np.arange(groups.sum()) - np.repeat(starts_of(groups), groups)


def ndcg(scores: np.ndarray, gains: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    """(q,) nDCG@k of each list, equal scores in the order of rows; NaN for a list without a gain.

    Σ gain / log2(1 + rank) over that of the best order: Järvelin and Kekäläinen, TOIS 2002; as
    `ltr.evaluation.metrics.ndcg` where rows are in the order of product_id and all are judged.
    """
    query, place = list_of(groups), place_in_list(groups)
    near = place < k
    depth = np.log2(place[near] + 2.0)

    def dcg(by: np.ndarray) -> np.ndarray:
        ordered = gains[np.lexsort((-by, query))]
        return np.bincount(query[near], ordered[near] / depth, minlength=len(groups))

    best = dcg(gains)
    return np.divide(dcg(scores), best, out=np.full(len(groups), np.nan), where=best > 0)


def mean_ndcg(scores: np.ndarray, gains: np.ndarray, groups: np.ndarray, k: int) -> float:
    """Mean nDCG@k over the lists with any gain; 0 where none has one."""
    found = ndcg(scores, gains, groups, k)
    counted = found[~np.isnan(found)]
    return float(counted.mean()) if len(counted) else 0.0


def differ_in_gain(gains: np.ndarray, groups: np.ndarray) -> bool:
    """Whether the rows of any list differ in gain: else every order of them is as good."""
    starts = starts_of(groups)
    return bool((np.maximum.reduceat(gains, starts) > np.minimum.reduceat(gains, starts)).any())


def list_means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(q, …) the mean of each list's rows (n, …)."""
    if not len(groups):
        return values
    counts = groups.reshape(-1, *[1] * (values.ndim - 1))
    means: np.ndarray = np.add.reduceat(values, starts_of(groups), axis=0) / counts
    return means


def extremes(scores: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest score (n, m) of each row's list; infinities where a column is all missing there."""
    missing, starts = np.isnan(scores), starts_of(groups)
    low = np.minimum.reduceat(np.where(missing, np.inf, scores), starts, axis=0)
    high = np.maximum.reduceat(np.where(missing, -np.inf, scores), starts, axis=0)
    return np.repeat(low, groups, axis=0), np.repeat(high, groups, axis=0)


def z_scores(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Scores (n, m) less a column's mean in the list, in its standard deviations; 0 where all are equal."""
    mean, spread = means_and_spreads(scores, groups)
    return divided(scores - mean, spread)


def means_and_spreads(scores: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A column's mean and standard deviation in the list, at every row (n, m); a spread of 0 where all are equal."""
    low, high = extremes(scores, groups)
    given = ~np.isnan(scores)
    count = np.maximum(_sums(given.astype(float), groups), 1)
    mean = _sums(np.where(given, scores, 0.0), groups) / count
    variance = _sums(np.where(given, scores - mean, 0.0) ** 2, groups) / count
    # Equal scores may miss their own mean by rounding: their spread is 0, not that.
    return mean, np.where(high > low, np.sqrt(variance), 0.0)


def divided(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The quotient; 0 where `by` is 0, NaN where the value is."""
    quotient = np.divide(values, by, out=np.zeros_like(values), where=by > 0)
    return np.where(np.isnan(values), np.nan, quotient)


def simplex(members: int, steps: int) -> Iterator[np.ndarray]:
    """All weights (members,) of sum 1 that are whole multiples of 1 / steps: stars and bars."""
    for bars in itertools.combinations(range(steps + members - 1), members - 1):
        yield (np.diff([-1, *bars, steps + members - 1]) - 1) / steps


def _sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The list's sum of each column, at every row (n, m)."""
    return np.repeat(np.add.reduceat(values, starts_of(groups), axis=0), groups, axis=0)
