"""What a click model answers, and the empirical-Bayes prior of attraction.

Notation of Chuklin, Markov and de Rijke, Click Models for Web Search, 2015: α a pair's chance to be clicked once
seen, γ that a place is seen, σ that a clicked product ends the search, ε that a place is seen given the clicks above.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ltr.clicks.lists import BoolArray, FloatArray, IntArray, ShownLists

TINY = 1e-6  # chances are kept this far from 0 and 1, so that what a model calls impossible costs finitely
TOLERANCE = 1e-5  # largest change of a γ in a step at which EM ends


class Prior(NamedTuple):
    """A Beta distribution of attraction: clicks and views without a click that every pair starts with."""

    clicks: float = 1.0
    passed: float = 1.0

    @property
    def mean(self) -> float:
        return self.clicks / (self.clicks + self.passed)

    def rate(self, clicks: npt.NDArray, views: npt.NDArray) -> FloatArray:
        """The posterior mean."""
        return np.asarray((self.clicks + clicks) / (self.clicks + self.passed + views))


class ClickModel(Protocol):
    """Fitted on lists; answers for lists over the same pairs. Pairs never seen in fitting have the prior's mean."""

    name: str
    prior: Prior

    def fit(self, lists: ShownLists, prior: Prior | None = None) -> None:
        """prior: of attraction; None: estimated from the lists themselves (`estimate_prior`)."""

    def conditional(self, lists: ShownLists) -> FloatArray:
        """(n, k) P(click at a place | clicks above)."""

    def marginal(self, lists: ShownLists) -> FloatArray:
        """(n, k) P(click at a place), before any click is known."""

    def examined(self, lists: ShownLists) -> FloatArray:
        """(n, k) P(a place was seen | all clicks of its list), what a view counts; 1 where it was clicked."""

    @property
    def attraction(self) -> FloatArray | None:
        """(pairs,) α; None for a model that knows of no product."""


def sums_by(which: IntArray, size: int, values: FloatArray | BoolArray) -> FloatArray:
    """(size,) sums of the values whose number is `which`; negative numbers are left out."""
    kept = which >= 0
    return np.bincount(which[kept], values[kept].astype(np.float64), minlength=size).astype(np.float64)


def of_items(lists: ShownLists, values: FloatArray) -> FloatArray:
    """(n, k) each cell's value of its pair; 0 where nothing stood."""
    return np.where(lists.shown, values[lists.item.clip(min=0)], 0.0)


def clipped(chances: FloatArray) -> FloatArray:
    return chances.clip(TINY, 1 - TINY)


def estimate_prior(clicks: FloatArray, views: FloatArray) -> Prior:
    """The Beta whose beta-binomial has the mean and the spread of rates seen; by moments, with as many views each.

    clicks, views: (pairs,), views fractional where a place is not always seen. Kleinman, JASA 1973. Rates that
    differ no more than chance lets them get a prior of 1,000 views: all alike, as far as anyone can tell.
    """
    seen = views > 0
    clicks, views = clicks[seen], views[seen]
    if len(views) < 2 or not clicks.sum():
        return Prior()
    total = views.sum()
    mean = float((clicks.sum() / total).clip(TINY, 1 - TINY))
    spread = float((views * (clicks / views - mean) ** 2).sum())
    count = len(views)
    # E of the spread: mean (1 − mean) · [(count − 1) + ρ · (total − Σ views² / total − (count − 1))]
    room = total - float((views**2).sum()) / total - (count - 1)
    alike = (spread / (mean * (1 - mean)) - (count - 1)) / room if room > 0 else 0.0
    strength = min(1000.0, max(1.0, 1 / alike - 1)) if alike > 0 else 1000.0
    return Prior(mean * strength, (1 - mean) * strength)
