"""What could come next, by one simple rule each: what the ranker chooses among, and what it must beat.

Each answers one history with a score for every product: (m,) float64, 0 for those it has nothing to say of.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
import scipy.sparse as sp

from features.behaviour.item_graph import ItemGraph, weights_by_last
from ltr.recommendation.histories import FloatArray, Histories, IntArray

DAY = 86_400.0


class Recommender(Protocol):
    """name: in tables, and of its features."""

    @property
    def name(self) -> str: ...

    def fit(self, histories: Histories) -> None:
        """Learn from all that happened before."""

    def scores(self, history: IntArray) -> FloatArray:
        """(m,) how likely each product comes next after this history, oldest first, which may be empty."""


class Popularity:
    """How often lately: each event counts half as much after so many days."""

    name: ClassVar[str] = "popularity"

    def __init__(self, half_life_days: float = 7.0) -> None:
        self._half_life = half_life_days

    def fit(self, histories: Histories) -> None:
        age = (histories.at.max(initial=0.0) - histories.at) / DAY
        weights = 0.5 ** (age / self._half_life)
        self._scores: FloatArray = np.bincount(histories.product, weights, histories.count).astype(float)

    def scores(self, history: IntArray) -> FloatArray:  # noqa: ARG002 - it is the same for everybody
        return self._scores


class Recency:
    """What was looked at last comes back first: the plain rule of repeat purchases."""

    name: ClassVar[str] = "recency"

    def fit(self, histories: Histories) -> None:
        self._count = histories.count

    def scores(self, history: IntArray) -> FloatArray:
        found = np.zeros(self._count)
        found[history] = np.arange(1, len(history) + 1)  # of one seen twice the later place stays
        return found


class CoOccurrence:
    """How often a product shares a history with the last ones: association rules of pairs.

    The n-th last counts 1/n; `damping` divides by a product's own frequency to this power, against the popular ones.
    """

    name: ClassVar[str] = "co_occurrence"

    def __init__(self, damping: float = 0.0, reach: int = 5) -> None:
        self._damping, self._reach = damping, reach

    def fit(self, histories: Histories) -> None:
        seen = histories.matrix()
        together = (seen.T @ seen).tocsr()
        together.setdiag(0)
        together.eliminate_zeros()
        often = np.maximum(np.asarray(seen.sum(axis=0)).ravel(), 1.0)
        self._together = (together @ sp.diags(often**-self._damping)).tocsr()

    def scores(self, history: IntArray) -> FloatArray:
        return _by_last(self._together, history, self._reach)


class Transitions:
    """What came after the last products, the nearer the more: sequential rules (Ludewig and Jannach, UMUAI 2018).

    Products of one moment (a basket) did not come after each other.
    """

    name: ClassVar[str] = "transitions"

    def __init__(self, steps: int = 10, reach: int = 3) -> None:
        self._steps, self._reach = steps, reach

    def fit(self, histories: Histories) -> None:
        session, product, at = histories.session_of, histories.product, histories.at
        parts = []
        for step in range(1, min(self._steps, len(product) - 1) + 1):
            same = (session[step:] == session[:-step]) & (at[step:] > at[:-step])
            one, other = product[:-step][same], product[step:][same]
            ways = sp.csr_matrix((np.full(len(one), 1 / step), (one, other)), shape=(histories.count,) * 2)
            parts.append(ways)
        self._after = sum(parts, start=sp.csr_matrix((histories.count,) * 2)).tocsr()

    def scores(self, history: IntArray) -> FloatArray:
        return _by_last(self._after, history, self._reach)


class SessionNeighbours:
    """V-SKNN: what the histories most like this one hold (Ludewig and Jannach, UMUAI 2018).

    Among the newest `sampled` histories that share a product, the `nearest` count, by the products they share, later
    ones more; a product's score falls with how long ago the last shared product was looked at, and with its
    frequency (idf).
    """

    name: ClassVar[str] = "session_neighbours"

    def __init__(self, nearest: int = 200, sampled: int = 2000) -> None:
        self._nearest, self._sampled = nearest, sampled

    def fit(self, histories: Histories) -> None:
        self._seen = histories.matrix()
        self._holders = self._seen.tocsc()  # rows rise with the time of a history's end
        often = np.maximum(np.asarray(self._seen.sum(axis=0)).ravel(), 1.0)
        self._idf = np.log(max(len(histories), 1) / often) + 1.0

    def scores(self, history: IntArray) -> FloatArray:
        count = self._seen.shape[1]
        if not len(history):
            return np.zeros(count)
        weights, since = _standing(history, count)
        holders = [self._holders.indices[slice(*self._holders.indptr[p : p + 2])] for p in np.unique(history)]
        candidates = np.unique(np.concatenate(holders))[-self._sampled :]
        if not len(candidates):
            return np.zeros(count)
        rows = self._seen[candidates]
        like = np.asarray(rows @ weights).ravel() / np.sqrt(np.diff(rows.indptr))
        best = np.argsort(-like, kind="stable")[: self._nearest]
        rows, like = rows[best], like[best]
        shared = since[rows.indices]
        first = np.minimum.reduceat(shared, rows.indptr[:-1])  # steps back to the newest shared product
        return np.asarray((like / first) @ rows).ravel() * self._idf


class GraphWalk:
    """Personalised PageRank on the graph of what was looked at together, from the last products of the history."""

    name: ClassVar[str] = "graph_walk"

    def __init__(self, restart: float = 0.3, rounds: int = 6, reach: int = 5) -> None:
        self._restart, self._rounds, self._reach = restart, rounds, reach

    def fit(self, histories: Histories) -> None:
        self._graph = ItemGraph.of_histories(histories.matrix())

    def scores(self, history: IntArray) -> FloatArray:
        start = weights_by_last(history, self._reach, len(self._graph.degrees))
        return self._graph.walk(start, self._restart, self._rounds)


class Likeness:
    """Products like the last ones in what they say or show: cosines of their vectors."""

    def __init__(self, vectors: FloatArray, name: str = "likeness", reach: int = 5) -> None:
        """vectors: (m, d) in the order of the histories' products, unit length; rows of 0 where there is none."""
        self.name, self._vectors, self._reach = name, vectors, reach

    def fit(self, histories: Histories) -> None:
        """Nothing: the vectors are known."""

    def scores(self, history: IntArray) -> FloatArray:
        last = history[::-1][: self._reach]
        weights = 1 / np.arange(1, len(last) + 1)
        return np.asarray(self._vectors @ (weights @ self._vectors[last])).clip(min=0)


def all_rules() -> list[Recommender]:
    """Those that need nothing but events, the strongest first."""
    return [SessionNeighbours(), Transitions(), CoOccurrence(), GraphWalk(), Recency(), Popularity()]


def _by_last(rows: sp.csr_matrix, history: IntArray, reach: int) -> FloatArray:
    """Sum of the rows of the last products, the n-th last by 1/n: (m,)."""
    last = history[::-1][:reach]
    if not len(last):
        return np.zeros(rows.shape[1])
    return np.asarray((1 / np.arange(1, len(last) + 1)) @ rows[last]).ravel()


def _standing(history: IntArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Of each product: its weight, place / length at its last place, and steps back to it (inf for others)."""
    length = len(history)
    weights, since = np.zeros(count), np.full(count, np.inf)
    weights[history] = np.arange(1, length + 1) / length
    since[history] = length - np.arange(length)
    return weights, since
