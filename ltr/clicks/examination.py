"""How often each place is seen, from products that were seen at several places; and whether the data can tell.

Intervention harvesting: Agarwal, Zaitsev, Wang, Li, Najork and Joachims, WSDM 2019, and Fang, Agarwal and Joachims,
SIGIR 2019. Their ratios of clicks at two places are taken here by Mantel and Haenszel's weights, which hold where a
pair was shown but a few times, with Greenland and Robins's variance (Biometrics, 1985); all pairs at once by the
likelihood of where a pair's clicks fell, given how many it had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ltr.clicks.lists import BoolArray, FloatArray, ShownLists

Method = Literal["pivot", "adjacent", "all pairs"]

LEAST_SHARE = 0.05  # of rows whose pair was seen at two places or more
LEAST_CLICKS = 20  # at each of two places, on pairs seen at both, for the two to be compared
LARGEST_ERROR = 0.1  # of the chance that a place is seen: beyond, it is not known
LEAST_KNOWN = 0.8  # share of clicks at places that are known
BLOCK = 40  # showings of a pair in a row, within which its worth and its own place are taken to stay
_STEPS = 1000


@dataclass(frozen=True)
class Ratios:
    """Of each two places (k, k): log(seen at column / seen at row) and its variance; NaN where not comparable."""

    log_ratio: FloatArray
    variance: FloatArray


@dataclass(frozen=True)
class Examination:
    """Chance that each place is seen, over that of the first: (k,), NaN where it cannot be told; with its error."""

    method: str
    seen: FloatArray
    error: FloatArray

    @property
    def known(self) -> BoolArray:
        return self.error <= LARGEST_ERROR


@dataclass(frozen=True)
class Overlap:
    """Can the data tell being seen from being good? rows: share whose pair was seen at two places or more.

    common: (k − 1,) clicks on pairs seen at both of two neighbouring places, the fewer of the two. clicks: share of
    them at places whose chance to be seen is known. by_lot: share of rows whose place was drawn by lot, as logged.
    """

    rows: float
    common: FloatArray
    clicks: float
    by_lot: float

    @property
    def problems(self) -> list[str]:
        """Why nothing can be told; empty where it can."""
        found = []
        if self.rows < LEAST_SHARE:
            found.append(
                f"{self.rows:.1%} of rows are of pairs seen at two places or more, {LEAST_SHARE:.0%} are needed"
            )
        if self.clicks < LEAST_KNOWN:
            found.append(
                f"{self.clicks:.0%} of clicks are at places that can be compared with the first, "
                f"{LEAST_KNOWN:.0%} are needed"
            )
        return found


def harvest(lists: ShownLists, method: Method = "all pairs", *, by_lot: bool = False) -> Examination:
    """From pairs seen at several places, for whatever reason; by_lot: only rows whose place was drawn by lot.

    Assumes that a product's worth to a query does not hang on why it moved. By lot that holds by design, and only
    showings near in time are compared, so that worth may change.
    """
    shown, clicks = _counts(lists, by_lot=by_lot)
    name = f"logged lots, {method}" if by_lot else f"harvest, {method}"
    if method == "all pairs":
        return _most_likely(name, shown, clicks)
    found = ratios(shown, clicks)
    if method == "pivot":
        log, variance = found.log_ratio[0].copy(), found.variance[0].copy()
        log[0], variance[0] = 0.0, 0.0
    else:
        log = np.concatenate(([0.0], np.cumsum(np.diagonal(found.log_ratio, 1))))
        variance = np.concatenate(([0.0], np.cumsum(np.diagonal(found.variance, 1))))
    return _of_logs(name, log, variance)


def overlap(lists: ShownLists, examination: Examination) -> Overlap:
    shown, clicks = _counts(lists, by_lot=False)
    several = (shown > 0).sum(axis=1) > 1
    both = (shown[:, :-1] > 0) & (shown[:, 1:] > 0)
    common = np.minimum((clicks[:, :-1] * both).sum(axis=0), (clicks[:, 1:] * both).sum(axis=0))
    at_known = clicks[:, examination.known].sum() / max(clicks.sum(), 1)
    lots = _drawn(lists).sum() / max(lists.shown.sum(), 1)
    return Overlap(float(shown[several].sum() / max(shown.sum(), 1)), common, float(at_known), float(lots))


def _drawn(lists: ShownLists) -> BoolArray:
    return np.asarray(lists.shown & (lists.propensity < 1) & (lists.propensity > 0))


def _counts(lists: ShownLists, *, by_lot: bool) -> tuple[FloatArray, FloatArray]:
    """(strata, k) rows shown, and those clicked. A stratum is a pair; by lot, a block of a pair's showings."""
    row, place = np.nonzero(_drawn(lists) if by_lot else lists.shown)
    stratum = lists.item[row, place]
    if by_lot:
        order = np.argsort(stratum, kind="stable")  # lists lie in the order of time
        ranked = stratum[order]
        block = (np.arange(len(ranked)) - np.searchsorted(ranked, ranked)) // BLOCK
        stratum = np.empty_like(stratum)
        stratum[order] = np.cumsum(np.diff(ranked * len(row) + block, prepend=-1) != 0) - 1
    shape = (int(stratum.max(initial=0)) + 1, lists.places)
    cell, size = stratum * lists.places + place, shape[0] * shape[1]
    shown = np.bincount(cell, minlength=size).reshape(shape).astype(np.float64)
    clicks = np.bincount(cell, lists.clicked[row, place].astype(np.float64), minlength=size)
    return shown, clicks.reshape(shape).astype(np.float64)


