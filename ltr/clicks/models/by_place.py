"""Models in which a place has its own chance to be seen: click rate by place, position-based, user browsing."""

from __future__ import annotations

import numpy as np

from ltr.clicks.lists import BoolArray, FloatArray, IntArray, ShownLists
from ltr.clicks.models.model import (
    TINY,
    TOLERANCE,
    Prior,
    estimate_prior,
    of_items,
    sums_by,
)

_STEPS = 500  # of EM, at most


class RateByPlace:
    """P(click at r) = ρ_r: the baseline that every other model has to beat."""

    name = "click rate by place"
    attraction = None

    def __init__(self) -> None:
        self.prior = Prior()
        self.rate: FloatArray = np.zeros(0)

    def fit(self, lists: ShownLists, prior: Prior | None = None) -> None:
        self.prior = prior or Prior()
        self.rate = self.prior.rate(lists.clicked.sum(axis=0), lists.shown.sum(axis=0))

    def conditional(self, lists: ShownLists) -> FloatArray:
        return np.where(lists.shown, fitted_to(self.rate, lists.places), 0.0)

    marginal = conditional

    def examined(self, lists: ShownLists) -> FloatArray:
        """As if every place were seen: it cannot tell."""
        return lists.shown.astype(np.float64)


class PositionBased:
    """P(click) = α γ_r: seen by place alone (Richardson, Dominowska and Ragno, WWW 2007). The highest γ is 1."""

    name = "position-based"

    def __init__(self) -> None:
        self.prior = Prior()
        self.attraction: FloatArray = np.zeros(0)
        self.seen: FloatArray = np.zeros(0)

    def fit(self, lists: ShownLists, prior: Prior | None = None) -> None:
        place = np.broadcast_to(np.arange(lists.places), lists.item.shape)
        start = _relative_rates(lists)
        self.prior = prior or _prior_by(lists, start[place])
        alpha, seen = seen_by(lists, place, start, self.prior)
        self.attraction, self.seen = scaled(alpha, seen)

    def conditional(self, lists: ShownLists) -> FloatArray:
        return of_items(lists, self.attraction) * fitted_to(self.seen, lists.places)

    marginal = conditional

    def examined(self, lists: ShownLists) -> FloatArray:
        seen = fitted_to(self.seen, lists.places)
        return posterior_seen(
            lists, of_items(lists, self.attraction), np.broadcast_to(seen, lists.item.shape)
        )


class UserBrowsing:
    """P(click at r | last click at r') = α γ_rr' (Dupret and Piwowarski, SIGIR 2008); r' = 0: none above."""

    name = "user browsing"

    def __init__(self) -> None:
        self.prior = Prior()
        self.attraction: FloatArray = np.zeros(0)
        self.seen: FloatArray = np.zeros((0, 0))

    def fit(self, lists: ShownLists, prior: Prior | None = None) -> None:
        places = lists.places
        place = np.broadcast_to(np.arange(places), lists.item.shape)
        cell = place * (places + 1) + last_click_above(lists.clicked)
        known = np.bincount(cell[lists.shown], minlength=places * (places + 1)) > 0
        start = np.repeat(_relative_rates(lists), places + 1)
        self.prior = prior or _prior_by(lists, start[cell])
        self.attraction, seen = seen_by(lists, cell, start, self.prior)
        # A cell such as "place 9 after a click at 2" that no list came to keeps its place's rate.
        self.attraction, seen = scaled(self.attraction, np.where(known, seen, start * seen.max()))
        self.seen = seen.reshape(places, places + 1)

    def conditional(self, lists: ShownLists) -> FloatArray:
        return of_items(lists, self.attraction) * self._seen(lists)

    def _seen(self, lists: ShownLists) -> FloatArray:
        return self.seen[np.arange(lists.places), last_click_above(lists.clicked)]

    def marginal(self, lists: ShownLists) -> FloatArray:
        """Σ over where the last click above was: a chance for each such history, carried from place to place."""
        alpha = of_items(lists, self.attraction)
        last = np.zeros((len(lists), lists.places + 1))
        last[:, 0] = 1.0
        found = np.empty(alpha.shape)
        for place in range(lists.places):
            click = last[:, : place + 1] * alpha[:, place, None] * self.seen[place, : place + 1]
            found[:, place] = click.sum(axis=1)
            last[:, : place + 1] -= click
            last[:, place + 1] = found[:, place]
        return found

    def examined(self, lists: ShownLists) -> FloatArray:
        return posterior_seen(lists, of_items(lists, self.attraction), self._seen(lists))


