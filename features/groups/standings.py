"""Where a value stands among its list: rank share and z-score, as operations on the starts of the lists.

A raw cosine of 0.4 is the best of one query's list and the worst of another's; a tree that splits
on the standing compares like with like. NaN, a missing value, takes no part and stays NaN.
"""

from __future__ import annotations

import numpy as np

_ROUNDING = 1e-6  # float32 carries 7 digits: a spread below this share of the values is rounding
_SIGN = np.uint32(1 << 31)


def rank_share(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The share of its list below each value, ties and the value itself counted half; (n,) float64 in (0, 1).

    values: (n,) float32 or float64; starts: (lists + 1,) of lists that are not empty, see `batch.list_starts`.
    (average rank - 1/2) / count, Hazen's plotting position (1914): 1/2 for a single value or where
    all are equal, so that a list of any length needs no special case.
    """
    if not len(values):
        return np.zeros(0)
    missing = np.isnan(values)
    sizes = np.diff(starts)
    keys = np.repeat(np.arange(len(sizes), dtype=np.uint64) << np.uint64(32), sizes) | _ordered(values)
    order = np.argsort(keys)
    ranked = keys[order]
    runs = np.append(np.flatnonzero(np.diff(ranked, prepend=ranked[:1] - np.uint64(1))), len(ranked))
    middle = np.repeat((runs[:-1] + runs[1:]) / 2, np.diff(runs))  # of the places that equal values share
    share = np.empty(len(values))
    share[order] = middle
    there = np.add.reduceat(~missing, starts[:-1], dtype=np.int64)
    share -= np.repeat(starts[:-1], sizes)
    share /= np.repeat(np.maximum(there, 1), sizes)
    share[missing] = np.nan
    return share


def z_score(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(value - mean) / population standard deviation, both of the list's values that are there; (n,) float64.

    0 where the values are all the same, to float32 rounding: what is left of their spread is noise,
    which a division by it would blow up.
    """
    if not len(values):
        return np.zeros(0)
    sizes = np.diff(starts)
    there = ~np.isnan(values)
    exact = np.where(there, values, 0.0).astype(np.float64)
    count = np.maximum(np.add.reduceat(there, starts[:-1], dtype=np.int64), 1)
    largest = np.maximum.reduceat(np.abs(exact), starts[:-1])
    exact -= np.repeat(np.add.reduceat(exact, starts[:-1]) / count, sizes)
    exact[~there] = 0.0
    spread = np.sqrt(np.add.reduceat(exact * exact, starts[:-1]) / count)
    flat = spread <= _ROUNDING * largest
    exact /= np.repeat(np.where(flat, np.inf, spread), sizes)
    exact[~there] = np.nan
    return exact


def _ordered(values: np.ndarray) -> np.ndarray:
    """(n,) uint64 below 2³² that lie as the values lie; NaN last."""
    if values.dtype != np.float32:
        return np.unique(values, return_inverse=True)[1].astype(np.uint64)  # equal_nan: one code, the last
    bits = (values + np.float32(0)).view(np.uint32)  # + 0: -0 and 0 are equal
    flipped = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return np.where(np.isnan(values), np.uint32(0xFFFFFFFF), flipped).astype(np.uint64)
