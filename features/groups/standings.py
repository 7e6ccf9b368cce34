"""Where a value stands among its list: rank share and z-score, as operations on the starts of the lists.

A raw cosine of 0.4 is the best of one query's list and the worst of another's; a tree that splits
on the standing compares like with like. NaN, a missing value, takes no part and stays NaN.
"""

from __future__ import annotations

import numpy as np

_ROUNDING = 1e-6  # float32 carries 7 digits: a spread below this share of the values is rounding
_SIGN = np.uint32(1 << 31)
_FIRST = np.zeros(1, dtype=np.intp)


def rank_share(values: np.ndarray, starts: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """The share of its list below each value, ties and the value itself counted half; (n,) float64 in [0, 1].

    values: (n,) float32 or float64; starts: (lists + 1,) of lists that are not empty, see `batch.list_starts`.
    (average rank - 1/2) / count, Hazen's plotting position (1914): 1/2 for a single value or where
    all are equal, so that a list of any length needs no special case. among: (n,) bool, the rows that count; the
    others stand where they would without moving these. A list in which none counts goes by all its rows.
    """
    if not len(values):
        return np.zeros(0)
    if among is None and len(starts) == 2:
        return _share_below(values)
    missing = np.isnan(values)
    sizes = np.diff(starts)
    keys = np.repeat(np.arange(len(sizes), dtype=np.uint64) << np.uint64(32), sizes) | _ordered(values)
    order = np.argsort(keys)
    ranked = keys[order]
    runs = np.append(np.flatnonzero(np.diff(ranked, prepend=ranked[:1] - np.uint64(1))), len(ranked))
    ends, there = runs, ~missing
    if among is not None:
        counted = _counted(among, starts)
        before = np.append(0, np.cumsum(counted[order]))
        ends, starts, there = before[runs], before[starts], there & counted
    middle = np.repeat((ends[:-1] + ends[1:]) / 2, np.diff(runs))  # of the places that equal values share
    share = np.empty(len(values))
    share[order] = middle
    count = np.repeat(np.add.reduceat(there, np.cumsum(sizes) - sizes, dtype=np.int64), sizes)
    share -= np.repeat(starts[:-1], sizes)
    share /= np.maximum(count, 1)
    share[count == 0] = 0.5
    share[missing] = np.nan
    return share


def z_score(values: np.ndarray, starts: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """(value - mean) / population standard deviation, both of the list's values that are there; (n,) float64.

    0 where the values are all the same, to float32 rounding: what is left of their spread is noise,
    which a division by it would blow up. among: as in `rank_share`.
    """
    if not len(values):
        return np.zeros(0)
    if among is None and len(starts) == 2:
        return _z_of_one(values)
    sizes = np.diff(starts)
    if among is None:
        mean, spread = _moments(values, starts)
    else:  # of the rows that count alone, laid together: the same to the last bit as without the others
        counted = _counted(among, starts)
        mean, spread = _moments(values[counted], np.append(0, np.cumsum(counted))[starts])
    exact = values.astype(np.float64) - _each(mean, sizes)
    exact /= _each(spread, sizes)
    return exact


def _share_below(values: np.ndarray) -> np.ndarray:
    """`rank_share` of one list, as a request asks for: the same numbers with fewer steps."""
    missing, ordered = np.isnan(values), np.sort(values)  # NaN last
    share = (ordered.searchsorted(values) + ordered.searchsorted(values, "right")) / 2
    share /= max(len(values) - int(np.count_nonzero(missing)), 1)
    share[missing] = np.nan
    return share


def _z_of_one(values: np.ndarray) -> np.ndarray:
    """`z_score` of one list, likewise; sums are added up in the order of many lists', for the same last bit."""
    missing = np.isnan(values)
    exact = values.astype(np.float64)
    exact[missing] = 0.0
    count = max(len(values) - int(np.count_nonzero(missing)), 1)
    largest = np.abs(exact).max()
    exact -= np.add.reduceat(exact, _FIRST) / count
    exact[missing] = 0.0
    (spread,) = np.sqrt(np.add.reduceat(exact * exact, _FIRST) / count)
    exact /= np.inf if spread <= _ROUNDING * largest else spread
    exact[missing] = np.nan
    return exact


def _each(of_lists: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """A value of each list for each of its rows; of one list the value alone, which fits any of them."""
    return of_lists if len(sizes) == 1 else np.repeat(of_lists, sizes)


def _moments(values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lists,) the mean, and the standard deviation, infinite where it is rounding, of the values that are there."""
    there = ~np.isnan(values)
    exact = np.where(there, values, 0.0).astype(np.float64)
    count = np.maximum(np.add.reduceat(there, starts[:-1], dtype=np.int64), 1)
    largest = np.maximum.reduceat(np.abs(exact), starts[:-1])
    mean = np.add.reduceat(exact, starts[:-1]) / count
    exact -= _each(mean, np.diff(starts))
    exact[~there] = 0.0
    spread = np.sqrt(np.add.reduceat(exact * exact, starts[:-1]) / count)
    return mean, np.where(spread <= _ROUNDING * largest, np.inf, spread)


def _counted(among: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The rows that count, (n,) bool: all of a list where it would be none."""
    some = np.logical_or.reduceat(among, starts[:-1])
    return among | np.repeat(~some, np.diff(starts))


def _ordered(values: np.ndarray) -> np.ndarray:
    """(n,) uint64 below 2³² that lie as the values lie; NaN last."""
    if values.dtype != np.float32:
        return np.unique(values, return_inverse=True)[1].astype(np.uint64)  # equal_nan: one code, the last
    bits = (values + np.float32(0)).view(np.uint32)  # + 0: -0 and 0 are equal
    flipped = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return np.where(np.isnan(values), np.uint32(0xFFFFFFFF), flipped).astype(np.uint64)