def seen_by(
    lists: ShownLists, cell: IntArray, start: FloatArray, prior: Prior
) -> tuple[FloatArray, FloatArray]:
    """EM of P(click) = α(pair) γ(cell): α (pairs,) and γ (cells,), from γ = start.

    cell: (n, k). What is the same pair in the same cell is counted, not repeated: a step costs as much as there are
    different ones. E step: a row without a click was seen with γ(1 − α) / (1 − αγ). M step: γ is the mean of
    that, α the clicks of what was seen, with the prior.
    """
    size, pairs = len(start), lists.pairs.height
    key = lists.item[lists.shown] * size + cell[lists.shown]
    known, place = np.unique(key, return_inverse=True)
    shown = np.bincount(place).astype(np.float64)
    clicks = np.bincount(place, lists.clicked[lists.shown].astype(np.float64))
    item, where = known // size, known % size
    clicks_of_item = np.bincount(item, clicks, minlength=pairs)
    shown_at = np.bincount(where, shown, minlength=size)
    alpha = prior.rate(clicks_of_item, np.bincount(item, shown * start[where], minlength=pairs))
    gamma = start.copy()
    for _ in range(_STEPS):
        passed = unclicked_seen(alpha[item], gamma[where])
        seen = clicks + (shown - clicks) * passed
        total = np.bincount(where, seen, minlength=size)
        better = np.where(shown_at > 0, total / np.maximum(shown_at, 1), gamma).clip(TINY, 1 - TINY)
        alpha = prior.rate(clicks_of_item, np.bincount(item, seen, minlength=pairs))
        moved = float(np.abs(better - gamma).max())
        gamma = better
        if moved < TOLERANCE:
            break
    return alpha, gamma


def unclicked_seen(alpha: FloatArray, gamma: FloatArray) -> FloatArray:
    """P(seen | not clicked)."""
    return gamma * (1 - alpha) / np.maximum(1 - alpha * gamma, TINY)


def posterior_seen(lists: ShownLists, alpha: FloatArray, gamma: FloatArray) -> FloatArray:
    """(n, k) P(seen | clicked or not); 0 where nothing stood."""
    return np.where(lists.shown, np.where(lists.clicked, 1.0, unclicked_seen(alpha, gamma)), 0.0)


def scaled(alpha: FloatArray, gamma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same products with γ over its highest: only products are known, so that one is 1 by convention."""
    top = max(float(gamma.max()), TINY)
    return (alpha * top).clip(max=1.0), gamma / top


def _relative_rates(lists: ShownLists) -> FloatArray:
    """(k,) click rates by place over the highest, where EM starts."""
    rate = lists.clicked.sum(axis=0) / np.maximum(lists.shown.sum(axis=0), 1)
    return np.asarray((rate / max(float(rate.max()), TINY)).clip(0.01, 1))


def last_click_above(clicked: BoolArray) -> IntArray:
    """(n, k) the place, from 1, of the nearest click above each; 0: none."""
    own = np.where(clicked, np.arange(1, clicked.shape[1] + 1), 0)
    until = np.maximum.accumulate(own, axis=1)
    return np.concatenate((np.zeros((len(own), 1), np.int64), until[:, :-1]), axis=1)


def fitted_to(by_place: FloatArray, places: int) -> FloatArray:
    """(places,): cut, or the last one repeated for places that were never seen in fitting."""
    more = max(0, places - len(by_place))
    return np.concatenate((by_place[:places], np.repeat(by_place[-1:], more)))


def _prior_by(lists: ShownLists, seen: FloatArray) -> Prior:
    """From the clicks of each pair and its views, where a row is seen so often (n, k)."""
    pairs = lists.pairs.height
    return estimate_prior(sums_by(lists.item, pairs, lists.clicked), sums_by(lists.item, pairs, seen))
