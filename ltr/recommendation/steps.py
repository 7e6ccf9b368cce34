"""Next products as a task, and how well they were found: hit rate and reciprocal rank, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ltr.experiments.estimates import Estimate, ratio_of
from ltr.recommendation.histories import FloatArray, Histories, IntArray


class Step(NamedTuple):
    """A history (h,), oldest first, and the product that came next; session: whose it is."""

    history: IntArray
    target: int
    session: int


def steps_of(
    histories: Histories, since: float = -np.inf, most: int | None = None, seed: int = 0
) -> list[Step]:
    """Each event with something before it in its history, at or after a moment; most: so many, drawn by lot.

    What happened at the same moment (a basket) is not before it: its order in a table means nothing.
    """
    found = []
    for session, (start, end) in enumerate(zip(histories.starts[:-1], histories.starts[1:], strict=True)):
        at = histories.at[start:end]
        before = start + np.searchsorted(at, at)
        found += [
            Step(histories.product[start : before[place]], int(histories.product[start + place]), session)
            for place in np.flatnonzero((before > start) & (at >= since)).tolist()
        ]
    if most is None or len(found) <= most:
        return found
    chosen = np.sort(np.random.default_rng(seed).choice(len(found), most, replace=False))
    return [found[row] for row in chosen]


@dataclass(frozen=True)
class Found:
    """Of each step: the place of what came next among the first k, 0 where it is not there; its session."""

    places: IntArray
    sessions: IntArray
    k: int

    @property
    def hits(self) -> FloatArray:
        return (self.places > 0).astype(np.float64)

    @property
    def reciprocal(self) -> FloatArray:
        return np.where(self.places > 0, 1 / np.maximum(self.places, 1), 0.0)

    def mean(self, values: FloatArray) -> Estimate:
        """Over steps; steps of one session are not independent, sessions are."""
        _, session = np.unique(self.sessions, return_inverse=True)
        sums = np.bincount(session, values).astype(np.float64)
        return ratio_of(sums, np.bincount(session).astype(np.float64))


def measure(steps: Sequence[Step], recommend: Callable[[IntArray], IntArray], k: int = 20) -> Found:
    """recommend: history → rows, best first."""
    places = []
    for step in steps:
        hit = np.flatnonzero(recommend(step.history)[:k] == step.target)
        places.append(int(hit[0]) + 1 if len(hit) else 0)
    return Found(np.array(places, dtype=np.int64), np.array([s.session for s in steps], dtype=np.int64), k)
