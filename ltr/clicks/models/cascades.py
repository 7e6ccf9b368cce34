"""Models in which a list is read from above: cascade, simplified DBN, DBN.

Cascade: Craswell, Zoeter, Taylor and Ramsey, WSDM 2008. DBN and its simplification: Chapelle and Zhang, WWW 2009.
"""

from __future__ import annotations

import numpy as np

from ltr.clicks.lists import BoolArray, FloatArray, ShownLists
from ltr.clicks.models.model import TINY, TOLERANCE, Prior, estimate_prior, of_items, sums_by

_STEPS = 200  # of EM, at most


class Cascade:
    """Read until the first click, which ends it: α is clicks over views, by closed form."""

    name = "cascade"

    def __init__(self) -> None:
        self.prior = Prior()
        self.attraction: FloatArray = np.zeros(0)

    def fit(self, lists: ShownLists, prior: Prior | None = None) -> None:
        """A list with more than one click is read to the first one."""
        views = self.examined(lists)
        self.prior, self.attraction = _rates(lists, lists.clicked & (views > 0), views, prior)

    def conditional(self, lists: ShownLists) -> FloatArray:
        return of_items(lists, self.attraction) * (clicks_above(lists.clicked) == 0)

    def marginal(self, lists: ShownLists) -> FloatArray:
        return read_down(of_items(lists, self.attraction), np.ones(lists.item.shape), 1.0)

    def examined(self, lists: ShownLists) -> FloatArray:
        return (lists.shown & (clicks_above(lists.clicked) == 0)).astype(np.float64)