def ratios(shown: FloatArray, clicks: FloatArray) -> Ratios:
    """Of each two places, over the pairs seen at both: Mantel and Haenszel's ratio of click rates."""
    places = shown.shape[1]
    log, variance = (np.full((places, places), np.nan) for _ in range(2))
    for first in range(places):
        for second in range(first + 1, places):
            both = (shown[:, first] > 0) & (shown[:, second] > 0)
            n1, n2 = shown[both, first], shown[both, second]
            c1, c2 = clicks[both, first], clicks[both, second]
            if min(c1.sum(), c2.sum()) < LEAST_CLICKS:
                continue
            total = n1 + n2
            top, low = float((c2 * n1 / total).sum()), float((c1 * n2 / total).sum())
            if not (top > 0 and low > 0):
                continue
            spread = (n1 * n2 * (c1 + c2) / total - c1 * c2) / total
            log[first, second], log[second, first] = np.log(top / low), np.log(low / top)
            variance[first, second] = variance[second, first] = float(spread.sum()) / (top * low)
    return Ratios(log, variance)


def _most_likely(name: str, shown: FloatArray, clicks: FloatArray) -> Examination:
    """Of a stratum's clicks, place k gets the share n_k θ_k / Σ_j n_j θ_j: θ by iterative scaling, its error by the
    likelihood's curvature. No other assumption is made of what attracts.
    """
    places = shown.shape[1]
    log, variance = (np.full(places, np.nan) for _ in range(2))
    log[0], variance[0] = 0.0, 0.0
    compared = ratios(shown, clicks)
    kept = np.flatnonzero(_linked(~np.isnan(compared.log_ratio)))
    useful = (clicks.sum(axis=1) > 0) & ((shown[:, kept] > 0).sum(axis=1) > 1)
    n, c = shown[np.ix_(useful, kept)], clicks[np.ix_(useful, kept)]
    if len(kept) > 1:
        total = c.sum(axis=1)
        theta = np.ones(len(kept))
        for _ in range(_STEPS):
            better = c.sum(axis=0) / np.maximum((n * (total / (n @ theta))[:, None]).sum(axis=0), 1e-12)
            better = better.clip(1e-6) / better[0]
            moved = float(np.abs(np.log(better / theta)).max())
            theta = better
            if moved < 1e-6:
                break
        share = n * theta / (n @ theta)[:, None]
        curve = np.diag((share * total[:, None]).sum(axis=0)) - (share * total[:, None]).T @ share
        log[kept] = np.log(theta)
        variance[kept[1:]] = np.diagonal(np.linalg.pinv(curve[1:, 1:]))
    return _of_logs(name, log, variance)


def _linked(edges: BoolArray) -> BoolArray:
    """Which places are joined to the first, by whatever way."""
    reached = np.zeros(len(edges), dtype=bool)
    reached[0] = True
    for _ in range(len(edges)):
        reached = reached | edges[reached].any(axis=0)
    return reached


def _of_logs(name: str, log: FloatArray, variance: FloatArray) -> Examination:
    seen = np.exp(log)
    return Examination(name, seen, seen * np.sqrt(variance))