class DynamicBayesian:
    """Read on with γ unless a clicked product satisfies (σ): EM with all three unknown."""

    name = "dynamic Bayesian"

    def __init__(self) -> None:
        self.prior = Prior()
        self.attraction: FloatArray = np.zeros(0)
        self.satisfaction: FloatArray = np.zeros(0)
        self.goes_on = 0.9

    def fit(self, lists: ShownLists, prior: Prior | None = None) -> None:
        """Starts from the simplified model's answer."""
        simple = SimplifiedDBN()
        simple.fit(lists, prior)
        self.prior, self.attraction, self.satisfaction = simple.prior, simple.attraction, simple.satisfaction
        self.goes_on = 0.9
        for _ in range(_STEPS):
            before = self.goes_on
            self._step(lists)
            if abs(self.goes_on - before) < TOLERANCE:
                break

    def _step(self, lists: ShownLists) -> None:
        pairs, clicked = lists.pairs.height, lists.clicked
        seen, ended, went_on = self._hidden(lists)
        self.attraction = self.prior.rate(
            sums_by(lists.item, pairs, clicked), sums_by(lists.item, pairs, seen)
        )
        self.satisfaction = Prior().rate(
            sums_by(lists.item, pairs, ended), sums_by(lists.item, pairs, clicked)
        )
        # Whether someone went on is known to the list only where a place is left to go on to.
        both = lists.shown[:, :-1] & lists.shown[:, 1:]
        tried = float(((seen - ended)[:, :-1] * both).sum())
        if tried > 0:  # else no list says
            self.goes_on = float((went_on[:, :-1] * both).sum()) / tried

    def _hidden(self, lists: ShownLists) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(n, k) each, given all clicks: chance that a place was seen, that its click ended it, that one went on."""
        alpha, sigma = of_items(lists, self.attraction), of_items(lists, self.satisfaction)
        quiet = self._quiet_below(alpha, lists.shown)
        on = self.goes_on * quiet  # goes on, and nothing below is clicked
        stops = 1 - self.goes_on
        seen, ended, went_on = (np.zeros(alpha.shape) for _ in range(3))
        later = clicks_below(lists.clicked) > 0
        now = np.ones(len(alpha))
        for place in range(lists.places):
            click, more = lists.clicked[:, place], later[:, place]
            # To the last click all was seen, and no click ended it; after it, Bayes.
            s = np.where(click, sigma[:, place], 0.0)
            tail = s + (1 - s) * (on[:, place] + stops)
            seen[:, place] = now
            ended[:, place] = np.where(more, 0.0, now * s / tail)
            went_on[:, place] = np.where(more, now, now * (1 - s) * on[:, place] / tail)
            now = went_on[:, place]
        return seen * lists.shown, ended, went_on

    def _quiet_below(self, alpha: FloatArray, shown: BoolArray) -> FloatArray:
        """(n, k) P(no click at any place below | the next one is seen)."""
        quiet = np.ones(alpha.shape)
        for place in range(alpha.shape[1] - 2, -1, -1):
            following = place + 1
            on = self.goes_on * quiet[:, following] + 1 - self.goes_on
            passed = (1 - alpha[:, following]) * on
            quiet[:, place] = np.where(shown[:, following], passed, 1.0)
        return quiet

    def conditional(self, lists: ShownLists) -> FloatArray:
        """ε_{r+1}: γ(1 − σ) after a click, γ ε(1 − α) / (1 − αε) after none."""
        alpha, sigma = of_items(lists, self.attraction), of_items(lists, self.satisfaction)
        found, seen = np.empty(alpha.shape), np.ones(len(alpha))
        for place in range(lists.places):
            a = alpha[:, place]
            found[:, place] = a * seen
            passed = seen * (1 - a) / np.maximum(1 - a * seen, TINY)
            seen = self.goes_on * np.where(lists.clicked[:, place], 1 - sigma[:, place], passed)
        return found

    def marginal(self, lists: ShownLists) -> FloatArray:
        alpha, sigma = of_items(lists, self.attraction), of_items(lists, self.satisfaction)
        return read_down(alpha, sigma, self.goes_on)

    def examined(self, lists: ShownLists) -> FloatArray:
        return self._hidden(lists)[0]


class SimplifiedDBN(DynamicBayesian):
    """γ = 1: all is seen down to the last click (to the end where there is none); closed form."""

    name = "simplified DBN"

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = 1.0

    def fit(self, lists: ShownLists, prior: Prior | None = None) -> None:
        pairs, clicked = lists.pairs.height, lists.clicked
        self.prior, self.attraction = _rates(lists, clicked, self.examined(lists), prior)
        last = clicked & (clicks_below(clicked) == 0)
        self.satisfaction = Prior().rate(
            sums_by(lists.item, pairs, last), sums_by(lists.item, pairs, clicked)
        )

    def examined(self, lists: ShownLists) -> FloatArray:
        """As Chapelle and Zhang count: nothing below the last click."""
        below = clicks_below(lists.clicked) > 0
        none = ~lists.clicked.any(axis=1, keepdims=True)
        return (lists.shown & (lists.clicked | below | none)).astype(np.float64)


def read_down(alpha: FloatArray, sigma: FloatArray, goes_on: float) -> FloatArray:
    """(n, k) P(click): α ε with ε_{r+1} = γ ε (1 − ασ)."""
    on = np.cumprod(goes_on * (1 - alpha * sigma), axis=1)
    seen = np.concatenate((np.ones((len(on), 1)), on[:, :-1]), axis=1)
    return np.asarray(alpha * seen)


def clicks_above(clicked: BoolArray) -> FloatArray:
    """(n, k) how many clicks stand above each place."""
    return np.asarray(np.cumsum(clicked, axis=1) - clicked, dtype=np.float64)


def clicks_below(clicked: BoolArray) -> FloatArray:
    return np.asarray(clicked.sum(axis=1, keepdims=True) - np.cumsum(clicked, axis=1), dtype=np.float64)


def _rates(
    lists: ShownLists, clicked: BoolArray, views: FloatArray, prior: Prior | None
) -> tuple[Prior, FloatArray]:
    pairs = lists.pairs.height
    clicks, seen = sums_by(lists.item, pairs, clicked), sums_by(lists.item, pairs, views)
    prior = prior or estimate_prior(clicks, seen)
    return prior, prior.rate(clicks, seen)
